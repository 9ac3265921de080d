// Delta: everything that one pass over some elements of A and B finds out, with d = b - a.
//
// The twin on the CPU is crates/core/src/kernels/delta.rs; DESIGN.md ("Relative change") defines what the bins hold.
//
// A workgroup takes SPAN elements of one job: a run of elements whose stored bytes lie anywhere in two buffers. Elements
// are decoded to the bits of an f32 with integers, and whatever is counted is decided by bits: a GPU may flush subnormal
// numbers, and may take it that there are no infinities and no NaN. Sums are kept in f32, few additions deep, and added
// up by the host in f64. Where f32 cannot hold a workgroup's sums, it says so, and the host computes them again.

// How A and B are stored: one of the formats below.
override FORMAT_A: u32 = 0u;
override FORMAT_B: u32 = 0u;
// Whether distributions, moves in units in the last place, and anchors are wanted beside the sums.
override EVERYTHING: bool = true;

const BF16: u32 = 0u;
const F16: u32 = 1u;
const F32: u32 = 2u;
const F8_E4M3: u32 = 3u;
const F8_E5M2: u32 = 4u;

const THREADS: u32 = 256u;
// Elements of a workgroup: each thread takes sixteen times four.
const SPAN: u32 = 16384u;

// Bits of an f32.
const SIGN: u32 = 0x80000000u;
const MAGNITUDE: u32 = 0x7fffffffu;
const INFINITY: u32 = 0x7f800000u;
// 2^-100: smaller magnitudes count as 0.
const TINY: u32 = 0x0d800000u;
// 2^50: the squares of larger magnitudes may overflow when they are added up.
const LARGE: u32 = 0x58800000u;

// What the authors' script adds to |a|.
const SCRIPT_OFFSET: f32 = 1e-8;
// A sum smaller than this, 2^-80, may have lost terms that underflowed.
const UNDERFLOW: f32 = 0x1p-80f;

// The counters of a distribution: 200 bins, of which number 100 begins at 0, and what lies in none.
const SLOTS: u32 = 204u;
const ZERO_BIN: u32 = 100u;
const BELOW: u32 = 200u;
const ABOVE: u32 = 201u;
const UNDEFINED: u32 = 202u;
const UNCHANGED: u32 = 203u;

// A run of elements.
struct Job {
    // The byte of A's buffer at which the first element starts.
    start_a: u32,
    // The same in B's.
    start_b: u32,
    // How many elements.
    elements: u32,
    // The first element that is an anchor, if there is one.
    first_anchor: u32,
    // The distance to the next; 0 where none are wanted.
    anchor_distance: u32,
    // Where the stored bits of the first anchor go.
    anchors: u32,
}

// What a workgroup does.
struct Workgroup {
    // Which job.
    job: u32,
    // The first of its elements; a multiple of SPAN.
    first: u32,
}

// Where a dispatch begins in the list of workgroups.
struct Dispatch {
    first_workgroup: u32,
}

// The sums of a workgroup.
struct Sums {
    delta_squared: f32,
    a_squared: f32,
    b_squared: f32,
    a_dot_delta: f32,
    delta_absolute: f32,
    // Sum of the squared units in the last place of both sides, where the formats differ.
    ulps_squared: f32,
    delta_largest: f32,
    // 1 where f32 was not enough, and nothing of this job can be used.
    insufficient: u32,
}

