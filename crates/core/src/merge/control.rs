//! What a transplant must be compared with: changes as large as the donor's that mean nothing.
//!
//! Each control makes another delta of a donor's. Three of them only move its elements and turn their signs,
//! out\[i\] = sign(i) · δ\[place(i)\], so every norm of the elements stays; `noise` draws new ones. All follow from a seed, the
//! tensor's name and the element's index alone, so a tensor can be made piece by piece, in any order.

use super::gather::{Gather, taken};
use super::gram::dot;
use super::tile::{TILE, subtract, tiles};
use super::{MergeError, Piece, Reduction, TensorContext};
use crate::random::Stream;

/// Purposes of draws, away from those of random merge methods, which count from 1.
const PLACES: u32 = 0x8000_0000;
const SIGNS: u32 = 0x8000_0001;
const ROWS: u32 = 0x8000_0002;
const COLUMNS: u32 = 0x8000_0003;
const NOISE: u32 = 0x8000_0004;

/// What is done to a donor's delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Control {
    /// Its elements in another order, over the whole tensor. The distribution of values stays; a delta of low rank loses
    /// most of its spectral norm.
    Shuffle,
    /// Gaussian noise of the same Frobenius norm.
    Noise,
    /// Each element with a random sign.
    Sign,
    /// Rows and columns in another order, each with a random sign: P·δ·Q with orthogonal P and Q, so the singular values
    /// stay. Tensors of more than two axes are stacks of matrices that are all turned alike.
    Rotate,
}

impl Control {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Shuffle, Self::Noise, Self::Sign, Self::Rotate];

    /// Its name in recipes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shuffle => "shuffle",
            Self::Noise => "noise",
            Self::Sign => "sign",
            Self::Rotate => "rotate",
        }
    }

    /// The control that a recipe calls `name`, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|control| control.name() == name)
    }

    /// Makes it ready for one tensor; `tensor.seed` is its seed.
    ///
    /// # Errors
    /// When the tensor has too many elements to count.
    pub fn ready(self, tensor: &TensorContext<'_>) -> Result<Controlled, MergeError> {
        let stream = |purpose| Stream::new(tensor.seed, tensor.name, purpose);
        let elements = tensor.elements()?;
        let moves = match self {
            Self::Shuffle => Moves::Elements(Permutation::new(&stream(PLACES), elements)),
            Self::Noise => Moves::Noise { draws: stream(NOISE), scale: None },
            Self::Sign => Moves::Signs(stream(SIGNS)),
            Self::Rotate => {
                let columns = tensor.shape.last().copied().unwrap_or(1).max(1);
                let rows = tensor.shape.iter().rev().nth(1).copied().unwrap_or(1).max(1);
                Moves::Lines {
                    rows: Permutation::new(&stream(ROWS), rows),
                    columns: Permutation::new(&stream(COLUMNS), columns),
                    row_signs: stream(ROWS),
                    column_signs: stream(COLUMNS),
                }
            }
        };
        Ok(Controlled { moves })
    }
}

/// A control, made ready for one tensor.
#[derive(Clone, Debug)]
pub struct Controlled {
    moves: Moves,
}

#[derive(Clone, Debug)]
enum Moves {
    Elements(Permutation),
    Signs(Stream),
    Lines { rows: Permutation, columns: Permutation, row_signs: Stream, column_signs: Stream },
    Noise { draws: Stream, scale: Option<f32> },
}

impl Controlled {
    /// A fresh accumulator if the whole tensor must be looked at first: its pieces have the base, and the donor as their only
    /// input.
    pub fn reduction(&self) -> Option<Box<dyn Reduction>> {
        match self.moves {
            Moves::Noise { draws, scale: None } => Some(Box::new(Norms { draws, squares: [0.0; 2] })),
            _ => None,
        }
    }

    /// Takes what the pass gathered.
    ///
    /// # Errors
    /// [`MergeError::OtherPass`] for an accumulator that was not asked for.
    pub fn settle(&mut self, reduction: Box<dyn Reduction>) -> Result<(), MergeError> {
        let Moves::Noise { scale, .. } = &mut self.moves else { return Err(MergeError::OtherPass) };
        let Norms { squares: [delta, drawn], .. } = *taken(reduction)?;
        *scale = Some(if drawn > 0.0 { (delta / drawn).sqrt() as f32 } else { 0.0 });
        Ok(())
    }

    /// Which element of the donor's delta stands at `element`, and the factor, ±1, that it has there; `None` for noise.
    pub fn place(&self, element: u64) -> Option<(u64, f32)> {
        match &self.moves {
            Moves::Elements(places) => Some((places.of(element), 1.0)),
            Moves::Signs(signs) => Some((element, sign(signs, element))),
            Moves::Lines { rows, columns, row_signs, column_signs } => {
                let (line, column) = (element / columns.length, element % columns.length);
                let (matrix, row) = (line / rows.length, line % rows.length);
                let place = (matrix * rows.length + rows.of(row)) * columns.length + columns.of(column);
                Some((place, sign(row_signs, row) * sign(column_signs, column)))
            }
            Moves::Noise { .. } => None,
        }
    }

