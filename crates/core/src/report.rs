//! What a measurement says at the end: the JSON of `stethoscope.delta/1`, which tables, figures and pages are drawn from.
//!
//! Numbers that do not exist (a cosine with a zero vector, a relative change of nothing) are `None`, `null` in JSON.

use serde::{Deserialize, Serialize};

use crate::anatomy::{Part, Role, Site};
use crate::spectrum::Spectrum;

/// The parts that every command's JSON begins with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// `stethoscope.NAME/VERSION`.
    pub schema: String,
    /// Program and version.
    pub tool: String,
    /// The command line, word by word.
    pub command: Vec<String>,
    /// Which engine did the arithmetic.
    pub compute: ComputeInfo,
    /// The seed of every random choice, where there was one.
    pub seed: Option<u64>,
    /// Wall time.
    pub seconds: f64,
    /// Bytes of weights read.
    pub bytes_read: u64,
    /// What a person should know before trusting the rest.
    pub warnings: Vec<String>,
}

impl Envelope {
    /// Program and version, as reports and files name them.
    pub fn tool_name() -> String {
        concat!("stethoscope ", env!("CARGO_PKG_VERSION")).into()
    }

    /// For `stethoscope.NAME/1`, from this version of the program. The shell knows the command line and the time, and fills
    /// them in.
    pub fn new(name: &str, compute: ComputeInfo, bytes_read: u64, warnings: Vec<String>) -> Self {
        Self {
            schema: format!("stethoscope.{name}/1"),
            tool: Self::tool_name(),
            command: Vec::new(),
            compute,
            seed: None,
            seconds: 0.0,
            bytes_read,
            warnings,
        }
    }
}

/// Which engine did the arithmetic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComputeInfo {
    /// `cpu` or a graphics API.
    pub backend: String,
    /// The instruction set or the adapter's name.
    pub adapter: String,
    /// Threads that computed.
    pub threads: usize,
}

/// `stethoscope.delta/1`: how B differs from A.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeltaReport {
    /// Schema, tool, engine, time, warnings.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The base.
    pub a: CheckpointSummary,
    /// What was made from it.
    pub b: CheckpointSummary,
    /// The selection measured, as text; `all` unless the person chose.
    pub select: String,
    /// Which relative change `tensors[].relative` holds.
    pub relative_definition: RelativeDefinition,
    /// One row per module parameter (per tensor, or per slice of a fused one), in the order of the plan.
    pub tensors: Vec<TensorDelta>,
    /// One row per (role, part), over all layers and experts, largest relative change first.
    pub modules: Vec<ModuleDelta>,
    /// Tensors that could not be compared.
    pub unpaired: Vec<Unpaired>,
    /// Where configuration, tokenizer and generation settings differ.
    pub settings: Vec<SettingDifference>,
}

/// What one side of a comparison is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointSummary {
    /// As the person named it.
    #[serde(rename = "ref")]
    pub reference: String,
    /// SHA-256 over all shard headers and the first and last 4 KiB of every tensor, in hexadecimal.
    pub fingerprint: String,
    /// The `model_type` of its configuration; where that does not say, the family table that named its modules.
    pub family: String,
    /// Number of blocks.
    pub layers: u32,
    /// Number of stored parameters (scales not counted).
    pub parameters: u64,
}

/// How a relative change is formed; see `kernels` for the exact arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelativeDefinition {
    /// (b − a) / (|a| + 1e-8): the authors' script, and so the published figures.
    #[default]
    Script,
    /// (b − a) / a: the formula in the paper.
    Formula,
}

/// How one module parameter changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorDelta {
    /// The tensor's name, in A.
    pub name: String,
    /// Which module it is (fields `layer`, `role`, `part`, `expert`, `slice`).
    #[serde(flatten)]
    pub site: Site,
    /// Stored format in A: a dtype's name, or `MXFP4`.
    pub dtype_a: String,
    /// Stored format in B.
    pub dtype_b: String,
    /// Shape of the whole tensor.
    pub shape: Vec<u64>,
    /// The sums.
    #[serde(flatten)]
    pub numbers: DeltaNumbers,
    /// Moves counted in units in the last place, where both sides are BF16, F16 or F32 alike.
    pub ulps: Option<UlpCounts>,
    /// The distribution of relative change; none with `--norms-only`.
    pub relative: Option<RelativeHistogram>,
    /// Whether that distribution has two modes, under both definitions; none with `--norms-only`.
    pub bimodality: Option<BothBimodalities>,
    /// The singular values of the change, where they were asked for and it is that of a matrix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spectrum: Option<Spectrum>,
}

/// How all parameters of one kind changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModuleDelta {
    /// The role.
    pub role: Role,
    /// Which parameter of it.
    pub part: Part,
    /// How many tensors (or slices) these are.
    pub tensors: u64,
    /// The sums over all of them.
    #[serde(flatten)]
    pub numbers: DeltaNumbers,
    /// The layer whose relative change (over all its experts) is largest; none outside the layers, or where nothing changed.
    pub peak_layer: Option<u32>,
    /// That layer's relative change.
    pub peak_l2_relative: Option<f64>,
    /// Layers judged bimodal, under `relative_definition`; none with `--norms-only`. A layer of several such tensors (its
    /// experts) is if most of them are.
    pub bimodal_layers: Option<u64>,
    /// Layers there are (1 for a module outside the blocks).
    pub layers: u64,
}