// The counts of a job.
struct Counts {
    script: array<atomic<u32>, SLOTS>,
    formula: array<atomic<u32>, SLOTS>,
    changed: atomic<u32>,
    // Elements that are not finite on either side, in A, and in B.
    non_finite: atomic<u32>,
    non_finite_a: atomic<u32>,
    non_finite_b: atomic<u32>,
    // Elements that moved by one representable value, by two to four, by more; and the furthest move.
    one_ulp: atomic<u32>,
    few_ulps: atomic<u32>,
    more_ulps: atomic<u32>,
    largest_ulps: atomic<u32>,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> words_a: array<u32>;
@group(0) @binding(2) var<storage, read> words_b: array<u32>;
@group(0) @binding(3) var<storage, read> jobs: array<Job>;
@group(0) @binding(4) var<storage, read> workgroups: array<Workgroup>;
@group(0) @binding(5) var<storage, read_write> sums: array<Sums>;
@group(0) @binding(6) var<storage, read_write> counts: array<Counts>;
@group(0) @binding(7) var<storage, read_write> anchors: array<u32>;

// E[100 + k], the edges of the bins on one side of 0, each the f32 nearest to a hundredth.
const EDGES = array<f32, 101>(
    0.00, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.10, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 0.18, 0.19,
    0.20, 0.21, 0.22, 0.23, 0.24, 0.25, 0.26, 0.27, 0.28, 0.29, 0.30, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36, 0.37, 0.38, 0.39,
    0.40, 0.41, 0.42, 0.43, 0.44, 0.45, 0.46, 0.47, 0.48, 0.49, 0.50, 0.51, 0.52, 0.53, 0.54, 0.55, 0.56, 0.57, 0.58, 0.59,
    0.60, 0.61, 0.62, 0.63, 0.64, 0.65, 0.66, 0.67, 0.68, 0.69, 0.70, 0.71, 0.72, 0.73, 0.74, 0.75, 0.76, 0.77, 0.78, 0.79,
    0.80, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86, 0.87, 0.88, 0.89, 0.90, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99,
    1.00,
);

var<workgroup> edges: array<f32, 101>;
var<workgroup> script: array<atomic<u32>, SLOTS>;
var<workgroup> formula: array<atomic<u32>, SLOTS>;
// Changed, not finite, not finite in A, not finite in B.
var<workgroup> totals: array<atomic<u32>, 4>;
// One, few, more, largest.
var<workgroup> ulps: array<atomic<u32>, 4>;
var<workgroup> delta_largest: atomic<u32>;
// All magnitudes of A, and all of B, or-ed together: 0 if all are.
var<workgroup> seen_a: atomic<u32>;
var<workgroup> seen_b: atomic<u32>;
// The largest magnitude on either side.
var<workgroup> reach: atomic<u32>;
// The sums of squares and products of every thread, then the other two sums.
var<workgroup> products: array<vec4<f32>, THREADS>;
var<workgroup> absolutes: array<vec2<f32>, THREADS>;

// Decoding ----------------------------------------------------------------------------------------------------------

// The 32 bits from byte `at` on.
fn word_a(at: u32) -> u32 {
    let low = words_a[at / 4u];
    let shift = at % 4u * 8u;
    if shift == 0u {
        return low;
    }
    return (low >> shift) | (words_a[at / 4u + 1u] << (32u - shift));
}

fn word_b(at: u32) -> u32 {
    let low = words_b[at / 4u];
    let shift = at % 4u * 8u;
    if shift == 0u {
        return low;
    }
    return (low >> shift) | (words_b[at / 4u + 1u] << (32u - shift));
}

fn halves(low: u32, high: u32) -> vec4<u32> {
    return vec4<u32>(low & 0xffffu, low >> 16u, high & 0xffffu, high >> 16u);
}

fn bytes(word: u32) -> vec4<u32> {
    return (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(0xffu);
}

// The stored bits of four elements of A, from `element` of the job on.
fn codes_a(job: Job, element: u32) -> vec4<u32> {
    if FORMAT_A == F32 {
        let at = job.start_a + element * 4u;
        return vec4<u32>(word_a(at), word_a(at + 4u), word_a(at + 8u), word_a(at + 12u));
    }
    if FORMAT_A == BF16 || FORMAT_A == F16 {
        let at = job.start_a + element * 2u;
        return halves(word_a(at), word_a(at + 4u));
    }
    return bytes(word_a(job.start_a + element));
}

fn codes_b(job: Job, element: u32) -> vec4<u32> {
    if FORMAT_B == F32 {
        let at = job.start_b + element * 4u;
        return vec4<u32>(word_b(at), word_b(at + 4u), word_b(at + 8u), word_b(at + 12u));
    }
    if FORMAT_B == BF16 || FORMAT_B == F16 {
        let at = job.start_b + element * 2u;
        return halves(word_b(at), word_b(at + 4u));
    }
    return bytes(word_b(job.start_b + element));
}

// From IEEE halves to the bits of the f32 of the same value. A subnormal half is a whole number of 2^-24.
fn decode_f16(codes: vec4<u32>) -> vec4<u32> {
    let magnitude = codes & vec4<u32>(0x7fffu);
    let normal = (magnitude << vec4<u32>(13u)) + vec4<u32>(112u << 23u);
    let subnormal = bitcast<vec4<u32>>(vec4<f32>(magnitude) * 0x1p-24f);
    let special = (magnitude << vec4<u32>(13u)) | vec4<u32>(INFINITY);
    let finite = select(normal, subnormal, magnitude < vec4<u32>(0x400u));
    let value = select(finite, special, magnitude >= vec4<u32>(0x7c00u));
    return value | ((codes & vec4<u32>(0x8000u)) << vec4<u32>(16u));
}

// From E4M3, which has no infinities and one NaN. A subnormal is a whole number of 2^-9.
fn decode_f8_e4m3(codes: vec4<u32>) -> vec4<u32> {
    let magnitude = codes & vec4<u32>(0x7fu);
    let normal = (magnitude << vec4<u32>(20u)) + vec4<u32>(120u << 23u);
    let subnormal = bitcast<vec4<u32>>(vec4<f32>(magnitude) * 0x1p-9f);
    let number = select(normal, subnormal, magnitude < vec4<u32>(8u));
    let value = select(number, vec4<u32>(0x7fc00000u), magnitude == vec4<u32>(0x7fu));
    return value | ((codes & vec4<u32>(0x80u)) << vec4<u32>(24u));
}

fn decode(format: u32, codes: vec4<u32>) -> vec4<u32> {
    switch format {
        case BF16: {
            return codes << vec4<u32>(16u);
        }
        case F16: {
            return decode_f16(codes);
        }
        case F8_E4M3: {
            return decode_f8_e4m3(codes);
        }
        case F8_E5M2: {
            // The upper half of an IEEE half.
            return decode_f16(codes << vec4<u32>(8u));
        }
        default: {
            return codes;
        }
    }
}

// Units in the last place -------------------------------------------------------------------------------------------

// Squares of the distances between a value and its neighbour in the format. What underflows is nothing beside a square
// that does not, and where all do, the workgroup's sums are insufficient.
fn squared_ulps(format: u32, magnitudes: vec4<u32>) -> vec4<f32> {
    // Stored bits of the significand, and the biased exponent of the smallest normal value.
    var mantissa = 23u;
    var lowest = 1u;
    switch format {
        case BF16: {
            mantissa = 7u;
        }
        case F16: {
            mantissa = 10u;
            lowest = 113u;
        }
        case F8_E4M3: {
            mantissa = 3u;
            lowest = 121u;
        }
        case F8_E5M2: {
            mantissa = 2u;
            lowest = 113u;
        }
        default: {
        }
    }
    let exponents = max(magnitudes >> vec4<u32>(23u), vec4<u32>(lowest));
    let normal = exponents > vec4<u32>(mantissa);
    let shifted = select(vec4<u32>(0u), exponents - vec4<u32>(mantissa), normal);
    let units = bitcast<vec4<f32>>(shifted << vec4<u32>(23u));
    return units * units;
}

// How many representable values lie between two of one format.
fn moves(code_a: vec4<u32>, code_b: vec4<u32>) -> vec4<u32> {
    let sign = vec4<u32>(select(0x8000u, SIGN, FORMAT_A == F32));
    let a = code_a & (sign - vec4<u32>(1u));
    let b = code_b & (sign - vec4<u32>(1u));
    let opposite = ((code_a ^ code_b) & sign) != vec4<u32>(0u);
    return select(max(a, b) - min(a, b), a + b, opposite);
}

fn has_ulps() -> bool {
    return EVERYTHING && FORMAT_A == FORMAT_B && (FORMAT_A == BF16 || FORMAT_A == F16 || FORMAT_A == F32);
}

// Relative change ---------------------------------------------------------------------------------------------------

// Where a change of the size `distance` (bits of an f32, at least TINY) counts on its side of 0, by the definition: on the
// positive side a bin holds its edge nearer to 0, on the negative side the other. The quotient guesses, off by one at most;
// products decide, and they are compared as bits, so that nothing can fuse them with the comparison.
fn slot(distance: u32, scale: f32, negative: bool) -> u32 {
    if distance > bitcast<u32>(scale) {
        return select(ABOVE, BELOW, negative);
    }
    let guess = min(u32(bitcast<f32>(distance) / scale * 100.0), 99u);
    let lower = bitcast<u32>(edges[guess] * scale);
    let upper = bitcast<u32>(edges[guess + 1u] * scale);
    let place = distance - select(0u, 1u, negative);
    let hundredths = min(guess + select(0u, 1u, upper <= place) - select(0u, 1u, place < lower), 99u);
    return select(ZERO_BIN + hundredths, ZERO_BIN - 1u - hundredths, negative);
}

// Counts one element of which both sides are finite. Returns 1 if it did not change and a is 0, 2 if it did not change
// and a is not: most elements, which the caller counts.
fn count(bits_a: u32, delta: f32) -> u32 {
    let bits_delta = bitcast<u32>(delta);
    let distance = bits_delta & MAGNITUDE;
    let magnitude = bits_a & MAGNITUDE;
    if distance < TINY {
        return select(2u, 1u, magnitude < TINY);
    }
    let scale = bitcast<f32>(magnitude);
    atomicAdd(&script[slot(distance, scale + SCRIPT_OFFSET, (bits_delta & SIGN) != 0u)], 1u);
    if magnitude < TINY {
        atomicAdd(&formula[UNDEFINED], 1u);
    } else {
        atomicAdd(&formula[slot(distance, scale, ((bits_delta ^ bits_a) & SIGN) != 0u)], 1u);
    }
    return 0u;
}

// -------------------------------------------------------------------------------------------------------------------

fn total(which: vec4<bool>) -> u32 {
    return dot(select(vec4<u32>(0u), vec4<u32>(1u), which), vec4<u32>(1u));
}

fn largest(lanes: vec4<u32>) -> u32 {
    return max(max(lanes.x, lanes.y), max(lanes.z, lanes.w));
}

fn any_bit(lanes: vec4<u32>) -> u32 {
    return lanes.x | lanes.y | lanes.z | lanes.w;
}

// Keeps the stored bits of the job's evenly spaced anchors that are among the workgroup's elements.
fn keep_anchors(job: Job, first: u32, thread: u32) {
    if job.anchor_distance == 0u {
        return;
    }
    let end = min(first + SPAN, job.elements);
    let before = max(first, job.first_anchor) - job.first_anchor;
    var number = (before + job.anchor_distance - 1u) / job.anchor_distance + thread;
    var element = job.first_anchor + number * job.anchor_distance;
    while element < end {
        anchors[job.anchors + number] = codes_a(job, element).x;
        number += THREADS;
        element += THREADS * job.anchor_distance;
    }
}

@compute @workgroup_size(256)
fn delta(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let index = dispatch.first_workgroup + workgroup.x;
    let first = workgroups[index].first;
    let job = jobs[workgroups[index].job];
    begin(thread);
    if EVERYTHING {
        keep_anchors(job, first, thread);
    }
    workgroupBarrier();

    var delta_squared = vec4<f32>();
    var a_squared = vec4<f32>();
    var b_squared = vec4<f32>();
    var a_dot_delta = vec4<f32>();
    var delta_absolute = vec4<f32>();
    var ulps_squared = vec4<f32>();
    var distances = vec4<u32>();
    var reached = vec4<u32>();
    var bits_seen_a = vec4<u32>();
    var bits_seen_b = vec4<u32>();
    // As `totals` and `ulps`.
    var found = vec4<u32>();
    var moved = vec4<u32>();
    var unchanged = 0u;
    var undefined = 0u;

    for (var element = first + 4u * thread; element < min(first + SPAN, job.elements); element += 4u * THREADS) {
        let code_a = codes_a(job, element);
        let code_b = codes_b(job, element);
        let inside = vec4<u32>(element) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(job.elements);
        let decoded_a = select(vec4<u32>(0u), decode(FORMAT_A, code_a), inside);
        let decoded_b = select(vec4<u32>(0u), decode(FORMAT_B, code_b), inside);
        let not_finite_a = (decoded_a & vec4<u32>(MAGNITUDE)) >= vec4<u32>(INFINITY);
        let not_finite_b = (decoded_b & vec4<u32>(MAGNITUDE)) >= vec4<u32>(INFINITY);
        let not_finite = not_finite_a | not_finite_b;
        let usable = inside & !not_finite;
        let bits_a = select(vec4<u32>(0u), decoded_a, usable);
        let bits_b = select(vec4<u32>(0u), decoded_b, usable);
        let magnitude_a = bits_a & vec4<u32>(MAGNITUDE);
        let magnitude_b = bits_b & vec4<u32>(MAGNITUDE);
        let differs = (bits_a != bits_b) & ((magnitude_a | magnitude_b) != vec4<u32>(0u));
        found += vec4<u32>(total(differs), total(not_finite), total(not_finite_a), total(not_finite_b));
        reached = max(reached, max(magnitude_a, magnitude_b));
        bits_seen_a |= magnitude_a;
        bits_seen_b |= magnitude_b;

        let a = bitcast<vec4<f32>>(bits_a);
        let b = bitcast<vec4<f32>>(bits_b);
        let d = b - a;
        delta_squared += d * d;
        a_squared += a * a;
        b_squared += b * b;
        a_dot_delta += a * d;
        delta_absolute += abs(d);
        distances = max(distances, bitcast<vec4<u32>>(d) & vec4<u32>(MAGNITUDE));
        if FORMAT_A != FORMAT_B {
            let units = squared_ulps(FORMAT_A, magnitude_a) + squared_ulps(FORMAT_B, magnitude_b);
            ulps_squared += select(vec4<f32>(0.0), units, usable);
        }
        if has_ulps() {
            let apart = select(vec4<u32>(0u), moves(code_a, code_b), usable);
            let one = total(apart == vec4<u32>(1u));
            let up_to_four = total((apart >= vec4<u32>(1u)) & (apart <= vec4<u32>(4u)));
            let all = total(apart >= vec4<u32>(1u));
            let furthest = max(moved.w, largest(apart));
            moved = vec4<u32>(moved.xyz + vec3<u32>(one, up_to_four - one, all - up_to_four), furthest);
        }
        if EVERYTHING {
            var how = vec4<u32>();
            if usable.x {
                how.x = count(bits_a.x, d.x);
            }
            if usable.y {
                how.y = count(bits_a.y, d.y);
            }
            if usable.z {
                how.z = count(bits_a.z, d.z);
            }
            if usable.w {
                how.w = count(bits_a.w, d.w);
            }
            undefined += total(how == vec4<u32>(1u));
            unchanged += total(how != vec4<u32>(0u));
        }
    }

    products[thread] = vec4<f32>(
        dot(delta_squared, vec4<f32>(1.0)),
        dot(a_squared, vec4<f32>(1.0)),
        dot(b_squared, vec4<f32>(1.0)),
        dot(a_dot_delta, vec4<f32>(1.0)),
    );
    absolutes[thread] = vec2<f32>(dot(delta_absolute, vec4<f32>(1.0)), dot(ulps_squared, vec4<f32>(1.0)));
    for (var kind = 0u; kind < 4u; kind++) {
        atomicAdd(&totals[kind], found[kind]);
    }
    atomicMax(&delta_largest, largest(distances));
    atomicMax(&reach, largest(reached));
    atomicOr(&seen_a, any_bit(bits_seen_a));
    atomicOr(&seen_b, any_bit(bits_seen_b));
    if has_ulps() {
        for (var kind = 0u; kind < 3u; kind++) {
            atomicAdd(&ulps[kind], moved[kind]);
        }
        atomicMax(&ulps[3], moved.w);
    }
    if EVERYTHING {
        atomicAdd(&script[ZERO_BIN], unchanged);
        atomicAdd(&script[UNCHANGED], unchanged);
        atomicAdd(&formula[ZERO_BIN], unchanged - undefined);
        atomicAdd(&formula[UNCHANGED], unchanged - undefined);
        atomicAdd(&formula[UNDEFINED], undefined);
    }
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if thread < half {
            products[thread] += products[thread + half];
            absolutes[thread] += absolutes[thread + half];
        }
        workgroupBarrier();
    }

    if thread == 0u {
        finish(index, min(job.elements - first, SPAN));
    }
    publish(workgroups[index].job, thread);
}

// Sets what the workgroup shares. (Compilers would set the counters to 0 by themselves, but some take long over it, so the
// host asks them not to.)
fn begin(thread: u32) {
    if EVERYTHING {
        for (var edge = thread; edge < 101u; edge += THREADS) {
            edges[edge] = EDGES[edge];
        }
        for (var index = thread; index < SLOTS; index += THREADS) {
            atomicStore(&script[index], 0u);
            atomicStore(&formula[index], 0u);
        }
    }
    if thread < 4u {
        atomicStore(&totals[thread], 0u);
        atomicStore(&ulps[thread], 0u);
    }
    if thread == 0u {
        atomicStore(&delta_largest, 0u);
        atomicStore(&seen_a, 0u);
        atomicStore(&seen_b, 0u);
        atomicStore(&reach, 0u);
    }
}

// Writes the workgroup's sums, and whether they can be trusted.
fn finish(index: u32, elements: u32) {
    let product = products[0];
    let absolute = absolutes[0];
    let usable = elements - atomicLoad(&totals[1]);
    let lost_delta = atomicLoad(&totals[0]) > 0u && product.x < UNDERFLOW;
    let lost_a = atomicLoad(&seen_a) != 0u && product.y < UNDERFLOW;
    let lost_b = atomicLoad(&seen_b) != 0u && product.z < UNDERFLOW;
    let lost_ulps = FORMAT_A != FORMAT_B && usable > 0u && absolute.y < UNDERFLOW;
    let insufficient = lost_delta || lost_a || lost_b || lost_ulps || atomicLoad(&reach) >= LARGE;
    sums[index] = Sums(
        product.x,
        product.y,
        product.z,
        product.w,
        absolute.x,
        absolute.y,
        bitcast<f32>(atomicLoad(&delta_largest)),
        select(0u, 1u, insufficient),
    );
}

// Adds the workgroup's counts to the job's.
fn publish(job: u32, thread: u32) {
    if EVERYTHING {
        for (var index = thread; index < SLOTS; index += THREADS) {
            let by_script = atomicLoad(&script[index]);
            if by_script > 0u {
                atomicAdd(&counts[job].script[index], by_script);
            }
            let by_formula = atomicLoad(&formula[index]);
            if by_formula > 0u {
                atomicAdd(&counts[job].formula[index], by_formula);
            }
        }
    }
    if thread == 0u {
        atomicAdd(&counts[job].changed, atomicLoad(&totals[0]));
        atomicAdd(&counts[job].non_finite, atomicLoad(&totals[1]));
        atomicAdd(&counts[job].non_finite_a, atomicLoad(&totals[2]));
        atomicAdd(&counts[job].non_finite_b, atomicLoad(&totals[3]));
        atomicAdd(&counts[job].one_ulp, atomicLoad(&ulps[0]));
        atomicAdd(&counts[job].few_ulps, atomicLoad(&ulps[1]));
        atomicAdd(&counts[job].more_ulps, atomicLoad(&ulps[2]));
        atomicMax(&counts[job].largest_ulps, atomicLoad(&ulps[3]));
    }
}
