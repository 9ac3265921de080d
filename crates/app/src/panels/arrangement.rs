//! Where the panels are, in windows of three sizes.

use egui_tiles::{Container, Tile, TileId, Tiles, Tree};

use super::Panel;

/// Where the panels are at first.
pub fn large() -> Tree<Panel> {
    let mut tiles = Tiles::default();
    let mut tabs = |panels: &[Panel]| {
        let panes = panels.iter().map(|panel| tiles.insert_pane(*panel)).collect();
        tiles.insert_tab_tile(panes)
    };
    let (modules, selection) = (tabs(&[Panel::Modules]), tabs(&[Panel::Selector]));
    let (lines, heat_map) = (tabs(&[Panel::Lines]), tabs(&[Panel::HeatMap]));
    let (distribution, tensor) = (tabs(&[Panel::Distribution]), tabs(&[Panel::Tensor]));
    let table = tabs(&[Panel::Table]);
    let left = tiles.insert_vertical_tile(vec![modules, selection]);
    let middle = tiles.insert_vertical_tile(vec![lines, heat_map]);
    let right = tiles.insert_vertical_tile(vec![distribution, tensor]);
    let above = tiles.insert_horizontal_tile(vec![middle, right]);
    let delta = tiles.insert_vertical_tile(vec![above, table]);
    let wide = with_others(&mut tiles, delta);
    let root = tiles.insert_horizontal_tile(vec![left, wide]);
    share(&mut tiles, root, &[(left, 0.85), (wide, 2.4)]);
    share(&mut tiles, left, &[(modules, 1.0), (selection, 0.9)]);
    share(&mut tiles, delta, &[(above, 2.6), (table, 0.85)]);
    share(&mut tiles, above, &[(middle, 1.65), (right, 1.0)]);
    share(&mut tiles, middle, &[(lines, 1.0), (heat_map, 1.05)]);
    share(&mut tiles, right, &[(distribution, 0.95), (tensor, 1.05)]);
    Tree::new(egui::Id::unique("panels"), root, tiles)
}

/// Where they are in a window with room for two or three of them.
pub fn middling() -> Tree<Panel> {
    let mut tiles = Tiles::default();
    let mut tabs = |panels: &[Panel]| {
        let panes = panels.iter().map(|panel| tiles.insert_pane(*panel)).collect();
        tiles.insert_tab_tile(panes)
    };
    let left = tabs(&[Panel::Modules, Panel::Selector]);
    let above = tabs(&[Panel::Lines, Panel::HeatMap]);
    let below = tabs(&[Panel::Distribution, Panel::Tensor, Panel::Table]);
    let delta = tiles.insert_vertical_tile(vec![above, below]);
    let right = with_others(&mut tiles, delta);
    let root = tiles.insert_horizontal_tile(vec![left, right]);
    share(&mut tiles, root, &[(left, 1.0), (right, 1.8)]);
    Tree::new(egui::Id::unique("middling panels"), root, tiles)
}

/// What was measured, and behind tabs of the same size a model to be made, what the models say, where the skill is, and training:
/// each needs all the room beside the selection.
fn with_others(tiles: &mut Tiles<Panel>, delta: TileId) -> TileId {
    let recipe = tiles.insert_pane(Panel::Recipe);
    let listen = tiles.insert_pane(Panel::Listen);
    let locate = tiles.insert_pane(Panel::Locate);
    let freeze = tiles.insert_pane(Panel::Freeze);
    tiles.insert_tab_tile(vec![delta, recipe, listen, locate, freeze])
}

/// Brings the panels that show a measurement to the front, if none of them is in sight.
pub fn show_delta(tree: &mut Tree<Panel>) {
    let shows_some = |tile: &TileId| match tree.tiles.get_pane(tile) {
        Some(panel) => !matches!(
            panel,
            Panel::Modules | Panel::Selector | Panel::Recipe | Panel::Listen | Panel::Locate | Panel::Freeze
        ),
        None => false,
    };
    if !tree.active_tiles().iter().any(shows_some) {
        tree.make_active(|_, tile| matches!(tile, Tile::Pane(Panel::Lines)));
    }
}

/// What the tab of several panels together says.
pub fn title(tiles: &Tiles<Panel>, tile: TileId) -> String {
    let mut panels = Vec::new();
    let mut left = vec![tile];
    while let Some(tile) = left.pop() {
        match tiles.get(tile) {
            Some(Tile::Pane(panel)) => panels.push(*panel),
            Some(Tile::Container(container)) => left.extend(container.children().copied()),
            None => {}
        }
    }
    match panels.as_slice() {
        _ if panels.contains(&Panel::Lines) => "Delta".to_owned(),
        [] => "Empty".to_owned(),
        [first, ..] => first.title().to_owned(),
    }
}

/// Says how much of a container each of its tiles gets.
fn share(tiles: &mut Tiles<Panel>, container: TileId, shares: &[(TileId, f32)]) {
    if let Some(Tile::Container(Container::Linear(linear))) = tiles.get_mut(container) {
        for (tile, share) in shares {
            linear.shares.set_share(*tile, *share);
        }
    }
}

/// Where they are in a window too small for two of them.
pub fn small() -> Tree<Panel> {
    Tree::new_tabs(egui::Id::unique("small panels"), Panel::ALL.to_vec())
}

/// Whether an arrangement that was remembered has every panel that there is now.
pub fn is_complete(tree: &Tree<Panel>) -> bool {
    let has = |panel: &Panel| {
        let mut tiles = tree.tiles.tiles();
        tiles.any(|tile| matches!(tile, Tile::Pane(pane) if pane == panel))
    };
    Panel::ALL.iter().all(has) && tree.root().is_some()
}
