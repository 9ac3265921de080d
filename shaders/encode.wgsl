// Numbers as they are stored: rounded once, to the nearest, ties to even.
//
// The twin on the CPU is crates/core/src/recipe/encode.rs. A thread writes one word: a number, or two; a group of 256 writes 256
// words. Where a tensor needs more groups than one dimension of a dispatch holds, there are rows of them.

// How the elements are to be stored: one of the formats below.
override FORMAT: u32 = 0u;

const BF16: u32 = 0u;
const F16: u32 = 1u;
const F32: u32 = 2u;

const THREADS: u32 = 256u;

const MAGNITUDE: u32 = 0x7fffffffu;
const INFINITY: u32 = 0x7f800000u;

struct Job {
    // How many elements.
    elements: u32,
    // The word that the first goes to.
    first_word: u32,
}

@group(0) @binding(0) var<uniform> job: Job;
@group(0) @binding(1) var<storage, read> numbers: array<f32>;
@group(0) @binding(2) var<storage, read_write> words: array<u32>;

// The upper half of an f32; a NaN stays one.
fn encode_bf16(bits: u32) -> u32 {
    if (bits & MAGNITUDE) > INFINITY {
        return (bits >> 16u) | 0x40u;
    }
    return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}

// The IEEE half of an f32.
fn encode_f16(bits: u32) -> u32 {
    let magnitude = bits & MAGNITUDE;
    let sign = (bits >> 16u) & 0x8000u;
    if magnitude > INFINITY {
        return sign | 0x7e00u | ((magnitude >> 13u) & 0x3ffu);
    }
    // 65520, halfway beyond the largest half.
    if magnitude >= 0x477ff000u {
        return sign | 0x7c00u;
    }
    // 2^-14, the smallest normal half: what lies below is a whole number of 2^-24.
    if magnitude < 0x38800000u {
        // Below 2^-25, half of the smallest, all is 0; so is 2^-25 itself, by ties to even.
        if magnitude <= 0x33000000u {
            return sign;
        }
        let significand = (magnitude & 0x7fffffu) | 0x800000u;
        let shift = 126u - (magnitude >> 23u);
        let half = 1u << (shift - 1u);
        let odd = (significand >> shift) & 1u;
        return sign | ((significand + half - 1u + odd) >> shift);
    }
    let rebased = magnitude - (112u << 23u);
    return sign | ((rebased + 0xfffu + ((rebased >> 13u) & 1u)) >> 13u);
}

fn encoded(element: u32) -> u32 {
    if element >= job.elements {
        return 0u;
    }
    let bits = bitcast<u32>(numbers[element]);
    if FORMAT == F16 {
        return encode_f16(bits);
    }
    return encode_bf16(bits);
}

@compute @workgroup_size(THREADS)
fn encode(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let word = (group.y * groups.x + group.x) * THREADS + thread;
    if FORMAT == F32 {
        if word < job.elements {
            words[job.first_word + word] = bitcast<u32>(numbers[word]);
        }
    } else if 2u * word < job.elements {
        words[job.first_word + word] = encoded(2u * word) | (encoded(2u * word + 1u) << 16u);
    }
}
