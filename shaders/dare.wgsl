// DARE: random elements of each model's difference to the base, times the model's factor, are added to the base.
//
// The twin on the CPU is crates/core/src/kernels/dare.rs. Draws are those of crates/core/src/random: element i of the tensor
// takes word i mod 4 of Philox4x32-10 with the counter (i / 4, low and high word; the model's purpose; 0), and its upper 24
// bits are a uniform number. So both sides keep the same elements. A group of 256 takes 256 elements; where a tensor needs
// more groups than one dimension of a dispatch holds, there are rows of them.

const THREADS: u32 = 256u;

const ROUNDS: u32 = 10u;
const MULTIPLIER_0: u32 = 0xd2511f53u;
const MULTIPLIER_1: u32 = 0xcd9e8d57u;
const KEY_STEP_0: u32 = 0x9e3779b9u;
const KEY_STEP_1: u32 = 0xbb67ae85u;

struct Job {
    // The index in the tensor of the first element, low and high word.
    first_low: u32,
    first_high: u32,
    // The key of the tensor's draws.
    key_low: u32,
    key_high: u32,
    // Elements of each vector.
    elements: u32,
    // How many models there are.
    models: u32,
}

struct Model {
    // What its kept differences are multiplied by.
    factor: f32,
    // With this probability each is kept.
    probability: f32,
    // The purpose of its draws.
    purpose: u32,
}

@group(0) @binding(0) var<uniform> job: Job;
@group(0) @binding(1) var<storage, read> models: array<Model>;
@group(0) @binding(2) var<storage, read> base: array<f32>;
// One model behind the other.
@group(0) @binding(3) var<storage, read> vectors: array<f32>;
@group(0) @binding(4) var<storage, read_write> merged: array<f32>;

// The upper word of a product, from products of halves.
fn multiply_high(x: u32, y: u32) -> u32 {
    let low = (x & 0xffffu) * (y & 0xffffu);
    let middle = (x >> 16u) * (y & 0xffffu) + (low >> 16u);
    let other = (x & 0xffffu) * (y >> 16u) + (middle & 0xffffu);
    return (x >> 16u) * (y >> 16u) + (middle >> 16u) + (other >> 16u);
}

fn philox(counter: vec4<u32>) -> vec4<u32> {
    var state = counter;
    var key = vec2(job.key_low, job.key_high);
    for (var round = 0u; round < ROUNDS; round++) {
        state = vec4(
            multiply_high(MULTIPLIER_1, state.z) ^ state.y ^ key.x,
            MULTIPLIER_1 * state.z,
            multiply_high(MULTIPLIER_0, state.x) ^ state.w ^ key.y,
            MULTIPLIER_0 * state.x,
        );
        key += vec2(KEY_STEP_0, KEY_STEP_1);
    }
    return state;
}

@compute @workgroup_size(THREADS)
fn dare(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let element = (group.y * groups.x + group.x) * THREADS + thread;
    if element >= job.elements {
        return;
    }
    // The index in the tensor, of which the lowest two bits choose the word.
    let low = job.first_low + element;
    let high = job.first_high + select(0u, 1u, low < element);
    let origin = base[element];
    var sum = 0f;
    for (var at = 0u; at < job.models; at++) {
        let model = models[at];
        let words = philox(vec4(low >> 2u | high << 30u, high >> 2u, model.purpose, 0u));
        let drawn = f32(words[low % 4u] >> 8u) * 0x1p-24f;
        if drawn < model.probability {
            sum += model.factor * (vectors[at * job.elements + element] - origin);
        }
    }
    merged[element] = origin + sum;
}
