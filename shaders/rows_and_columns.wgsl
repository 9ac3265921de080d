// The squared norm of the change of every row and of every column of a matrix, so that heads and neurons can be seen.
//
// The twin on the CPU is crates/core/src/kernels/rows_and_columns.rs. Elements that are not finite on either side are left
// out. Every f32 here is a sum of few terms; the host adds them up in f64.
//
// A workgroup takes a tile of TILE_ROWS by TILE_COLUMNS, in bands of BAND rows: four threads share a column of the band,
// eight a row.

// How A and B are stored: as in delta.wgsl.
override FORMAT_A: u32 = 0u;
override FORMAT_B: u32 = 0u;

const BF16: u32 = 0u;
const F16: u32 = 1u;
const F32: u32 = 2u;
const F8_E4M3: u32 = 3u;
const F8_E5M2: u32 = 4u;

const THREADS: u32 = 256u;
const TILE_ROWS: u32 = 256u;
const TILE_COLUMNS: u32 = 64u;
const BAND: u32 = 32u;
// Threads that share a column of a band, and a row.
const SHARE_COLUMN: u32 = 4u;
const SHARE_ROW: u32 = 8u;

const MAGNITUDE: u32 = 0x7fffffffu;
const SIGN: u32 = 0x80000000u;
const INFINITY: u32 = 0x7f800000u;
// 2^50: the squares of larger magnitudes may overflow when they are added up.
const LARGE: u32 = 0x58800000u;
// 2^-100, which stands for any smaller square: a sum far larger does not feel it, and any other tells by it that something
// changed which f32 cannot hold.
const LEAST_SQUARE: f32 = 0x1p-100f;

// Some rows of a matrix, stored one behind the other.
struct Matrix {
    // The bytes of A's and B's buffers at which the first element starts.
    start_a: u32,
    start_b: u32,
    rows: u32,
    columns: u32,
}

@group(0) @binding(0) var<uniform> matrix: Matrix;
@group(0) @binding(1) var<storage, read> words_a: array<u32>;
@group(0) @binding(2) var<storage, read> words_b: array<u32>;
// A value for every row and tile of columns, row by row.
@group(0) @binding(3) var<storage, read_write> row_sums: array<f32>;
// A value for every tile of rows and column, tile by tile.
@group(0) @binding(4) var<storage, read_write> column_sums: array<f32>;
// Not 0 where f32 was not enough.
@group(0) @binding(5) var<storage, read_write> insufficient: atomic<u32>;

var<workgroup> squares: array<array<f32, TILE_COLUMNS>, BAND>;
var<workgroup> shares: array<f32, THREADS>;

// The bytes from byte `at` on, in the low bits; those that an element needs lie in one word or two.
fn code_a(at: u32) -> u32 {
    let shift = at % 4u * 8u;
    var word = words_a[at / 4u] >> shift;
    if shift > 0u && (FORMAT_A == F32 || shift == 24u) {
        word |= words_a[at / 4u + 1u] << (32u - shift);
    }
    return word;
}

fn code_b(at: u32) -> u32 {
    let shift = at % 4u * 8u;
    var word = words_b[at / 4u] >> shift;
    if shift > 0u && (FORMAT_B == F32 || shift == 24u) {
        word |= words_b[at / 4u + 1u] << (32u - shift);
    }
    return word;
}

fn width(format: u32) -> u32 {
    if format == F32 {
        return 4u;
    }
    return select(1u, 2u, format == BF16 || format == F16);
}

fn decode_f16(code: u32) -> u32 {
    let magnitude = code & 0x7fffu;
    var value = (magnitude << 13u) + (112u << 23u);
    if magnitude < 0x400u {
        value = bitcast<u32>(f32(magnitude) * 0x1p-24f);
    }
    if magnitude >= 0x7c00u {
        value = INFINITY;
    }
    return value | ((code & 0x8000u) << 16u);
}

fn decode_f8_e4m3(code: u32) -> u32 {
    let magnitude = code & 0x7fu;
    var value = (magnitude << 20u) + (120u << 23u);
    if magnitude < 8u {
        value = bitcast<u32>(f32(magnitude) * 0x1p-9f);
    }
    if magnitude == 0x7fu {
        value = INFINITY;
    }
    return value | ((code & 0x80u) << 24u);
}

// The bits of the f32 of the same value; any NaN may become an infinity.
fn decode(format: u32, code: u32) -> u32 {
    switch format {
        case BF16: {
            return code << 16u;
        }
        case F16: {
            return decode_f16(code & 0xffffu);
        }
        case F8_E4M3: {
            return decode_f8_e4m3(code & 0xffu);
        }
        case F8_E5M2: {
            return decode_f16((code & 0xffu) << 8u);
        }
        default: {
            return code;
        }
    }
}

// The change of an element, squared.
fn squared(row: u32, column: u32) -> f32 {
    let element = row * matrix.columns + column;
    let bits_a = decode(FORMAT_A, code_a(matrix.start_a + element * width(FORMAT_A)));
    let bits_b = decode(FORMAT_B, code_b(matrix.start_b + element * width(FORMAT_B)));
    let magnitude_a = bits_a & MAGNITUDE;
    let magnitude_b = bits_b & MAGNITUDE;
    if max(magnitude_a, magnitude_b) >= INFINITY || bits_a == bits_b || (magnitude_a | magnitude_b) == 0u {
        return 0.0;
    }
    if max(magnitude_a, magnitude_b) >= LARGE {
        atomicOr(&insufficient, 1u);
        return 0.0;
    }
    let delta = bitcast<f32>(bits_b) - bitcast<f32>(bits_a);
    return max(delta * delta, LEAST_SQUARE);
}

@compute @workgroup_size(256)
fn rows_and_columns(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let tiles_across = (matrix.columns + TILE_COLUMNS - 1u) / TILE_COLUMNS;
    let first_row = tile.y * TILE_ROWS;
    let x = thread % TILE_COLUMNS;
    let column = tile.x * TILE_COLUMNS + x;
    var down = 0.0;
    for (var band = first_row; band < first_row + TILE_ROWS; band += BAND) {
        for (var y = thread / TILE_COLUMNS; y < BAND; y += SHARE_COLUMN) {
            var square = 0.0;
            if band + y < matrix.rows && column < matrix.columns {
                square = squared(band + y, column);
            }
            squares[y][x] = square;
            down += square;
        }
        workgroupBarrier();
        var across = 0.0;
        for (var k = thread % SHARE_ROW; k < TILE_COLUMNS; k += SHARE_ROW) {
            across += squares[thread / SHARE_ROW][k];
        }
        shares[thread] = across;
        workgroupBarrier();
        if thread < BAND && band + thread < matrix.rows {
            var sum = 0.0;
            for (var share = 0u; share < SHARE_ROW; share++) {
                sum += shares[thread * SHARE_ROW + share];
            }
            row_sums[(band + thread) * tiles_across + tile.x] = sum;
        }
        workgroupBarrier();
    }
    shares[thread] = down;
    workgroupBarrier();
    if thread < TILE_COLUMNS && column < matrix.columns {
        var sum = 0.0;
        for (var share = 0u; share < SHARE_COLUMN; share++) {
            sum += shares[thread + share * TILE_COLUMNS];
        }
        column_sums[tile.y * matrix.columns + column] = sum;
    }
}
