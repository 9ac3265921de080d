//! Previews over the built-in pair.

use super::*;
use crate::conformance::{PlantedPlace, PlantedPlaceError};
use crate::synthetic::{PLANTED_BASE, PLANTED_TUNED};
use crate::work::{DeltaRequest, Request};

const SLERP: &str = "\
merge_method: slerp
base_model: planted:base
models:
  - model: planted:tuned
parameters:
  t: 0.25
";

const O_PROJ: &str = "model.layers.3.self_attn.o_proj.weight";
const NORM: &str = "model.norm.weight";

fn answered(request: Request) -> Result<Vec<Event>, PlantedPlaceError> {
    pollster::block_on(PlantedPlace::default().answer(request))
}

fn asked(tensors: &[&str], most_elements: Option<u64>) -> PreviewRequest {
    PreviewRequest {
        recipe: SLERP.to_owned(),
        against: [PLANTED_BASE, PLANTED_TUNED].map(str::to_owned).to_vec(),
        tensors: tensors.iter().map(|&name| name.to_owned()).collect(),
        most_elements,
        relative: RelativeDefinition::Script,
        norms_only: false,
    }
}

fn rows(request: PreviewRequest) -> Vec<PreviewRow> {
    let rows = answered(Request::Preview(request)).unwrap().into_iter().filter_map(|event| match event {
        Event::PreviewRow(row) => Some(*row),
        _ => None,
    });
    rows.collect()
}

#[test]
fn what_is_previewed_is_what_a_delta_of_the_recipe_measures() {
    let found = rows(asked(&[O_PROJ, NORM], None));
    assert_eq!(found.len(), 4, "two tensors, against two checkpoints");
    for (against, name) in [PLANTED_BASE, PLANTED_TUNED].into_iter().enumerate() {
        let request = DeltaRequest {
            a: name.to_owned(),
            b: SLERP.to_owned(),
            select: "all".to_owned(),
            relative: RelativeDefinition::Script,
            norms_only: false,
            spectrum: false,
        };
        let events = answered(Request::Delta(request)).unwrap();
        let Some(Event::Delta(report)) = events.into_iter().last() else { panic!("no report") };
        for tensor in [O_PROJ, NORM] {
            let row = found.iter().find(|row| row.tensor == tensor && row.against == against).unwrap();
            let expected = report.tensors.iter().find(|row| row.name == tensor).unwrap();
            assert_eq!(&row.delta, expected);
            assert_eq!(row.elements, expected.numbers.elements);
        }
    }
}

#[test]
fn of_the_first_rows_it_is_said_how_many_elements_they_have() {
    let whole = rows(asked(&[O_PROJ], None));
    let some = rows(asked(&[O_PROJ], Some(1000)));
    let row = *some[0].delta.shape.last().unwrap();
    assert_eq!(some[0].elements, whole[0].elements);
    assert_eq!(some[0].delta.numbers.elements, 1000 / row * row);
    assert!(some[0].delta.numbers.l2_delta < whole[0].delta.numbers.l2_delta);
}

#[test]
fn a_tensor_that_the_recipe_does_not_make_is_refused_by_name() {
    let error = answered(Request::Preview(asked(&["model.layers.99.nothing"], None))).unwrap_err();
    assert!(error.to_string().contains("makes no tensor \"model.layers.99.nothing\""), "{error}");
}
