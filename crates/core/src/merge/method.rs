//! The methods, and a merger of each.

use std::fmt;
use std::ops::RangeInclusive;

use super::blend::{self, normalise};
use super::gram::Groups;
use super::masks::Mask;
use super::pairs::{Nearswap, Ram, Strengthening};
use super::parameters::Given;
use super::solving::{Arc, Karcher, MeanDirection, Stock};
use super::tasks::{self, Band, Sum};
use super::tile::Vectors;
use super::{MergeError, Merger, Parameter, Parameters, Scope, TensorContext, fusion, sce};
use crate::random::Stream;

/// A way to make one tensor out of several. [`Method::about`] says what each does, [`Method::source`] where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each describes itself")]
pub enum Method {
    Linear,
    Slerp,
    NuSlerp,
    MultiSlerp,
    Karcher,
    Passthrough,
    TaskArithmetic,
    Ties,
    DareLinear,
    DareTies,
    Della,
    DellaLinear,
    Breadcrumbs,
    BreadcrumbsTies,
    ModelStock,
    Nearswap,
    ArceeFusion,
    Sce,
    Ram,
    RamPlus,
}

/// What a method does with `base_model`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// It has no use for one: a base that is given is one of the models.
    Unused,
    /// It merges what the models changed in the base if there is one, else the models themselves.
    Optional,
    /// It needs one.
    Required,
}

impl Method {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: &'static [Self] = &[
        Self::Linear,
        Self::Slerp,
        Self::NuSlerp,
        Self::MultiSlerp,
        Self::Karcher,
        Self::Passthrough,
        Self::TaskArithmetic,
        Self::Ties,
        Self::DareLinear,
        Self::DareTies,
        Self::Della,
        Self::DellaLinear,
        Self::Breadcrumbs,
        Self::BreadcrumbsTies,
        Self::ModelStock,
        Self::Nearswap,
        Self::ArceeFusion,
        Self::Sce,
        Self::Ram,
        Self::RamPlus,
    ];

    /// The method that a recipe calls `name`.
    ///
    /// # Errors
    /// For a name that nobody knows, with the list of those that are.
    pub fn parse(name: &str) -> Result<Self, MergeError> {
        let mut all = Self::ALL.iter().copied();
        all.find(|method| method.name() == name).ok_or_else(|| MergeError::UnknownMethod { name: name.to_owned() })
    }

    /// Its name in recipes, which is mergekit's.
    pub const fn name(self) -> &'static str {
        self.description().name
    }

    /// What it does, in a sentence without a full stop.
    pub const fn about(self) -> &'static str {
        self.description().about
    }

    /// The paper or program that it comes from.
    pub const fn source(self) -> &'static str {
        self.description().source
    }

    /// What it does with a base.
    pub const fn base(self) -> Base {
        self.description().base
    }

    /// How many models it merges, the base not counted (unless it is [`Base::Unused`]).
    pub fn models(self) -> RangeInclusive<usize> {
        self.description().models.clone()
    }

    /// The parameters it takes.
    pub const fn parameters(self) -> &'static [Parameter] {
        self.description().parameters
    }

    /// The parameter called `name` in this scope, if it takes one.
    pub fn parameter(self, name: &str, scope: Scope) -> Option<&'static Parameter> {
        self.parameters().iter().find(|parameter| parameter.name == name && parameter.scope == scope)
    }

    /// Whether what it makes depends on the seed.
    pub const fn is_random(self) -> bool {
        matches!(self, Self::DareLinear | Self::DareTies | Self::Della | Self::DellaLinear)
    }

    /// Makes the method ready for one tensor: `merge` holds the parameters of the merge, `models` those of each model, in
    /// the order of [`Piece::inputs`](super::Piece::inputs).
    ///
    /// # Errors
    /// When the number of models, the base or a parameter is not what the method takes.
    pub fn merger(
        self,
        tensor: &TensorContext<'_>,
        merge: &Parameters,
        models: &[Parameters],
    ) -> Result<Box<dyn Merger>, MergeError> {
        match (self.base(), tensor.has_base) {
            (Base::Required, false) => return Err(MergeError::NoBase { method: self }),
            (Base::Unused, true) => return Err(MergeError::UnusedBase { method: self }),
            _ => {}
        }
        if !self.models().contains(&models.len()) {
            return Err(MergeError::Models { method: self, found: models.len(), expected: self.models() });
        }
        let given = Given::new(self, merge, models)?;
        match self {
            Self::Linear => blend::linear(self, &given),
            Self::Passthrough => blend::passthrough(&given),
            Self::Slerp => slerp(tensor, &given),
            Self::NuSlerp => nuslerp(self, tensor, &given),
            Self::MultiSlerp => multislerp(self, tensor, &given),
            Self::Karcher => karcher(tensor, &given),
            Self::ModelStock => model_stock(tensor, &given),
            Self::TaskArithmetic | Self::Ties | Self::Breadcrumbs | Self::BreadcrumbsTies => {
                ranked(self, tensor, &given)
            }
            Self::DareLinear | Self::DareTies | Self::Della | Self::DellaLinear => random(self, tensor, &given),
            Self::Sce => sce::merger(tensor, given.models(), given.share("select_topk")?),
            Self::Ram | Self::RamPlus => ram(self, &given),
            Self::Nearswap => {
                let t = given.number("t", "a number of at least 0", |t| t >= 0.0)?;
                Ok(Box::new(Nearswap { t: t as f32 }))
            }
            Self::ArceeFusion => fusion::merger(tensor),
        }
    }

    /// Whether only values of the prevailing sign are added.
    const fn has_consensus(self) -> bool {
        matches!(self, Self::Ties | Self::DareTies | Self::Della | Self::BreadcrumbsTies)
    }

    /// How the deltas of a relative of task arithmetic become one.
    fn sum(self, given: &Given<'_>) -> Result<Sum, MergeError> {
        Ok(Sum {
            weights: given.numbers("weight", "a number", |_| true)?.into_iter().map(|weight| weight as f32).collect(),
            consensus: self.has_consensus(),
            normalise: given.flag("normalize")?,
            scale: given.number("lambda", "a number", |_| true)? as f32,
        })
    }
}

