//! A register's worth of numbers, as plain arrays: the compiler turns loops over them into vector instructions.

/// Numbers handled together: an AVX-512 register of f32, two of AVX2, four of NEON or wasm.
pub const LANES: usize = 16;

/// f32 lanes.
pub type Lanes = [f32; LANES];

/// One value per lane.
#[inline(always)]
pub fn map<T: Copy + Default, const N: usize>(function: impl Fn(usize) -> T) -> [T; N] {
    let mut lanes = [T::default(); N];
    for (lane, value) in lanes.iter_mut().enumerate() {
        *value = function(lane);
    }
    lanes
}

/// x·y + z, rounded once where the instruction set can; elsewhere a call into a library would cost more than it gives.
#[inline(always)]
pub fn multiply_add<const FUSED: bool>(x: f32, y: f32, z: f32) -> f32 {
    if FUSED { x.mul_add(y, z) } else { x * y + z }
}