    /// Writes the new delta's elements from `first` on; `delta` gives an element of the donor's. Call only when
    /// [`Self::reduction`] is `None`.
    pub fn map(&self, first: u64, out: &mut [f32], mut delta: impl FnMut(u64) -> f32) {
        if let Moves::Noise { draws, scale } = &self.moves {
            draws.fill_gaussian(first, out);
            let scale = scale.unwrap_or(0.0);
            out.iter_mut().for_each(|value| *value *= scale);
            return;
        }
        for (value, element) in out.iter_mut().zip(first..) {
            if let Some((place, factor)) = self.place(element) {
                *value = factor * delta(place);
            }
        }
    }
}

/// A random sign.
fn sign(stream: &Stream, element: u64) -> f32 {
    if stream.bits(element) >> 31 == 0 { 1.0 } else { -1.0 }
}

/// Squared norms of the donor's delta and of the noise.
struct Norms {
    draws: Stream,
    squares: [f64; 2],
}

impl Gather for Norms {
    fn add(&mut self, piece: &Piece<'_>) {
        let (Some(base), &[donor]) = (piece.base, piece.inputs) else { return };
        let mut values = [0.0; TILE];
        for range in tiles(piece.elements()) {
            let values = &mut values[..range.len()];
            subtract(&donor[range.clone()], &base[range.clone()], values);
            self.squares[0] += dot(values, values);
            self.draws.fill_gaussian(piece.first + range.start as u64, values);
            self.squares[1] += dot(values, values);
        }
    }

    fn join(&mut self, other: Self) {
        self.squares = [self.squares[0] + other.squares[0], self.squares[1] + other.squares[1]];
    }
}

/// A random order of the numbers below `length`, without a table.
///
/// A balanced Feistel network is a bijection of the numbers of an even count of bits (Luby and Rackoff, 1988); what
/// falls outside is sent through again until it falls inside (cycle walking, Black and Rogaway, 2002). There are fewer than
/// four times as many numbers as are wanted, so that takes four turns on average at most.
#[derive(Clone, Debug)]
struct Permutation {
    length: u64,
    /// Bits of each half.
    half: u32,
    keys: [u32; Self::ROUNDS],
}

impl Permutation {
    const ROUNDS: usize = 8;

    fn new(stream: &Stream, length: u64) -> Self {
        let bits = u64::BITS - length.saturating_sub(1).leading_zeros();
        // Far from the words that belong to elements.
        let [low, high] = [stream.words(u64::MAX), stream.words(u64::MAX - 1)];
        let mut keys = [0; Self::ROUNDS];
        keys.iter_mut().zip(low.into_iter().chain(high)).for_each(|(key, word)| *key = word);
        Self { length, half: bits.div_ceil(2).max(1), keys }
    }

    /// Which number stands at `index`, which must be below the length.
    fn of(&self, index: u64) -> u64 {
        let mut place = self.turn(index);
        while place >= self.length {
            place = self.turn(place);
        }
        place
    }

    fn turn(&self, number: u64) -> u64 {
        let mask = (1_u64 << self.half) - 1;
        let (mut left, mut right) = (number >> self.half, number & mask);
        for &key in &self.keys {
            (left, right) = (right, left ^ (u64::from(mixed(right as u32 ^ key)) & mask));
        }
        left << self.half | right
    }
}