fn slerp(tensor: &TensorContext<'_>, given: &Given<'_>) -> Result<Box<dyn Merger>, MergeError> {
    let arc = Arc { t: given.share("t")?, parallel: 0.9995 };
    blend::solved(tensor, Vectors::BaseAndModels, given.models(), Groups::Whole, arc)
}

fn nuslerp(method: Method, tensor: &TensorContext<'_>, given: &Given<'_>) -> Result<Box<dyn Merger>, MergeError> {
    let mut weights = given.numbers("weight", "a number", |_| true)?;
    normalise(method, &mut weights)?;
    let flat = given.flag("nuslerp_flatten")? || tensor.shape.len() < 2;
    let groups = match given.flag("nuslerp_row_wise")? {
        _ if flat => Groups::Whole,
        true => Groups::columns(tensor)?,
        false => Groups::rows(tensor),
    };
    // Where the sine of the angle would be all rounding.
    let arc = Arc { t: weights[1], parallel: 1.0 - 1e-9 };
    blend::solved(tensor, deltas_if_based(tensor), given.models(), groups, arc)
}

fn multislerp(method: Method, tensor: &TensorContext<'_>, given: &Given<'_>) -> Result<Box<dyn Merger>, MergeError> {
    let mut weights = given.numbers("weight", "a number", |_| true)?;
    if given.flag("normalize_weights")? {
        normalise(method, &mut weights)?;
    }
    let epsilon = given.number("eps", "a small number, above 0 and at most 0.001", |eps| eps > 0.0 && eps <= 1e-3)?;
    let mean = MeanDirection { method, weights, epsilon };
    blend::solved(tensor, deltas_if_based(tensor), given.models(), Groups::Whole, mean)
}

fn karcher(tensor: &TensorContext<'_>, given: &Given<'_>) -> Result<Box<dyn Merger>, MergeError> {
    let whole = |steps: f64| (0.0..=10_000.0).contains(&steps) && steps.fract() == 0.0;
    let karcher = Karcher {
        most_steps: given.number("max_iter", "a whole number from 0 to 10000", whole)? as u64,
        tolerance: given.number("tol", "a number of at least 0", |tolerance| tolerance >= 0.0)?,
    };
    blend::solved(tensor, Vectors::Models, given.models(), Groups::Whole, karcher)
}

