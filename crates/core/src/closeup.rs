//! Inside one tensor: how its change is spread over attention heads, rows and columns, and where its bytes lie.
//!
//! A [`crate::delta`] says how much a module changed; this says where in it. One module's parameter is seen as a matrix: its
//! columns are the indices of its last axis, its rows those of all others. Its bytes stream by in the steps of a
//! [`ReadPlan`], so memory does not grow with the tensor, and neither does what comes out ([`MOST_GROUPS`]).

mod grouping;

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};

use crate::anatomy::{Site, Slice};
use crate::checkpoint::{Checkpoint, Location, Storage};
use crate::compute::{Measurement, Piece, Task, WideDecoder, piece_length};
use crate::delta::reading;
use crate::kernels::Detail;
use crate::model::Model;
use crate::pairing::{Pair, PairPart, Pairing, counterpart};
use crate::plan::ReadPlan;
use crate::quoted::Quoted;
use crate::region::Region;
use crate::source::ReadError;
use crate::work::{Cancelled, Event};
use grouping::{Grouping, Sums};

/// The most groups of rows, or of columns, that a close-up tells of.
pub const MOST_GROUPS: u64 = 1024;

/// Which tensor to look into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseupRequest {
    /// The base, as a person names a checkpoint.
    pub a: String,
    /// What was made from it.
    pub b: String,
    /// The tensor's name, in A.
    pub tensor: String,
    /// Which module of a tensor that several share: its site's slices, as a report gives them. Empty for all of it.
    pub slice: Vec<Slice>,
}

/// How the change d = b − a of one module's parameter is spread. Elements that are not finite on either side are in no norm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closeup {
    /// The tensor's name, in A.
    pub tensor: String,
    /// Which module it is.
    pub site: Site,
    /// Where A's bytes are.
    pub a: Stored,
    /// Where B's bytes are.
    pub b: Stored,
    /// How many indices of each axis the module has: the shape that it would have on its own.
    pub shape: Vec<u64>,
    /// Over its rows, or over the elements of a vector.
    pub rows: Profile,
    /// Over its columns; none for a vector.
    pub columns: Option<Profile>,
    /// Over its attention heads, where it has some and the family table knows how they lie.
    pub heads: Option<HeadNorms>,
    /// ‖d‖ of the whole module.
    pub l2_delta: f64,
    /// ‖a‖ of the whole module.
    pub l2_a: f64,
    /// Elements that are not finite on either side.
    pub non_finite: u64,
    /// Bytes that were read.
    pub bytes_read: u64,
}

/// Norms of groups of neighbouring rows, or columns.
///
/// A group's norm is the root of the sum of the squares of all its elements, so that the squares of all groups add up to
/// that of the whole. There are at most [`MOST_GROUPS`]; they have as few rows as that allows, all but the last the same
/// number, and no head has only a part of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Rows, or columns, that there are.
    pub count: u64,
    /// How many of them are in a group; the last may have fewer.
    pub per_group: u64,
    /// ‖d‖ of each group.
    pub delta: Vec<f64>,
    /// ‖a‖ of each group.
    pub base: Vec<f64>,
}

/// Norms of attention heads: of queries and outputs the query heads, of keys and values their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadNorms {
    /// Which way the matrix is divided among them.
    pub along: Along,
    /// Rows, or columns, of one head.
    pub size: u64,
    /// ‖d‖ of each head.
    pub delta: Vec<f64>,
    /// ‖a‖ of each head.
    pub base: Vec<f64>,
}

/// A side of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Along {
    /// The rows.
    Rows,
    /// The columns.
    Columns,
}

/// Where a tensor's bytes are: those of the whole tensor, of which a module may be a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The format: a dtype's name, or `MXFP4`.
    pub format: String,
    /// Its values.
    pub values: Stretch,
    /// Its scales, in a format that has some.
    pub scales: Option<Stretch>,
}

/// Some bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The file.
    pub shard: String,
    /// The bytes, counted from the file's start.
    pub bytes: Range<u64>,
}

/// Why a tensor could not be looked into.
#[derive(Debug, thiserror::Error)]
pub enum CloseupError {
    /// A has no such tensor.
    #[error(
        "{reference} has no tensor {}; measure these two again, and choose one of the rows that come of it",
        Quoted(name)
    )]
    NoTensor {
        /// A.
        reference: String,
        /// The tensor's name.
        name: String,
    },
    /// The tensor is not divided in this way.
    #[error(
        "no module of {} in {reference} is the slice that was asked for; measure these two again, and choose one of the \
         rows that come of it",
        Quoted(name)
    )]
    NoModule {
        /// A.
        reference: String,
        /// The tensor's name.
        name: String,
    },
    /// B has nothing to compare it with.
    #[error("{} cannot be compared with {reference}: {detail}", Quoted(name))]
    Unpaired {
        /// B.
        reference: String,
        /// The tensor's name.
        name: String,
        /// Why.
        detail: String,
    },
    /// Bytes could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nobody listens any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Looks into one tensor, telling `observe` as it goes.
