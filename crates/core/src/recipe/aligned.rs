//! Tensors fitted to the norms that they will read, or to the size of those that they replace ([`crate::merge::align`]).

use std::ops::Range;
use std::sync::Arc;

use super::make::{Make, MakeFuture, Once, each, made};
use crate::anatomy::Gain;
use crate::merge::align::{AlignError, Fold, InputAxis};
use crate::model::Model;
use crate::region::Region;
use crate::source::ReadError;

/// Elements that are looked at together while a whole module is gone through.
const PIECE: u64 = if cfg!(test) { 32 } else { 1 << 18 };

/// A norm's parameters.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    /// How many inputs it has.
    pub length: u64,
    /// Its gains, as stored.
    pub gains: Arc<dyn Make>,
    /// Its shifts; an RMS norm has none.
    pub shifts: Option<Arc<dyn Make>>,
}

/// What brings the tensors that were made for one norm to another.
#[derive(Debug)]
pub(super) struct Alignment {
    /// The norm that they will read, and the one that they were made for.
    pub norms: [Norm; 2],
    pub gain: Gain,
    ready: Once<Settled>,
}

/// An alignment whose norms have been read.
#[derive(Debug)]
struct Settled {
    fold: Fold,
    shifts: [Vec<f32>; 2],
}

impl Alignment {
    /// From the second norm to the first.
    pub fn new(norms: [Norm; 2], gain: Gain) -> Self {
        Self { norms, gain, ready: Once::default() }
    }

    /// Whether a bias must take something over.
    pub fn has_shifts(&self) -> bool {
        self.norms.iter().any(|norm| norm.shifts.is_some())
    }

    /// Reads the norms and sees whether one can stand for the other.
    pub async fn check(&self, models: &[Arc<Model>]) -> Result<(), Unaligned> {
        self.settled(models).await.map(drop)
    }

    async fn settled(&self, models: &[Arc<Model>]) -> Result<&Settled, Unaligned> {
        self.ready.get_or_make(self.settle(models)).await
    }

    async fn settle(&self, models: &[Arc<Model>]) -> Result<Settled, Unaligned> {
        let (mut gains, mut shifts) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for (norm, (gains, shifts)) in self.norms.iter().zip(gains.iter_mut().zip(&mut shifts)) {
            let all = 0..norm.length;
            *gains = made(&*norm.gains, models, std::slice::from_ref(&all)).await?;
            if let Some(stored) = &norm.shifts {
                *shifts = made(&**stored, models, std::slice::from_ref(&all)).await?;
            }
        }
        let [base, donor] = &gains;
        Ok(Settled { fold: Fold::new(base, donor, self.gain)?, shifts })
    }
}

/// Why norms do not tell how to align.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unaligned {
    /// They cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// One cannot stand for the other.
    #[error(transparent)]
    Norms(#[from] AlignError),
}

impl Unaligned {
    /// For whoever reads.
    fn failed(self) -> ReadError {
        match self {
            Self::Read(error) => error,
            Self::Norms(error) => failed(error),
        }
    }
}

/// What is asked of numbers that nobody can give.
fn failed(error: AlignError) -> ReadError {
    ReadError::Made { name: "an aligned tensor".to_owned(), start: 0, end: 0, source: Box::new(error) }
}

/// A tensor that reads another norm than it was made for.
#[derive(Debug)]
pub(super) struct Folded {
    pub of: Arc<dyn Make>,
    pub axis: InputAxis,
    pub alignment: Arc<Alignment>,
}

impl Make for Folded {
    fn make<'a>(&'a self, models: &'a [Arc<Model>], runs: &'a [Range<u64>], out: &'a mut [f32]) -> MakeFuture<'a> {
        Box::pin(async move {
            let settled = self.alignment.settled(models).await.map_err(Unaligned::failed)?;
            self.of.make(models, runs, out).await?;
            each(runs, out).for_each(|(run, values)| settled.fold.weights(self.axis, run.start, values));
            Ok(())
        })
    }
}

/// What the shifts of norms ask of the bias of one module.
#[derive(Debug)]
pub(super) struct Shift {
    /// The module's weights, not folded, and which elements of their tensor they are.
    pub weights: Arc<dyn Make>,
    pub region: Region,
    pub elements: u64,
    pub axis: InputAxis,
    pub alignment: Arc<Alignment>,
    /// For every output of the tensor.
    pub sums: Once<Vec<f64>>,
}

