//! What is put into each tensor, and what differs between A and B.

use serde::Serialize;
use serde_json::json;

use super::shape::{Shape, TensorShape, pretty};
use super::values::Values;
use crate::anatomy::Part;

/// How B's tensor is made from A's. Sizes are relative to A's root mean square; all values are rounded to BF16.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Change {
    /// b = a + relative · rms(a) · Gaussian: a relative change with one mode, at zero.
    Noise {
        /// ‖b − a‖ / ‖a‖.
        relative: f64,
    },
    /// b = a ± |a| · step · (1 + spread · Gaussian), either sign equally often: a relative change with two modes, at
    /// ±step.
    TwoModes {
        /// Where the modes are.
        step: f64,
        /// Their standard deviation, as a share of the step.
        spread: f64,
    },
    /// b = factor · a: not a change of direction at all, though each element's relative change is far from zero.
    Scale {
        /// The factor.
        factor: f64,
    },
    /// As noise, but only for elements whose Gaussian is beyond ±2.5 (1.24 % of them); the others stay as they are.
    Sparse {
        /// What the noise would be if every element moved.
        relative: f64,
    },
}

impl Change {
    /// How far from 0 a Gaussian must be to move an element under [`Change::Sparse`].
    pub(super) const SPARSE_BEYOND: f32 = 2.5;
    /// √E(z²; |z| > 2.5) for a standard Gaussian z.
    const SPARSE_RMS: f64 = 0.316_44;

    /// The ‖b − a‖ / ‖a‖ that many elements come to, but for rounding.
    pub fn expected_l2_relative(self) -> f64 {
        match self {
            Self::Noise { relative } => relative,
            Self::TwoModes { step, spread } => step * (1.0 + spread * spread).sqrt(),
            Self::Scale { factor } => (factor - 1.0).abs(),
            Self::Sparse { relative } => relative * Self::SPARSE_RMS,
        }
    }
}

/// One tensor of a pair: what A holds and how B differs.
#[derive(Clone, Debug, PartialEq)]
pub struct PlantedTensor {
    /// Name, shape, role and layer.
    pub tensor: TensorShape,
    /// The difference.
    pub change: Change,
    pub(super) values: Values,
}

impl PlantedTensor {
    /// How many elements it has.
    pub fn elements(&self) -> u64 {
        self.tensor.shape.iter().product()
    }

    /// Bytes of its elements, in BF16.
    pub fn bytes(&self) -> u64 {
        self.elements() * 2
    }
}

/// A whole pair: the differences planted in it, and all that its values depend on.
///
/// - Every linear module except `o_proj` moves by Gaussian noise, more in later layers.
/// - `o_proj` moves most, by two opposite steps; in every sixth layer (1, 7, 13, …) by noise of the same size instead.
/// - [`peak_layer`](Self::peak_layer) moves 1.6 times as much as its neighbours, in every linear module.
/// - In [`slope_layer`](Self::slope_layer), `k_proj`'s weight is 0.98 times A's: a trap for what calls two spikes
///   bimodal.
/// - Norms grow by 2 %, biases move by 1 %, the head by 1 %; 1.24 % of the embedding's elements move a little.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The form of both checkpoints.
    pub shape: Shape,
    /// What all values were drawn from.
    pub seed: u64,
    /// The layer that moved most.
    pub peak_layer: u32,
    /// The layer whose `k_proj` weight was only scaled.
    pub slope_layer: u32,
    /// Every tensor, in the order of [`Shape::tensors`].
    pub tensors: Vec<PlantedTensor>,
}

impl Plan {
    /// Plans a pair.
    pub fn new(shape: &Shape, seed: u64) -> Self {
        let peak_layer = (u64::from(shape.layers) * 2 / 3) as u32;
        let mut plan =
            Self { shape: shape.clone(), seed, peak_layer, slope_layer: shape.layers / 4, tensors: Vec::new() };
        plan.tensors = shape
            .tensors()
            .into_iter()
            .map(|tensor| {
                let (mean, deviation) = distribution(&tensor);
                PlantedTensor {
                    change: plan.change(&tensor),
                    values: Values::new(seed, &tensor.name, mean, deviation),
                    tensor,
                }
            })
            .collect();
        plan
    }

    /// The same with values from which training can begin on side A: Gaussians of this standard deviation in every matrix, norms of
    /// 1, and biases of 0.
    pub fn untrained(shape: &Shape, seed: u64, deviation: f32) -> Self {
        let mut plan = Self::new(shape, seed);
        for PlantedTensor { tensor, values, .. } in &mut plan.tensors {
            let (mean, deviation) = match (&tensor.part, tensor.shape.len()) {
                (Part::Bias, _) => (0.0, 0.0),
                (_, 1) => (1.0, 0.0),
                _ => (0.0, deviation),
            };
            *values = Values::new(seed, &tensor.name, mean, deviation);
        }
        plan
    }