/// Every bit of the word depends on every other: the finaliser of `MurmurHash3` (Appleby).
const fn mixed(mut word: u32) -> u32 {
    word = (word ^ word >> 16).wrapping_mul(0x85eb_ca6b);
    word = (word ^ word >> 13).wrapping_mul(0xc2b2_ae35);
    word ^ word >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [u64; 2] = [30, 21];

    /// A delta of rank one.
    fn delta() -> Vec<f32> {
        (0..630).map(|at| ((at / 21) as f32 - 11.0) * ((at % 21) as f32 + 0.5)).collect()
    }

    fn controlled(control: Control, seed: u64, shape: &[u64], delta: &[f32], piece: usize) -> Vec<f32> {
        let mut ready = control.ready(&TensorContext { name: "w", shape, has_base: true, seed }).unwrap();
        let zeros = vec![0.0; delta.len()];
        while let Some(mut whole) = ready.reduction() {
            for start in (0..delta.len()).step_by(piece) {
                let range = start..delta.len().min(start + piece);
                whole.add(&Piece { first: start as u64, base: Some(&zeros[range.clone()]), inputs: &[&delta[range]] });
            }
            ready.settle(whole).unwrap();
        }
        let mut out = vec![0.0; delta.len()];
        for (number, out) in out.chunks_mut(piece).enumerate() {
            ready.map((number * piece) as u64, out, |at| delta[at as usize]);
        }
        out
    }

    fn sorted(values: &[f32], of: impl Fn(f32) -> f32) -> Vec<f32> {
        let mut values: Vec<f32> = values.iter().map(|&value| of(value)).collect();
        values.sort_by(f32::total_cmp);
        values
    }

    /// Singular values, by Jacobi's rotations of the columns.
    fn singular_values(values: &[f32], columns: usize) -> Vec<f64> {
        let rows = values.len() / columns;
        let mut matrix: Vec<Vec<f64>> =
            (0..columns).map(|c| (0..rows).map(|r| f64::from(values[r * columns + c])).collect()).collect();
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        for _ in 0..30 {
            for i in 0..columns {
                for j in 0..i {
                    let (a, b, c) =
                        (dot(&matrix[i], &matrix[i]), dot(&matrix[j], &matrix[j]), dot(&matrix[i], &matrix[j]));
                    let angle = 0.5 * f64::atan2(2.0 * c, a - b);
                    let (sine, cosine) = angle.sin_cos();
                    let [first, second] = matrix.get_disjoint_mut([i, j]).unwrap();
                    for (first, second) in first.iter_mut().zip(second) {
                        let (x, y) = (*first, *second);
                        (*first, *second) = (cosine * x + sine * y, cosine * y - sine * x);
                    }
                }
            }
        }
        let mut values: Vec<f64> = matrix.iter().map(|column| dot(column, column).sqrt()).collect();
        values.sort_by(|x, y| y.total_cmp(x));
        values
    }

    #[test]
    fn every_permutation_is_one() {
        for length in [1, 2, 3, 5, 16, 17, 1_000, 65_536] {
            let order = Permutation::new(&Stream::new(1, "w", PLACES), length);
            let mut seen = vec![false; length as usize];
            (0..length).for_each(|index| seen[order.of(index) as usize] = true);
            assert!(seen.into_iter().all(|seen| seen), "{length}");
        }
    }

    #[test]
    fn a_permutation_of_a_long_tensor_has_no_pattern() {
        // Correlation between an index and its place: 0, give or take 1/√n.
        let length = 100_000_u64;
        let order = Permutation::new(&Stream::new(1, "w", PLACES), length);
        let middle = (length as f64 - 1.0) / 2.0;
        let covariance: f64 =
            (0..length).map(|index| (index as f64 - middle) * (order.of(index) as f64 - middle)).sum();
        let variance: f64 = (0..length).map(|index| (index as f64 - middle).powi(2)).sum();
        assert!((covariance / variance).abs() < 4.0 / f64::sqrt(length as f64));
    }

    #[test]
    fn controls_belong_to_their_seed_and_not_to_the_pieces() {
        let delta = delta();
        for control in Control::ALL {
            assert_eq!(Control::parse(control.name()), Some(control));
            let here = controlled(control, 1, &SHAPE, &delta, 100);
            let elsewhere = controlled(control, 1, &SHAPE, &delta, 630);
            assert!(here.iter().zip(&elsewhere).all(|(x, y)| (x - y).abs() <= 1e-6 * y.abs()), "{control:?}");
            assert_ne!(here, controlled(control, 2, &SHAPE, &delta, 100));
            assert_ne!(here, delta);
        }
    }

    #[test]
    fn shuffling_keeps_the_values() {
        let delta = delta();
        let shuffled = controlled(Control::Shuffle, 1, &SHAPE, &delta, 100);
        assert_eq!(sorted(&shuffled, |value| value), sorted(&delta, |value| value));
    }

    #[test]
    fn signs_keep_the_magnitudes_in_their_places() {
        let delta = delta();
        let signed = controlled(Control::Sign, 1, &SHAPE, &delta, 100);
        assert!(signed.iter().zip(&delta).all(|(x, y)| x.abs() == y.abs()));
        let turned = signed.iter().zip(&delta).filter(|(x, y)| x != y).count();
        assert!((200..=430).contains(&turned), "{turned}");
    }

    #[test]
    fn noise_has_the_deltas_norm() {
        let delta = delta();
        let noise = controlled(Control::Noise, 1, &SHAPE, &delta, 100);
        assert!((dot(&noise, &noise) / dot(&delta, &delta) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn turning_keeps_the_singular_values_and_shuffling_does_not() {
        let delta = delta();
        let spectrum = singular_values(&delta, 21);
        let turned = controlled(Control::Rotate, 1, &SHAPE, &delta, 100);
        assert_eq!(sorted(&turned, f32::abs), sorted(&delta, f32::abs));
        for (ours, theirs) in singular_values(&turned, 21).iter().zip(&spectrum) {
            assert!((ours - theirs).abs() < 1e-9 * spectrum[0], "{ours} is not {theirs}");
        }
        let shuffled = controlled(Control::Shuffle, 1, &SHAPE, &delta, 100);
        assert!(singular_values(&shuffled, 21)[0] < 0.7 * spectrum[0]);
    }

    #[test]
    fn a_stack_is_turned_matrix_by_matrix() {
        let delta = delta();
        let turned = controlled(Control::Rotate, 1, &[3, 10, 21], &delta, 100);
        for (turned, delta) in turned.chunks(210).zip(delta.chunks(210)) {
            assert_eq!(sorted(turned, f32::abs), sorted(delta, f32::abs));
        }
    }
}