impl Shift {
    async fn sum_up(&self, models: &[Arc<Model>]) -> Result<Vec<f64>, ReadError> {
        let Settled { fold, shifts: [base, donor] } =
            self.alignment.settled(models).await.map_err(Unaligned::failed)?;
        let inputs = self.alignment.norms.first().map_or(1, |norm| norm.length.max(1));
        let mut sums = vec![0.0; (self.elements / inputs) as usize];
        for first in (0..self.elements).step_by(PIECE as usize) {
            let runs = self.region.runs(first..first.saturating_add(PIECE));
            let mut weights = made(&*self.weights, models, &runs).await?;
            for (run, weights) in each(&runs, &mut weights) {
                fold.add_shifts(self.axis, run.start, weights, [base, donor], &mut sums);
            }
        }
        Ok(sums)
    }
}

/// A bias with what the shifts of norms ask of it.
#[derive(Debug)]
pub(super) struct Shifted {
    pub of: Arc<dyn Make>,
    pub shift: Arc<Shift>,
}

impl Make for Shifted {
    fn make<'a>(&'a self, models: &'a [Arc<Model>], runs: &'a [Range<u64>], out: &'a mut [f32]) -> MakeFuture<'a> {
        Box::pin(async move {
            let sums = self.shift.sums.get_or_make(self.shift.sum_up(models)).await?;
            self.of.make(models, runs, out).await?;
            for (run, values) in each(runs, out) {
                let own = sums.get(run.start as usize..).unwrap_or_default();
                for (value, sum) in values.iter_mut().zip(own) {
                    *value = (f64::from(*value) + sum) as f32;
                }
            }
            Ok(())
        })
    }
}

/// The factor that gives some modules of a donor together the size of those that they replace.
#[derive(Debug)]
pub(super) struct Factor {
    modules: Vec<Matched>,
    ready: Once<f64>,
}

/// A module and its replacement.
#[derive(Debug)]
pub(super) struct Matched {
    pub base: Arc<dyn Make>,
    pub donor: Arc<dyn Make>,
    pub region: Region,
    /// Of the tensor that they are in.
    pub elements: u64,
}

impl Factor {
    /// Of one module, or of a layer's values and outputs.
    pub fn of(modules: Vec<Matched>) -> Self {
        Self { modules, ready: Once::default() }
    }

    /// The geometric mean of the quotients of norms: 1 where the donor's is 0.
    async fn settle(&self, models: &[Arc<Model>]) -> Result<f64, ReadError> {
        let mut norms = [1.0_f64; 2];
        for module in &self.modules {
            let mut squares = [0.0_f64; 2];
            let bounds = module.region.bounds();
            for first in (bounds.start..bounds.end.min(module.elements)).step_by(PIECE as usize) {
                let runs = module.region.runs(first..first.saturating_add(PIECE));
                for (sum, make) in squares.iter_mut().zip([&module.base, &module.donor]) {
                    let values = made(&**make, models, &runs).await?;
                    *sum += values.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>();
                }
            }
            norms.iter_mut().zip(squares).for_each(|(norm, square)| *norm *= square.sqrt());
        }
        let [base, donor] = norms;
        let factor = if donor == 0.0 { 1.0 } else { (base / donor).powf(1.0 / self.modules.len().max(1) as f64) };
        if !factor.is_finite() {
            return Err(failed(AlignError::Norms { base, donor }));
        }
        Ok(factor)
    }
}

/// A donor's tensor, multiplied by a factor.
#[derive(Debug)]
pub(super) struct Scaled {
    pub of: Arc<dyn Make>,
    pub factor: Arc<Factor>,
    /// How often.
    pub power: i32,
}

impl Make for Scaled {
    fn make<'a>(&'a self, models: &'a [Arc<Model>], runs: &'a [Range<u64>], out: &'a mut [f32]) -> MakeFuture<'a> {
        Box::pin(async move {
            let factor = self.factor.ready.get_or_make(self.factor.settle(models)).await?.powi(self.power) as f32;
            self.of.make(models, runs, out).await?;
            out.iter_mut().for_each(|value| *value *= factor);
            Ok(())
        })
    }
}
