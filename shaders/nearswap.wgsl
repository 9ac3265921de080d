// Nearswap: every element moves towards the other model's by the share min(1, t / |difference|).
//
// The twin on the CPU is crates/core/src/kernels/nearswap.rs. A group of 256 takes 256 elements; where a tensor needs more groups
// than one dimension of a dispatch holds, there are rows of them.

const THREADS: u32 = 256u;

struct Job {
    // Elements of the tensor.
    elements: u32,
    // How far apart two elements may be for the model's to be taken over whole.
    t: f32,
}

@group(0) @binding(0) var<uniform> job: Job;
@group(0) @binding(1) var<storage, read> base: array<f32>;
@group(0) @binding(2) var<storage, read> model: array<f32>;
@group(0) @binding(3) var<storage, read_write> merged: array<f32>;

@compute @workgroup_size(THREADS)
fn nearswap(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let element = (group.y * groups.x + group.x) * THREADS + thread;
    if element >= job.elements {
        return;
    }
    let distance = abs(base[element] - model[element]);
    var share = 1f;
    if distance > job.t {
        share = job.t / distance;
    }
    merged[element] = share * model[element] + (1f - share) * base[element];
}
