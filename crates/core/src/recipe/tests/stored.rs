//! What a recipe leaves as it is stays known by where it lies.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{K_PROJ, O_PROJ, Recipe, SHARD_BYTES, View};
use crate::checkpoint::{Checkpoint, Location};
use crate::model::Model;
use crate::source::{ByteSource, ReadFuture};
use crate::synthetic::planted;

/// A source that says that it is a file.
struct File {
    source: Arc<dyn ByteSource>,
    path: PathBuf,
}

impl ByteSource for File {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn length(&self) -> u64 {
        self.source.length()
    }

    fn read(&self, range: Range<u64>) -> ReadFuture<'_> {
        self.source.read(range)
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }
}

fn on_disk(reference: &str) -> Arc<Model> {
    let mut files = planted(reference).unwrap();
    for source in &mut files.shards {
        *source = Arc::new(File { source: source.clone(), path: reference.into() });
    }
    Arc::new(Model::new(pollster::block_on(Checkpoint::read(files)).unwrap(), None))
}

/// Where a tensor's bytes lie.
fn place(model: &Model, name: &str) -> Option<(PathBuf, u64)> {
    let Location { shard, bytes } = model.checkpoint.tensor(name).unwrap().storage.values().clone();
    model.checkpoint.sources[shard].stored_at(bytes).map(|(path, start)| (path.to_owned(), start))
}

#[test]
fn a_tensor_that_is_copied_lies_where_it_is_copied_from() {
    let recipe = Recipe::parse_inline("planted:base; take o_proj from planted:tuned; destroy zero k_proj").unwrap();
    let models: Vec<Arc<Model>> = recipe.references().into_iter().map(on_disk).collect();
    let view = View::new(recipe, "made", models.clone(), SHARD_BYTES).unwrap();
    let made = pollster::block_on(view.model("made")).unwrap();
    let q_proj = O_PROJ.replace("o_proj", "q_proj");
    assert_eq!(place(&made, &q_proj), place(&models[0], &q_proj));
    assert_eq!(place(&made, O_PROJ), place(&models[1], O_PROJ));
    assert_eq!(place(&made, K_PROJ), None);
    assert_ne!(place(&models[0], O_PROJ), place(&models[1], O_PROJ));
}
