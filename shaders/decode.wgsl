// Stored elements as numbers, for the kernels that merge.
//
// The twin on the CPU is crates/core/src/dequantise.rs, for plain formats. A group of 256 takes 256 elements; where a tensor needs
// more groups than one dimension of a dispatch holds, there are rows of them.

// How the elements are stored: one of the formats below.
override FORMAT: u32 = 0u;

const BF16: u32 = 0u;
const F16: u32 = 1u;
const F32: u32 = 2u;

const THREADS: u32 = 256u;

const INFINITY: u32 = 0x7f800000u;

struct Job {
    // How many elements.
    elements: u32,
    // Where the first number goes.
    first: u32,
}

@group(0) @binding(0) var<uniform> job: Job;
@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(2) var<storage, read_write> numbers: array<f32>;

// From an IEEE half to the bits of the f32 of the same value. A subnormal half is a whole number of 2^-24.
fn decode_f16(code: u32) -> u32 {
    let magnitude = code & 0x7fffu;
    let sign = (code & 0x8000u) << 16u;
    if magnitude < 0x400u {
        return bitcast<u32>(f32(magnitude) * 0x1p-24f) | sign;
    }
    if magnitude >= 0x7c00u {
        return (magnitude << 13u) | INFINITY | sign;
    }
    return ((magnitude << 13u) + (112u << 23u)) | sign;
}

@compute @workgroup_size(THREADS)
fn decode(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let element = (group.y * groups.x + group.x) * THREADS + thread;
    if element >= job.elements {
        return;
    }
    var bits: u32;
    if FORMAT == F32 {
        bits = words[element];
    } else {
        let code = (words[element / 2u] >> (element % 2u * 16u)) & 0xffffu;
        if FORMAT == F16 {
            bits = decode_f16(code);
        } else {
            bits = code << 16u;
        }
    }
    numbers[job.first + element] = bitcast<f32>(bits);
}