    fn change(&self, tensor: &TensorShape) -> Change {
        let size = |relative: f64| relative * tensor.layer.map_or(1.0, |layer| self.depth(layer));
        match (tensor.role, &tensor.part) {
            (_, Part::Bias) => Change::Noise { relative: 0.01 },
            ("embed", _) => Change::Sparse { relative: 0.02 },
            ("head", _) => Change::Noise { relative: 0.01 },
            ("k_proj", _) if tensor.layer == Some(self.slope_layer) => Change::Scale { factor: 0.98 },
            ("q_proj", _) => Change::Noise { relative: size(0.03) },
            ("k_proj", _) => Change::Noise { relative: size(0.025) },
            ("v_proj", _) => Change::Noise { relative: size(0.04) },
            ("o_proj", _) if tensor.layer.is_some_and(|layer| layer % 6 == 1) => Change::Noise { relative: size(0.12) },
            ("o_proj", _) => Change::TwoModes { step: size(0.12), spread: 0.25 },
            ("gate_proj", _) => Change::Noise { relative: size(0.045) },
            ("up_proj", _) => Change::Noise { relative: size(0.05) },
            ("down_proj", _) => Change::Noise { relative: size(0.055) },
            _ => Change::Scale { factor: 1.02 },
        }
    }

    /// How much a layer moves compared with the average one: 0.8 at the first to 1.2 at the last, and a peak.
    fn depth(&self, layer: u32) -> f64 {
        let last = self.shape.layers.saturating_sub(1).max(1);
        let slow = 0.8 + 0.4 * f64::from(layer) / f64::from(last);
        if layer == self.peak_layer { 1.6 * slow } else { slow }
    }

    /// `planted.json`: the truth that a measurement of the pair can be held against.
    pub fn to_json(&self) -> Vec<u8> {
        let tensors: Vec<_> = self
            .tensors
            .iter()
            .map(|planted| {
                json!({
                    "name": planted.tensor.name,
                    "layer": planted.tensor.layer,
                    "role": planted.tensor.role,
                    "part": planted.tensor.part,
                    "shape": planted.tensor.shape,
                    "change": planted.change,
                    "expected_l2_relative": planted.change.expected_l2_relative(),
                })
            })
            .collect();
        pretty(&json!({
            "schema": "stethoscope.planted/1",
            "synthetic": true,
            "shape": self.shape.name,
            "seed": self.seed,
            "peak_layer": self.peak_layer,
            "slope_layer": self.slope_layer,
            "tensors": tensors,
        }))
    }
}

/// Mean and standard deviation of A's values: of the size that trained models have, Qwen's large biases included.
fn distribution(tensor: &TensorShape) -> (f32, f32) {
    match (tensor.role, &tensor.part) {
        ("q_proj", Part::Bias) => (0.0, 2.0),
        ("k_proj", Part::Bias) => (0.0, 12.0),
        (_, Part::Bias) => (0.0, 0.1),
        ("embed" | "head", _) => (0.0, 0.02),
        _ => match tensor.shape.as_slice() {
            [_, inputs] => (0.0, 1.0 / (*inputs as f32).sqrt()),
            _ => (1.0, 0.15),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan::new(Shape::named("qwen2.5-1.5b").expect("a known shape"), 0)
    }

    #[test]
    fn o_proj_moves_most_in_every_layer() {
        let plan = plan();
        for layer in 0..28 {
            let linear = |o: bool| {
                plan.tensors
                    .iter()
                    .filter(move |planted| planted.tensor.layer == Some(layer) && planted.tensor.shape.len() == 2)
                    .filter(move |planted| (planted.tensor.role == "o_proj") == o)
                    .map(|planted| planted.change.expected_l2_relative())
            };
            assert!(linear(true).all(|o| linear(false).all(|other| o > 2.0 * other)), "layer {layer}");
        }
    }

    #[test]
    fn most_layers_of_o_proj_have_two_modes_and_nothing_else_has() {
        let plan = plan();
        let bimodal = |planted: &&PlantedTensor| matches!(planted.change, Change::TwoModes { .. });
        assert_eq!(plan.tensors.iter().filter(bimodal).count(), 23);
        assert!(plan.tensors.iter().filter(bimodal).all(|planted| planted.tensor.role == "o_proj"));
    }

    #[test]
    fn one_k_proj_is_a_pure_slope() {
        let slopes: Vec<_> =
            plan().tensors.into_iter().filter(|planted| planted.change == Change::Scale { factor: 0.98 }).collect();
        assert_eq!(slopes.len(), 1);
        assert_eq!(slopes[0].tensor.name, "model.layers.7.self_attn.k_proj.weight");
    }

    #[test]
    fn a_model_without_layers_can_be_planned() {
        assert_eq!(Plan::new(&Shape { layers: 0, ..Shape::PLANTED }, 0).tensors.len(), 2);
    }
}