fn model_stock(tensor: &TensorContext<'_>, given: &Given<'_>) -> Result<Box<dyn Merger>, MergeError> {
    let groups = if given.flag("filter_wise")? { Groups::rows(tensor) } else { Groups::Whole };
    blend::solved(tensor, Vectors::Deltas, given.models(), groups, Stock)
}

/// The models' deltas where there is a base, else the models.
fn deltas_if_based(tensor: &TensorContext<'_>) -> Vectors {
    if tensor.has_base { Vectors::Deltas } else { Vectors::Models }
}

/// Task arithmetic with whole deltas, or with those of a band of ranks.
fn ranked(method: Method, tensor: &TensorContext<'_>, given: &Given<'_>) -> Result<Box<dyn Merger>, MergeError> {
    let elements = tensor.elements()?;
    let densities = given.shares("density")?;
    let gammas = if method.parameter("gamma", Scope::Model).is_some() { Some(given.shares("gamma")?) } else { None };
    let mut masks = vec![Mask::All; densities.len()];
    let mut bands = Vec::new();
    for (model, &density) in densities.iter().enumerate().filter(|_| method != Method::TaskArithmetic) {
        // Rounded down, as mergekit does.
        let of_all = |share: f64| (share * elements as f64) as u64;
        let kept = of_all(density).min(elements);
        let band = match &gammas {
            // TIES keeps at least one value.
            None => Band { above: 0, kept: kept.max(1) },
            Some(gammas) => Band { above: of_all(gammas[model]).min(elements - kept), kept },
        };
        if density == 0.0 || band.kept == 0 {
            masks[model] = Mask::None;
        } else if density < 1.0 {
            bands.push((model, band));
        }
    }
    let rescale = method != Method::TaskArithmetic && given.flag("rescale")?;
    Ok(tasks::merger(method.sum(given)?, masks, &bands, elements, rescale))
}

/// Task arithmetic with random parts of deltas.
fn random(method: Method, tensor: &TensorContext<'_>, given: &Given<'_>) -> Result<Box<dyn Merger>, MergeError> {
    let spreads = match method.parameter("epsilon", Scope::Model) {
        Some(_) => Some(given.numbers("epsilon", "a number of at least 0", |epsilon| epsilon >= 0.0)?),
        None => None,
    };
    let densities = given.shares("density")?;
    let mut masks = Vec::with_capacity(densities.len());
    for (model, &density) in densities.iter().enumerate() {
        // Purpose 0 belongs to the values of a tensor that is made anew.
        let draws = Stream::new(tensor.seed, tensor.name, model as u32 + 1);
        masks.push(match &spreads {
            _ if density >= 1.0 => Mask::All,
            None => Mask::Random { probability: density as f32, draws },
            Some(spreads) => {
                let (lowest, highest) = (density - spreads[model], density + spreads[model]);
                if tensor.shape.len() > 2 {
                    return Err(MergeError::Shape { method, axes: tensor.shape.len() });
                }
                if lowest <= 0.0 || highest >= 1.0 {
                    return Err(MergeError::Spread { method, model, density, epsilon: spreads[model] });
                }
                Mask::RandomByRank { lowest, highest, row: tensor.row()?, draws }
            }
        });
    }
    Ok(tasks::merger(method.sum(given)?, masks, &[], tensor.elements()?, given.flag("rescale")?))
}

fn ram(method: Method, given: &Given<'_>) -> Result<Box<dyn Merger>, MergeError> {
    let at_least_zero = |name| given.number(name, "a number of at least 0", |number| number >= 0.0);
    let strengthening = match method {
        Method::RamPlus => {
            Some(Strengthening { rate: given.number("r", "a number", |_| true)?, cap: at_least_zero("alpha")? })
        }
        _ => None,
    };
    Ok(Box::new(Ram { epsilon: at_least_zero("epsilon")? as f32, strengthening, factors: Vec::new() }))
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
