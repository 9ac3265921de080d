//! Previews over the built-in pair.

use super::*;
use crate::checkpoint::Checkpoint;
use crate::compute::InlineCompute;
use crate::folder::SideFiles;
use crate::kernels::InstructionSet;
use crate::synthetic::{DEMO_BASE, DEMO_REASONER, demo};
use crate::work::{DeltaRequest, Place, Request, WorkError, answer};

/// A place that has the built-in pair.
struct Demos;

impl Place for Demos {
    type Error = WorkError;

    async fn open(&self, reference: &str, _: SideFiles) -> Result<Model, WorkError> {
        let files = demo(reference).unwrap_or_else(|| panic!("{reference} is no demonstration"));
        Ok(Model::new(Checkpoint::read(files).await.expect("a checkpoint"), None))
    }

    async fn engine(&self) -> Result<Box<dyn Compute>, WorkError> {
        Ok(Box::new(InlineCompute::new(InstructionSet::Portable)))
    }

    fn clock(&self) -> f64 {
        0.0
    }
}

const SLERP: &str = "\
merge_method: slerp
base_model: demo:base
models:
  - model: demo:reasoner
parameters:
  t: 0.25
";

const O_PROJ: &str = "model.layers.3.self_attn.o_proj.weight";
const NORM: &str = "model.norm.weight";

fn answered(request: Request) -> Result<Vec<Event>, WorkError> {
    let mut events = Vec::new();
    let mut observe = async |event: Event| -> Result<(), Cancelled> {
        events.push(event);
        Ok(())
    };
    pollster::block_on(answer(&Demos, request, &mut observe))?;
    Ok(events)
}

fn asked(tensors: &[&str], most_elements: Option<u64>) -> PreviewRequest {
    PreviewRequest {
        recipe: SLERP.to_owned(),
        against: [DEMO_BASE, DEMO_REASONER].map(str::to_owned).to_vec(),
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
    for (against, name) in [DEMO_BASE, DEMO_REASONER].into_iter().enumerate() {
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