///
/// # Errors
/// If the two have no such tensor to compare, or it cannot be read.
pub async fn closeup(
    a: &Model,
    b: &Model,
    request: &CloseupRequest,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<Closeup, CloseupError> {
    let pairing = pairing(a, b, request)?;
    let ReadPlan { steps } = ReadPlan::new(&pairing);
    let measurement = Arc::new(Measurement { pairs: pairing.pairs, steps, detail: Detail::Norms });
    let pair = &measurement.pairs[0];
    let part = &pair.parts[0];
    let heads = a.anatomy.heads(&pair.a.name, &pair.a.shape, &part.site, a.config.as_ref());
    let grouping = Grouping::new(part.region.dimensions(), heads.as_ref());
    let bytes_read = measurement.steps.iter().map(crate::plan::Step::bytes).sum();
    observe(Event::Planned { rows: 1, bytes: bytes_read }).await?;

    let mut reader = Reader::new(Sums::new(&grouping));
    let mut tasks = pin!(reading::tasks(&a.checkpoint, &b.checkpoint, &measurement));
    let mut bytes_done = 0;
    while let Some(task) = tasks.next().await {
        let task = task?;
        reader.add(&task);
        bytes_done += measurement.steps[task.step].bytes();
        observe(Event::Progress { bytes_done }).await?;
    }
    let sums = reader.sums;
    let (rows, columns) = sums.profiles(&grouping);
    let norm = |norms: &[f64]| norms.iter().map(|norm| norm * norm).sum::<f64>().sqrt();
    Ok(Closeup {
        tensor: pair.a.name.clone(),
        site: part.site.clone(),
        a: stored(&a.checkpoint, &pair.a.storage),
        b: stored(&b.checkpoint, &pair.b.storage),
        l2_delta: norm(&rows.delta),
        l2_a: norm(&rows.base),
        heads: grouping.heads(&rows, columns.as_ref()),
        non_finite: sums.non_finite,
        shape: grouping.shape,
        rows,
        columns,
        bytes_read,
    })
}

/// The tensor and its counterpart, alone.
fn pairing(a: &Model, b: &Model, request: &CloseupRequest) -> Result<Pairing, CloseupError> {
    let name = || request.tensor.clone();
    let reference = |model: &Model| model.checkpoint.reference.clone();
    let index = a.checkpoint.tensors.iter().position(|tensor| tensor.name == request.tensor);
    let index = index.ok_or_else(|| CloseupError::NoTensor { reference: reference(a), name: name() })?;
    let mut sites = a.sites[index].iter();
    let site = sites.find(|site| site.slice == request.slice);
    let site = site.ok_or_else(|| CloseupError::NoModule { reference: reference(a), name: name() })?.clone();
    let other = counterpart(a, b, index).map_err(|unpaired| CloseupError::Unpaired {
        reference: reference(b),
        name: name(),
        detail: unpaired.detail,
    })?;
    let tensor = &a.checkpoint.tensors[index];
    let region = Region::new(&tensor.shape, vec![site.slice.clone()]);
    let pair = Pair { a: tensor.clone(), b: other.clone(), parts: vec![PairPart { site, region }] };
    Ok(Pairing { pairs: vec![pair], unpaired: Vec::new(), notes: Vec::new() })
}

fn stored(checkpoint: &Checkpoint, storage: &Storage) -> Stored {
    let stretch = |at: &Location| Stretch {
        shard: checkpoint.sources.get(at.shard).map(|source| source.name().to_owned()).unwrap_or_default(),
        bytes: at.bytes.clone(),
    };
    Stored {
        format: storage.format_name().to_owned(),
        values: stretch(storage.values()),
        scales: storage.scales().map(stretch),
    }
}

/// Brings steps to the sums, in the plan's order.
struct Reader {
    sums: Sums,
    values: [Vec<f64>; 2],
    decoder: WideDecoder,
}

impl Reader {
    fn new(sums: Sums) -> Self {
        Self { sums, values: Default::default(), decoder: WideDecoder::default() }
    }

    /// Adds the elements of a step's first part, which follow those of the step before.
    fn add(&mut self, task: &Task) {
        let step = &task.measurement.steps[task.step];
        let pair = &task.measurement.pairs[step.pair];
        let region = &pair.parts[0].region;
        let bounds = region.bounds();
        let (start, end) = (step.elements.start.max(bounds.start), step.elements.end.min(bounds.end));
        let length = piece_length(&pair.a).max(piece_length(&pair.b));
        for from in (start..end).step_by(length as usize) {
            let piece = Piece::new(region, from..end.min(from + length));
            for (values, (tensor, blocks)) in self.values.iter_mut().zip([(&pair.a, &task.a), (&pair.b, &task.b)]) {
                self.decoder.decode(tensor, step.elements.clone(), blocks, &piece, values);
            }
            let [a, b] = &self.values;
            self.sums.add(a, b);
        }
    }
}

#[cfg(test)]
mod tests;
