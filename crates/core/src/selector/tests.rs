use proptest::prelude::*;

use super::*;
use crate::checkpoint::Checkpoint;
use crate::synthetic::{PLANTED_BASE, planted};

fn model() -> Model {
    Model::new(pollster::block_on(Checkpoint::read(planted(PLANTED_BASE).unwrap())).unwrap(), None)
}

fn coverage(model: &Model, selection: &Selection) -> Coverage {
    let selected = selection.resolve(&model.selectable(), &model.anatomy, model.config.as_ref()).unwrap();
    Grid::coverage(&selected)
}

fn whole(grid: &Grid, coverage: &Coverage) -> BTreeSet<Place> {
    let covered = |place: &&Place| grid.cover(coverage, place) == Cover::All;
    grid.parameters.keys().filter(covered).cloned().collect()
}

/// What a selection becomes when it is painted as it is.
fn repainted(text: &str) -> String {
    let model = model();
    let grid = Grid::new(&model);
    let coverage = coverage(&model, &Selection::parse(text).unwrap());
    grid.selection(&whole(&grid, &coverage)).unwrap().to_string()
}

#[test]
fn what_is_painted_is_said_in_few_words() {
    for (text, expected) in [
        ("q_proj + k_proj + v_proj", "qkv"),
        ("o_proj & layers 3..7", "o_proj & layers 3..7"),
        ("layers 2 + layers 3", "layers 2..4"),
        ("all", "all"),
        ("o_proj & (layers 1 + layers 3)", "o_proj & (layers 1 + layers 3)"),
        ("embed + o_proj", "o_proj + embed"),
    ] {
        assert_eq!(repainted(text), expected, "{text}");
    }
}

#[test]
fn some_heads_cover_a_place_in_part_and_survive_painting_elsewhere() {
    let model = model();
    let grid = Grid::new(&model);
    let before = Selection::parse("heads 0..2 & q_proj & layers 4").unwrap();
    let covered = coverage(&model, &before);
    let place = |role: &'static str, layer| Place { role: Role::new(role), layer: Some(layer) };
    assert_eq!(grid.cover(&covered, &place("q_proj", 4)), Cover::Part);
    assert_eq!(grid.cover(&covered, &place("q_proj", 5)), Cover::None);
    assert_eq!(grid.cover(&covered, &place("q_proj", 5000)), Cover::Absent);
    let after = grid.paint(&before, &covered, &[place("o_proj", 1)].into(), true).unwrap();
    assert_eq!(after.to_string(), "heads 0..2 & q_proj & layers 4 + o_proj & layers 1");
    let wiped = grid.paint(&before, &covered, &[place("q_proj", 4)].into(), false);
    assert_eq!(wiped, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_text_for_any_painting_selects_exactly_what_was_painted(seed in prop::collection::vec(any::<bool>(), 400)) {
        let model = model();
        let grid = Grid::new(&model);
        // Whole rows and columns as well as single places.
        let painted: BTreeSet<Place> = grid
            .parameters
            .keys()
            .enumerate()
            .filter(|(index, place)| {
                let row = grid.roles.iter().position(|role| *role == place.role).unwrap_or(0);
                let column = place.layer.map_or(0, |layer| layer as usize);
                if seed[row] { seed[100 + column] } else { seed[200 + index % 200] }
            })
            .map(|(_, place)| place.clone())
            .collect();
        if let Some(selection) = grid.selection(&painted) {
            let read_back = Selection::parse(&selection.to_string()).unwrap();
            prop_assert_eq!(whole(&grid, &coverage(&model, &read_back)), painted, "{}", selection);
        } else {
            prop_assert!(painted.is_empty());
        }
    }
}
