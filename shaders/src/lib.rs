//! The WGSL kernels as text, and Rust twins of the structures that they share with the host.
//!
//! A shader is plain WGSL in a file of its own, with `override` constants for what a pipeline is made for; a person can
//! paste it into any WebGPU playground. The kernel on the CPU that does the same lies in core under the same name. What a
//! shader takes and gives is [`bytemuck::Pod`], and the tests ask naga for the offset of every member, so that neither
//! side can change alone; they validate every file too, which needs no GPU.

/// Sums and distributions of the change between two runs of elements.
pub mod delta {
    use bytemuck::{Pod, Zeroable};

    /// `delta.wgsl`.
    pub const SOURCE: &str = include_str!("../delta.wgsl");

    /// Elements that one workgroup takes.
    pub const SPAN: u32 = 16384;

    /// Counters of a distribution: 200 bins, then [`BELOW`], [`ABOVE`], [`UNDEFINED`] and [`UNCHANGED`].
    pub const SLOTS: usize = 204;
    /// Changes below −1.
    pub const BELOW: usize = 200;
    /// Changes above 1.
    pub const ABOVE: usize = 201;
    /// Elements that have no relative change.
    pub const UNDEFINED: usize = 202;
    /// How many in the bin of 0 did not change at all.
    pub const UNCHANGED: usize = 203;

    /// A run of elements.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
    pub struct Job {
        /// The byte of A's buffer at which the first element starts.
        pub start_a: u32,
        /// The same in B's.
        pub start_b: u32,
        /// How many elements.
        pub elements: u32,
        /// The first element that is an anchor, if there is one.
        pub first_anchor: u32,
        /// The distance to the next; 0 where none are wanted.
        pub anchor_distance: u32,
        /// Where the stored bits of the first anchor go.
        pub anchors: u32,
    }

    /// What a workgroup does.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
    pub struct Workgroup {
        /// Which job.
        pub job: u32,
        /// The first of its elements; a multiple of [`SPAN`].
        pub first: u32,
    }

    /// Where a dispatch begins in the list of workgroups.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
    pub struct Dispatch {
        /// Its first.
        pub first_workgroup: u32,
    }

    /// The sums of a workgroup, d = b − a.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
    pub struct Sums {
        /// Σ d².
        pub delta_squared: f32,
        /// Σ a².
        pub a_squared: f32,
        /// Σ b².
        pub b_squared: f32,
        /// Σ a·d.
        pub a_dot_delta: f32,
        /// Σ |d|.
        pub delta_absolute: f32,
        /// Σ of the squared units in the last place of both sides, where the formats differ.
        pub ulps_squared: f32,
        /// max |d|.
        pub delta_largest: f32,
        /// 1 where f32 was not enough, and nothing of this job can be used.
        pub insufficient: u32,
    }

    /// The counts of a job.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
    pub struct Counts {
        /// (b − a) / (|a| + 1e-8).
        pub script: [u32; SLOTS],
        /// (b − a) / a.
        pub formula: [u32; SLOTS],
        /// Elements with d ≠ 0.
        pub changed: u32,
        /// Elements that are not finite on one side or both.
        pub non_finite: u32,
        /// Elements of A that are not finite.
        pub non_finite_a: u32,
        /// Elements of B that are not finite.
        pub non_finite_b: u32,
        /// Elements that moved by one representable value.
        pub one_ulp: u32,
        /// By two to four.
        pub few_ulps: u32,
        /// By more.
        pub more_ulps: u32,
        /// The furthest move.
        pub largest_ulps: u32,
    }
}

/// Squared norms of the change of every row and column of a matrix.
pub mod rows_and_columns {
    use bytemuck::{Pod, Zeroable};

    /// `rows_and_columns.wgsl`.
    pub const SOURCE: &str = include_str!("../rows_and_columns.wgsl");

    /// Rows of a workgroup's tile.
    pub const TILE_ROWS: u32 = 256;
    /// Columns of a workgroup's tile.
    pub const TILE_COLUMNS: u32 = 64;

