//! What algebra says of models, on models that run: changes of weights that are none of the function (PAPER.md's control and
//! alignment), and ways to break a model that break it alike.

use std::sync::Arc;

use stethoscope_core::model::Model;
use stethoscope_core::recipe::{Recipe, View};

use crate::decoder::Batch;
use crate::golden::{Golden, decoder, stored};
use crate::ops::attention::Place;

/// How far logits may be apart whose weights were rounded once more, in F32. They are of the size of 1.
const TOLERANCE: f32 = 1e-4;

/// A model with the shapes of a golden one, and other numbers.
fn other(golden: &Golden) -> Model {
    stored(
        &golden.config,
        golden.stored_tensors().map(|(tensor, numbers)| (tensor, numbers.into_iter().rev().collect())),
    )
}

/// A golden model and another of its shape: the models of the recipes below.
fn pair(golden: &Golden) -> Vec<Arc<Model>> {
    vec![Arc::new(golden.model(&golden.config)), Arc::new(other(golden))]
}

/// What a recipe makes of models.
fn made(models: &[Arc<Model>], recipe: &str) -> Model {
    let recipe = Recipe::parse_inline(recipe).unwrap();
    let models = models[..recipe.references().len()].to_vec();
    pollster::block_on(async {
        let view = View::new(recipe, "made", models, 1 << 30).unwrap();
        view.check().await.unwrap();
        view.model("made").await.unwrap()
    })
}

/// The logits of every token of a golden prompt.
fn logits(golden: &Golden, model: &Model) -> Vec<Vec<f32>> {
    let (decoder, tokens) = (decoder(model), golden.answers[2].prompt.clone());
    let count = tokens.len();
    let batch = Batch {
        tokens,
        places: (0..count).map(|position| Place { sequence: 0, position }).collect(),
        lengths: vec![count; count],
        wanted: (0..count as u32).collect(),
    };
    decoder.forward(&batch, &decoder.cache(1, count).unwrap()).unwrap().to_vec2().unwrap()
}

/// The largest difference of two models' logits.
fn distance(one: &[Vec<f32>], other: &[Vec<f32>]) -> f32 {
    let pairs = one.iter().flatten().zip(other.iter().flatten());
    pairs.map(|(one, other)| (one - other).abs()).fold(0.0, f32::max)
}

#[test]
fn a_gauge_changes_the_weights_and_nothing_that_is_said() {
    let families = ["llama3", "llama_linear", "qwen2", "qwen3", "mistral", "gemma2", "phi3", "mixtral", "qwen3_moe"];
    for name in families {
        let golden = Golden::named(name);
        let mut models = pair(&golden);
        let turned = made(&models, "A; take v_proj + o_proj control gauge seed 3 from B");
        let base = logits(&golden, &models[0]);
        let apart = distance(&logits(&golden, &turned), &base);
        assert!(apart < TOLERANCE, "{name}: {apart}");
        // Half of it is another model.
        models[1] = Arc::new(turned);
        let apart = distance(&logits(&golden, &made(&models, "A; take o_proj from B")), &base);
        assert!(apart > 1000.0 * TOLERANCE, "{name}: {apart}");
    }
}

#[test]
fn norms_of_another_model_with_their_readers_folded_change_nothing_that_is_said() {
    // Of norms that something reads: not of those of heads, nor of those behind a module; nor of the last one where the head that
    // reads it is the embedding.
    for (name, norms) in [
        ("llama3", "norm"),
        ("llama_linear", "input_norm + post_norm"),
        ("qwen2", "input_norm + post_norm"),
        ("qwen3", "input_norm + post_norm + final_norm"),
        ("mistral", "norm"),
        ("gemma2", "input_norm + pre_feedforward_norm"),
        ("phi3", "norm"),
        ("mixtral", "norm"),
        ("qwen3_moe", "input_norm + post_norm + final_norm"),
        ("mamba", "input_norm"),
    ] {
        let golden = Golden::named(name);
        let models = pair(&golden);
        let base = logits(&golden, &models[0]);
        let folded = made(&models, &format!("A; take {norms} align fold from B"));
        let apart = distance(&logits(&golden, &folded), &base);
        assert!(apart < TOLERANCE, "{name}: {apart}");
        let bare = made(&models, &format!("A; take {norms} from B"));
        let apart = distance(&logits(&golden, &bare), &base);
        assert!(apart > 100.0 * TOLERANCE, "{name}: {apart}");
    }
}

#[test]
fn what_silences_the_same_sounds_the_same() {
    for (name, one, other) in [
        ("llama3", "zero v_proj", "zero o_proj"),
        ("qwen2", "zero v_proj", "zero o_proj"),
        ("gemma2", "zero v_proj", "zero o_proj"),
        ("qwen2", "zero q_proj", "zero k_proj"),
        ("phi3", "zero gate_proj", "zero up_proj"),
        ("gemma2", "zero gate_proj", "zero down_proj"),
        ("mixtral", "zero up_proj", "zero down_proj"),
        ("qwen3_moe", "zero gate_proj", "zero down_proj"),
        ("qwen3_moe", "remove layers 1..3", "zero (o_proj + down_proj) & layers 1..3"),
        ("mixtral", "remove layers 1", "zero (o_proj + down_proj) & layers 1"),
        ("mamba", "zero x_proj_b", "zero x_proj_c"),
        ("mamba", "remove layers 1..3", "zero out_proj & layers 1..3"),
    ] {
        let golden = Golden::named(name);
        let models = pair(&golden);
        let destroyed = |how: &str| logits(&golden, &made(&models, &format!("A; destroy {how}")));
        let (one_logits, base) = (destroyed(one), logits(&golden, &models[0]));
        let apart = distance(&one_logits, &destroyed(other));
        assert!(apart < TOLERANCE, "{name}, {one} and {other}: {apart}");
        assert!(distance(&one_logits, &base) > 100.0 * TOLERANCE, "{name}: {one} does nothing");
    }
}
