// Sums of vectors times factors: what linear, slerp and task arithmetic come to.
//
// The twin on the CPU is crates/core/src/kernels/blend.rs. A group of 256 takes 256 elements; where a tensor needs more groups than
// one dimension of a dispatch holds, there are rows of them.

const THREADS: u32 = 256u;

struct Job {
    // Elements of each vector.
    elements: u32,
    // How many vectors there are.
    vectors: u32,
    // Not 0 if each vector stands for its difference to the base, and the sum is added to the base.
    deltas: u32,
}

@group(0) @binding(0) var<uniform> job: Job;
// One for each vector.
@group(0) @binding(1) var<storage, read> factors: array<f32>;
// Of one element where no base is needed.
@group(0) @binding(2) var<storage, read> base: array<f32>;
// One vector behind the other.
@group(0) @binding(3) var<storage, read> vectors: array<f32>;
@group(0) @binding(4) var<storage, read_write> merged: array<f32>;

@compute @workgroup_size(THREADS)
fn blend(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let element = (group.y * groups.x + group.x) * THREADS + thread;
    if element >= job.elements {
        return;
    }
    var origin = 0f;
    if job.deltas != 0u {
        origin = base[element];
    }
    var sum = 0f;
    for (var vector = 0u; vector < job.vectors; vector++) {
        sum += factors[vector] * (vectors[vector * job.elements + element] - origin);
    }
    merged[element] = sum + origin;
}
