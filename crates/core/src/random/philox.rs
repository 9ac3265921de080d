//! Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
//! 1, 2, 3" (SC 2011).

/// Rounds that the paper recommends (seven pass every test, ten leave a margin).
const ROUNDS: usize = 10;
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What the key grows by each round: the golden ratio and √3 − 1, as fractions of 2³².
const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Four random words that depend on nothing but `counter` and `key`. Words are in the order of the paper's own
/// implementation: `counter[0]` is the least significant.
#[inline]
pub const fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut state = counter;
    let mut key = key;
    let mut round = 0;
    loop {
        let low = MULTIPLIERS[0] as u64 * state[0] as u64;
        let high = MULTIPLIERS[1] as u64 * state[2] as u64;
        state =
            [(high >> 32) as u32 ^ state[1] ^ key[0], high as u32, (low >> 32) as u32 ^ state[3] ^ key[1], low as u32];
        round += 1;
        if round == ROUNDS {
            return state;
        }
        key = [key[0].wrapping_add(KEY_STEPS[0]), key[1].wrapping_add(KEY_STEPS[1])];
    }
}

/// The words for `N` counters at once, `[quad, quad + 1, …]` in their lower halves and `purpose` in their third word: word `w`
/// of counter `i` is at `[w][i]`. Plain arrays, which the compiler turns into vector instructions.
#[inline(always)]
pub(super) fn philox4x32_run<const N: usize>(quad: u64, purpose: u32, key: [u32; 2]) -> [[u32; N]; 4] {
    let mut state = [[0; N], [0; N], [purpose; N], [0; N]];
    for (lane, quad) in (0..N).zip(quad..) {
        state[0][lane] = quad as u32;
        state[1][lane] = (quad >> 32) as u32;
    }
    let mut key = key;
    for _ in 0..ROUNDS {
        let mut next = [[0; N]; 4];
        for lane in 0..N {
            let low = u64::from(MULTIPLIERS[0]) * u64::from(state[0][lane]);
            let high = u64::from(MULTIPLIERS[1]) * u64::from(state[2][lane]);
            next[0][lane] = (high >> 32) as u32 ^ state[1][lane] ^ key[0];
            next[1][lane] = high as u32;
            next[2][lane] = (low >> 32) as u32 ^ state[3][lane] ^ key[1];
            next[3][lane] = low as u32;
        }
        state = next;
        key = [key[0].wrapping_add(KEY_STEPS[0]), key[1].wrapping_add(KEY_STEPS[1])];
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The three known answers that the authors publish with their library Random123 (`kat_vectors`, philox4x32 10).
    #[test]
    fn the_published_answers_are_reproduced() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]);
        assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]);
        assert_eq!(
            philox4x32([0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], [0xA409_3822, 0x299F_31D0]),
            [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]
        );
    }

    #[test]
    fn a_run_is_its_counters_one_by_one() {
        for quad in [0, 7, u64::from(u32::MAX) - 3] {
            let run = philox4x32_run::<8>(quad, 5, [1, 2]);
            for (lane, quad) in (0..8).zip(quad..) {
                let words = philox4x32([quad as u32, (quad >> 32) as u32, 5, 0], [1, 2]);
                assert_eq!(run.map(|word| word[lane]), words);
            }
        }
    }
}