/// Sums over some elements, d = b − a. Elements that are not finite on either side are in none of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeltaNumbers {
    /// How many elements there are, finite or not.
    pub elements: u64,
    /// ‖d‖₂.
    pub l2_delta: f64,
    /// ‖a‖₂.
    pub l2_a: f64,
    /// ‖b‖₂.
    pub l2_b: f64,
    /// ‖d‖ / ‖a‖.
    pub l2_relative: Option<f64>,
    /// a·b / (‖a‖ ‖b‖).
    pub cosine: Option<f64>,
    /// Σ a·d.
    pub dot_a_delta: f64,
    /// Σ |d|.
    pub l1_delta: f64,
    /// max |d|.
    pub max_abs_delta: f64,
    /// √(Σ d² / finite elements).
    pub rms_delta: Option<f64>,
    /// √(Σ a² / finite elements).
    pub rms_a: Option<f64>,
    /// Elements whose value differs (−0 = 0).
    pub changed: u64,
    /// ‖d‖ that storing the same values in these two formats would give by rounding alone; 0 where the formats are the
    /// same and unscaled, since the same value then rounds to the same bits.
    pub rounding_floor: f64,
    /// Elements of A that are infinite or not a number.
    pub non_finite_a: u64,
    /// Elements of B that are.
    pub non_finite_b: u64,
}

/// By how many representable values the changed elements moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UlpCounts {
    /// By exactly one.
    pub one: u64,
    /// By two to four.
    pub two_to_four: u64,
    /// By more.
    pub more: u64,
    /// The furthest.
    pub largest: u64,
}

/// Counts of relative changes in 200 equal bins over [−1, 1]; the last bin is closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelativeHistogram {
    /// −1.
    pub low: f64,
    /// 1.
    pub high: f64,
    /// 200 counts.
    pub counts: Vec<u64>,
    /// Changes below −1.
    pub below: u64,
    /// Changes above 1.
    pub above: u64,
    /// Elements with no relative change (a is 0, under `formula`).
    pub undefined: u64,
    /// How many of those in the bin of 0 did not change at all (under `formula`, those with a = 0 are `undefined` instead).
    pub unchanged: u64,
}

/// The judgement under each definition of relative change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BothBimodalities {
    /// Under [`RelativeDefinition::Script`].
    pub script: Bimodality,
    /// Under [`RelativeDefinition::Formula`].
    pub formula: Bimodality,
}

impl BothBimodalities {
    /// The one under `definition`.
    pub const fn under(&self, definition: RelativeDefinition) -> &Bimodality {
        match definition {
            RelativeDefinition::Script => &self.script,
            RelativeDefinition::Formula => &self.formula,
        }
    }
}

/// Whether a distribution of relative changes, with unchanged elements left out, has two modes.
///
/// There is no p-value: with millions of elements it is always 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bimodality {
    /// The verdict: two modes with a valley deeper than the null's.
    pub bimodal: bool,
    /// Positions of the two modes (or of the only one), as relative changes, left to right.
    pub modes: Vec<f64>,
    /// 1 − valley / lower mode, of the smoothed histogram; 0 with one mode.
    pub valley_depth: f64,
    /// Hartigan's dip of the binned distribution.
    pub dip: Option<f64>,
    /// The valley of the null: the same a, moved by slope · a + Gaussian noise, rounded to B's format. Its changed elements
    /// have the slope and the residual's RMS of those that changed.
    pub null_valley_depth: f64,
    /// The null's dip.
    pub null_dip: Option<f64>,
    /// Changed elements that the histogram holds.
    pub elements: u64,
}

/// A tensor that could not be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unpaired {
    /// Its name.
    pub name: String,
    /// Where it is.
    #[serde(rename = "in")]
    pub present_in: Presence,
    /// Why it could not.
    pub reason: UnpairedReason,
    /// The two shapes or dtypes, or what was expected, for a person.
    pub detail: String,
}

/// Which side has a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// A alone.
    A,
    /// B alone.
    B,
    /// Both, but they do not fit.
    Both,
}

/// Why two tensors, or one, could not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnpairedReason {
    /// The other side has none.
    Missing,
    /// The shapes differ.
    Shape,
    /// One is of floats, the other of integers, or the integers differ.
    Dtype,
}

/// A setting that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingDifference {
    /// The file it stands in: `config.json`, `tokenizer.json`, ….
    pub file: String,
    /// The path of keys in that file, joined by dots; empty for the file as a whole.
    pub key: String,
    /// A's value; none where A has none.
    pub a: Option<serde_json::Value>,
    /// B's value.
    pub b: Option<serde_json::Value>,
}
