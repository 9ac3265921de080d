//! Made-up comparisons of fine-tunes.

use stethoscope_core::anatomy::{Part, Role, Site};
use stethoscope_core::report::{ComputeInfo, Envelope, Presence, Unpaired, UnpairedReason};
use stethoscope_core::task_vectors::{
    CompareReport, ComparedNumbers, ModuleComparison, PairNumbers, TensorComparison, UnpairedVector, VectorNumbers,
};

use super::{jitter, side};

const ROLES: [&str; 5] = ["o_proj", "down_proj", "q_proj", "input_norm", "embed"];

/// Every specimen, by its name.
pub(crate) fn all() -> Vec<(&'static str, CompareReport)> {
    let mut hostile = report(2, 3);
    let evil = "<script>alert(1)</script>\x1b[2J\u{202E}";
    hostile.a.reference = evil.to_owned();
    hostile.tensors[0].name = evil.to_owned();
    hostile.modules[0].role = Role::new(evil);
    let mut nothing = report(2, 2);
    (nothing.modules, nothing.tensors) = (Vec::new(), Vec::new());
    vec![
        ("compare", report(3, 12)),
        ("compare_seven", report(7, 4)),
        ("compare_deep", report(2, 64)),
        ("compare_hostile", hostile),
        ("compare_nothing", nothing),
    ]
}

/// So many fine-tunes of a model of so many layers; the last of three or more has no `q_proj`.
pub(crate) fn report(fine_tunes: usize, layers: u32) -> CompareReport {
    let pairs: Vec<[usize; 2]> =
        (0..fine_tunes).flat_map(|one| (one + 1..fine_tunes).map(move |other| [one, other])).collect();
    let place = |role: &'static str, layer: Option<u32>| TensorComparison {
        name: layer
            .map_or_else(|| format!("model.{role}.weight"), |layer| format!("model.layers.{layer}.{role}.weight")),
        site: Site { layer, role: Role::new(role), part: Part::Weight, expert: None, slice: Vec::new() },
        dtype_a: "BF16".to_owned(),
        dtypes: vec![Some("BF16".to_owned()); fine_tunes],
        shape: vec![20, 50],
        numbers: numbers(role, layer.map_or(999, u64::from), fine_tunes, &pairs),
    };
    let of_role = |role: &'static str| -> Vec<TensorComparison> {
        if role == "embed" {
            vec![place(role, None)]
        } else {
            (0..layers).map(|layer| place(role, Some(layer))).collect()
        }
    };
    let modules = ROLES.iter().map(|role| ModuleComparison {
        role: Role::new(*role),
        part: Part::Weight,
        tensors: of_role(role).len() as u64,
        layers: of_role(role).len() as u64,
        numbers: numbers(role, 5000, fine_tunes, &pairs),
    });
    let missing = Unpaired {
        name: "model.layers.0.q_proj.weight".to_owned(),
        present_in: Presence::A,
        reason: UnpairedReason::Missing,
        detail: "BF16 [20, 50]".to_owned(),
    };
    let unpaired = UnpairedVector { fine_tune: fine_tunes - 1, tensor: missing };
    let sides = (0..fine_tunes).map(|index| side(&format!("org/skill-{index}"), "qwen2", layers, 494_032_768));
    CompareReport {
        envelope: Envelope {
            schema: "stethoscope.task-vectors/1".to_owned(),
            tool: "stethoscope 0.1.0".to_owned(),
            command: ["stethoscope", "compare", "org/base"].map(str::to_owned).to_vec(),
            compute: ComputeInfo { backend: "cpu".to_owned(), adapter: "AVX-512".to_owned(), threads: 1 },
            seed: None,
            seconds: 1.93,
            bytes_read: 3_952_262_144,
            warnings: Vec::new(),
        },
        a: side("org/base", "qwen2", layers, 494_032_768),
        fine_tunes: sides.collect(),
        select: "all".to_owned(),
        modules: modules.collect(),
        tensors: ROLES.iter().flat_map(|role| of_role(role)).collect(),
        unpaired: if fine_tunes > 2 { vec![unpaired] } else { Vec::new() },
        pairs,
    }
}

fn numbers(role: &str, place: u64, fine_tunes: usize, pairs: &[[usize; 2]]) -> ComparedNumbers {
    let has = |index: usize| fine_tunes < 3 || index + 1 < fine_tunes || role != "q_proj";
    let vector = |index: usize| VectorNumbers {
        l2_delta: 1.5 + jitter(&[role], index as u64),
        l2_relative: Some(0.02 + 0.015 * jitter(&[role], index as u64)),
        l1_delta: 30.0,
        changed: 900,
        non_finite: 0,
    };
    let pair = |[one, other]: [usize; 2]| {
        let cosine = 0.95 * jitter(&[role, "cosine"], place * 1000 + (one * 31 + other) as u64);
        PairNumbers {
            dot: cosine * vector(one).l2_delta * vector(other).l2_delta,
            cosine: (role != "input_norm").then_some(cosine),
            changed_in_both: 850,
            jaccard: Some(0.895),
            jaccard_by_chance: Some(0.818),
            same_sign: 500,
            conflict: Some(0.412),
            conflict_weighted: Some(0.5 - 0.5 * cosine),
        }
    };
    ComparedNumbers {
        elements: 1000,
        left_out: 0,
        non_finite_a: 0,
        l2_a: 50.0,
        fine_tunes: (0..fine_tunes).map(|index| has(index).then(|| vector(index))).collect(),
        pairs: pairs.iter().map(|&both| both.iter().all(|index| has(*index)).then(|| pair(both))).collect(),
        against_elected_sign: Some(0.213),
    }
}