    /// Some rows of a matrix, stored one behind the other.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
    pub struct Matrix {
        /// The byte of A's buffer at which the first element starts.
        pub start_a: u32,
        /// The same in B's.
        pub start_b: u32,
        /// How many rows.
        pub rows: u32,
        /// How many columns.
        pub columns: u32,
    }
}

/// Stored elements as numbers.
pub mod decode {
    use bytemuck::{Pod, Zeroable};

    /// `decode.wgsl`.
    pub const SOURCE: &str = include_str!("../decode.wgsl");

    /// Elements that one workgroup takes.
    pub const THREADS: u32 = 256;

    /// What is decoded.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
    pub struct Job {
        /// How many elements.
        pub elements: u32,
        /// Where the first number goes.
        pub first: u32,
    }
}

/// Numbers as they are stored.
pub mod encode {
    use bytemuck::{Pod, Zeroable};

    /// `encode.wgsl`.
    pub const SOURCE: &str = include_str!("../encode.wgsl");

    /// Words that one workgroup writes.
    pub const THREADS: u32 = 256;

    /// What is encoded.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
    pub struct Job {
        /// How many elements.
        pub elements: u32,
        /// The word that the first goes to.
        pub first_word: u32,
    }
}

/// Sums of vectors times factors.
pub mod blend {
    use bytemuck::{Pod, Zeroable};

    /// `blend.wgsl`.
    pub const SOURCE: &str = include_str!("../blend.wgsl");

    /// Elements that one workgroup takes.
    pub const THREADS: u32 = 256;

    /// What is added up.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
    pub struct Job {
        /// Elements of each vector.
        pub elements: u32,
        /// How many vectors there are.
        pub vectors: u32,
        /// Not 0 if each vector stands for its difference to the base, and the sum is added to the base.
        pub deltas: u32,
    }
}

/// Elements near the base's, taken over.
pub mod nearswap {
    use bytemuck::{Pod, Zeroable};

    /// `nearswap.wgsl`.
    pub const SOURCE: &str = include_str!("../nearswap.wgsl");

    /// Elements that one workgroup takes.
    pub const THREADS: u32 = 256;

    /// What is compared.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
    pub struct Job {
        /// Elements of the tensor.
        pub elements: u32,
        /// How far apart two elements may be for the model's to be taken over whole.
        pub t: f32,
    }
}

/// Random elements of the models' differences to the base, added to it.
pub mod dare {
    use bytemuck::{Pod, Zeroable};

    /// `dare.wgsl`.
    pub const SOURCE: &str = include_str!("../dare.wgsl");

    /// Elements that one workgroup takes.
    pub const THREADS: u32 = 256;

    /// Which elements, and where their draws come from.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
    pub struct Job {
        /// The low word of the index in the tensor of the first element.
        pub first_low: u32,
        /// Its high word.
        pub first_high: u32,
        /// The first word of the key of the tensor's draws.
        pub key_low: u32,
        /// The second.
        pub key_high: u32,
        /// Elements of each vector.
        pub elements: u32,
        /// How many models there are.
        pub models: u32,
    }

    /// A model.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
    pub struct Model {
        /// What its kept differences are multiplied by.
        pub factor: f32,
        /// With this probability each is kept.
        pub probability: f32,
        /// The purpose of its draws.
        pub purpose: u32,
    }
}

/// How a side's elements are stored, as the shaders number it in `FORMAT_A` and `FORMAT_B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// The upper half of an f32.
    Bf16 = 0,
    /// IEEE half precision.
    F16 = 1,
    /// IEEE single precision.
    F32 = 2,
    /// OCP's E4M3: no infinities, one NaN.
    F8E4M3 = 3,
    /// The upper half of an IEEE half.
    F8E5M2 = 4,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Bf16, Self::F16, Self::F32, Self::F8E4M3, Self::F8E5M2];

    /// Its number in a shader.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// Bytes of one element.
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Bf16 | Self::F16 => 2,
            Self::F32 => 4,
            Self::F8E4M3 | Self::F8E5M2 => 1,
        }
    }
}

#[cfg(test)]
mod tests;
