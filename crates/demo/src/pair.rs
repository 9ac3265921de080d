//! The trained pair and its plug-ins, as they were written.

use std::collections::BTreeMap;
use std::sync::Arc;

use stethoscope_core::built_in::{DEMO_BASE, DEMO_REASONER};
use stethoscope_core::checkpoint::CheckpointFiles;
use stethoscope_core::source::{ByteSource, MemorySource};
use stethoscope_core::synthetic::planted;

/// The names of all that is built in: the pair, and two plug-ins for the base.
pub const NAMES: [&str; 4] = [DEMO_BASE, DEMO_REASONER, "demo:numbers", "demo:weekdays"];

/// The shard of a model.
const SHARD: &str = "model.safetensors";

/// The files of a model.
pub const FILES: [&str; 6] =
    [SHARD, "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];

/// Files, each with its name.
pub type Files = &'static [(&'static str, &'static [u8])];

/// The files of a folder of trained models, under their names.
macro_rules! trained {
    ($folder:literal: $($name:literal),*) => {
        &[$(($name, include_bytes!(concat!("../trained/", $folder, "/", $name)))),*]
    };
}

const BASE: Files = trained!("base": "model.safetensors", "config.json", "generation_config.json", "tokenizer.json",
    "tokenizer_config.json", "chat_template.jinja");
const REASONER: Files = trained!("reasoner": "model.safetensors", "config.json", "generation_config.json", "tokenizer.json",
    "tokenizer_config.json", "chat_template.jinja");
const NUMBERS: Files = &[(SHARD, include_bytes!("../trained/numbers.safetensors"))];
const WEEKDAYS: Files = &[(SHARD, include_bytes!("../trained/weekdays.safetensors"))];

/// The files of the trained checkpoint of this name, one of [`NAMES`], each with its name. Nothing for other names.
pub fn files(reference: &str) -> Option<Files> {
    Some(match reference {
        DEMO_BASE => BASE,
        DEMO_REASONER => REASONER,
        "demo:numbers" => NUMBERS,
        "demo:weekdays" => WEEKDAYS,
        _ => return None,
    })
}

/// What is built in under this name: what was trained, one of [`NAMES`], or what was [`planted`]. Nothing for other names.
pub fn built_in(reference: &str) -> Option<CheckpointFiles> {
    demo(reference).or_else(|| planted(reference))
}

/// The trained checkpoint of this name, one of [`NAMES`]. Nothing for other names.
pub fn demo(reference: &str) -> Option<CheckpointFiles> {
    let files = files(reference)?;
    let (shards, others): (Vec<_>, Vec<_>) = files.iter().partition(|(name, _)| *name == SHARD);
    let shard = |(name, bytes): &(&str, &[u8])| {
        Arc::new(MemorySource::new(format!("{reference}/{name}"), bytes.to_vec())) as Arc<dyn ByteSource>
    };
    let side_files: BTreeMap<String, Vec<u8>> =
        others.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    Some(CheckpointFiles {
        reference: reference.to_owned(),
        shards: shards.iter().map(shard).collect(),
        index: None,
        side_files,
        notes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use stethoscope_core::built_in::{PLANTED_BASE, PLANTED_TUNED};
    use stethoscope_core::checkpoint::Checkpoint;
    use stethoscope_core::model::Model;

    use super::*;
    use crate::recipe::Recipe;

    fn model(name: &str) -> Model {
        Model::new(pollster::block_on(Checkpoint::read(demo(name).unwrap())).unwrap(), None)
    }

    #[test]
    fn the_pair_has_the_form_of_the_recipe() {
        let recipe = Recipe::read().unwrap();
        for name in [DEMO_BASE, DEMO_REASONER] {
            let model = model(name);
            assert_eq!((model.family(), model.layers()), ("qwen2", recipe.model.layers));
            assert_eq!(model.config.unwrap().hidden_size, Some(recipe.model.hidden), "{name}");
        }
    }

    #[test]
    fn all_of_it_together_is_small() {
        let all = [BASE, REASONER, NUMBERS, WEEKDAYS].into_iter().flatten();
        assert!(all.map(|(_, bytes)| bytes.len()).sum::<usize>() <= 6 << 20);
    }

    #[test]
    fn both_pairs_are_built_in() {
        let reference = |name| built_in(name).map(|files| files.reference);
        for name in [DEMO_BASE, DEMO_REASONER, PLANTED_BASE, PLANTED_TUNED] {
            assert_eq!(reference(name).as_deref(), Some(name));
        }
    }

    #[test]
    fn every_name_has_its_files_and_no_other_has() {
        assert!(NAMES.iter().all(|name| demo(name).is_some()));
        assert!(demo("demo:other").is_none() && built_in("demo").is_none());
        assert!(FILES.iter().all(|name| BASE.iter().any(|(file, _)| file == name)));
    }
}
