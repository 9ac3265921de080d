//! What a configuration says of the layers, when only some of them are kept.

use serde_json::{Map, Value, json};

/// How the number of layers is spelt.
const COUNTS: [&str; 4] = ["num_hidden_layers", "n_layer", "n_layers", "num_layers"];

/// Lists of numbers of layers.
const NUMBERS: [&str; 5] =
    ["mlp_only_layers", "attn_layer_indices", "full_attn_idxs", "hybrid_layer_ids", "cross_attention_layers"];

/// How many layers at the start are of another kind than the rest.
const PREFIXES: [&str; 2] = ["first_k_dense_replace", "max_window_layers"];

/// Every so-manieth layer is of another kind.
const PERIODS: [&str; 8] = [
    "attn_layer_period",
    "expert_layer_period",
    "decoder_sparse_step",
    "moe_layer_freq",
    "interleave_moe_layer_step",
    "full_attention_interval",
    "no_rope_layer_interval",
    "global_attn_every_n_layers",
];

/// Lists that may happen to be as long as there are layers, and are not about them.
const OTHER_LISTS: [&str; 7] = [
    "architectures",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "keys_to_ignore_at_inference",
    "time_step_limit",
    "suppress_tokens",
];

/// Edits a `config.json` so that it describes the model that has just the layers `kept`, old numbers in their new order.
/// Returns what a person should know.
///
/// # Errors
/// A setting that no longer can say what it should, and why.
pub(super) fn keep(config: &mut Value, kept: &[u32]) -> Result<Vec<String>, (String, String)> {
    let mut notes = Vec::new();
    let model_type = config.get("model_type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(top) = config.as_object_mut() else { return Ok(notes) };
    keep_in(top, &model_type, kept, &mut notes)?;
    for key in ["text_config", "llm_config", "language_config"] {
        if let Some(nested) = top.get_mut(key).and_then(Value::as_object_mut) {
            let model_type = nested.get("model_type").and_then(Value::as_str).unwrap_or(&model_type).to_owned();
            keep_in(nested, &model_type, kept, &mut notes)?;
        }
    }
    Ok(notes)
}

fn keep_in(
    settings: &mut Map<String, Value>,
    model_type: &str,
    kept: &[u32],
    notes: &mut Vec<String>,
) -> Result<(), (String, String)> {
    let Some(count) = COUNTS.iter().find_map(|key| settings.get(*key)?.as_u64()) else { return Ok(()) };
    if kept.iter().any(|layer| u64::from(*layer) >= count) {
        let why =
            format!("{count}, but there are layers behind these that predict further tokens, which is not edited");
        return Err(("num_hidden_layers".to_owned(), why));
    }
    write_out_kinds(settings, model_type, count);
    for (key, value) in settings.iter_mut() {
        edit(key, value, count, kept, notes)?;
    }
    // What is written out needs no rhythm.
    let is_written_out = settings.contains_key("layer_types");
    for key in PERIODS {
        check_rhythm(settings, key, is_written_out && key == "full_attention_interval", kept)?;
    }
    Ok(())
}

fn edit(
    key: &str,
    value: &mut Value,
    count: u64,
    kept: &[u32],
    notes: &mut Vec<String>,
) -> Result<(), (String, String)> {
    if COUNTS.contains(&key) && value.as_u64() == Some(count) {
        *value = json!(kept.len());
    } else if PREFIXES.contains(&key) {
        if let Some(prefix) = value.as_u64() {
            let inside = kept.iter().take_while(|layer| u64::from(**layer) < prefix).count();
            if kept.iter().skip(inside).any(|layer| u64::from(*layer) < prefix) {
                let why = format!("the first {prefix}, but these would no longer come first");
                return Err((key.to_owned(), why));
            }
            // Beyond the last layer it says that all are of the first kind, and still does.
            *value = if prefix >= count { json!(prefix) } else { json!(inside) };
        }
    } else if NUMBERS.contains(&key) {
        if let Some(numbers) = value.as_array() {
            let old: Vec<u64> = numbers.iter().filter_map(Value::as_u64).collect();
            let new = (0_u64..).zip(kept).filter(|(_, layer)| old.contains(&u64::from(**layer)));
            *value = new.map(|(new, _)| json!(new)).collect();
        }
    } else if let Some(list) = value.as_array().filter(|list| list.len() as u64 == count) {
        if !OTHER_LISTS.contains(&key) {
            if !key.contains("layer") {
                notes.push(format!(
                    "config.json lists {key} with {count} entries, as many as there were layers: those of the layers that \
                     are kept stay"
                ));
            }
            *value = kept.iter().filter_map(|layer| list.get(*layer as usize).cloned()).collect();
        }
    } else if key == "hybrid_override_pattern" {
        // Nemotron-H: a letter for each layer.
        if let Some(letters) = value.as_str().map(|text| text.chars().collect::<Vec<char>>()) {
            *value = json!(kept.iter().filter_map(|layer| letters.get(*layer as usize)).collect::<String>());
        }
    }
    Ok(())
}

/// Writes down which layers look at a window alone, where a family's code knows it from their numbers.
fn write_out_kinds(settings: &mut Map<String, Value>, model_type: &str, count: u64) {
    // The last of so many layers sees everything, as the configuration classes of transformers have it.
    let usual = match model_type {
        "gemma2" => 2,
        "cohere2" => 4,
        "gemma3" | "gemma3_text" => 6,
        _ => return,
    };
    if settings.get("layer_types").is_some_and(|kinds| !kinds.is_null()) {
        return;
    }
    let pattern = ["sliding_window_pattern", "_sliding_window_pattern"];
    let period = pattern.iter().find_map(|key| settings.get(*key)?.as_u64()).unwrap_or(usual).max(1);
    let kind = |layer: u64| if (layer + 1).is_multiple_of(period) { "full_attention" } else { "sliding_attention" };
    settings.insert("layer_types".to_owned(), (0..count).map(kind).collect());
}

/// Refuses to leave out layers so that those that are kept would change their kind.
fn check_rhythm(
    settings: &Map<String, Value>,
    key: &str,
    is_written_out: bool,
    kept: &[u32],
) -> Result<(), (String, String)> {
    let Some(period) = settings.get(key).and_then(Value::as_u64).filter(|period| *period > 1) else { return Ok(()) };
    let keeps_time = (0_u64..).zip(kept).all(|(new, old)| new % period == u64::from(*old) % period);
    if keeps_time || is_written_out {
        return Ok(());
    }
    let why =
        format!("every {period}th, and that rhythm would break; leave out a multiple of {period} neighbouring layers");
    Err((key.to_owned(), why))
}

/// A tensor's name with another number for its layer.
pub(super) fn renumbered(name: &str, old: u32, new: u32) -> String {
    let old = old.to_string();
    let mut is_found = false;
    let components = name.split('.').map(|component| {
        let is_layer = !is_found && component == old;
        is_found |= is_layer;
        if is_layer { new.to_string() } else { component.to_owned() }
    });
    components.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(config: Value, kept: &[u32]) -> Value {
        let mut config = config;
        keep(&mut config, kept).unwrap();
        config
    }

    #[test]
    fn counts_and_lists_of_layers_follow() {
        let config = json!({
            "num_hidden_layers": 4, "layer_types": ["a", "b", "c", "d"], "mlp_only_layers": [0, 3],
            "first_k_dense_replace": 2, "max_window_layers": 4, "eos_token_id": [1, 2, 3, 4],
        });
        let expected = json!({
            "num_hidden_layers": 3, "layer_types": ["a", "c", "d"], "mlp_only_layers": [0, 2],
            "first_k_dense_replace": 1, "max_window_layers": 4, "eos_token_id": [1, 2, 3, 4],
        });
        assert_eq!(kept(config, &[0, 2, 3]), expected);
    }

    #[test]
    fn the_windows_of_gemma_are_written_out() {
        let config = kept(json!({"model_type": "gemma2", "num_hidden_layers": 4}), &[0, 3]);
        assert_eq!(config["layer_types"], json!(["sliding_attention", "full_attention"]));
        let nested =
            json!({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "num_hidden_layers": 7}});
        let config = kept(nested, &[5, 6]);
        assert_eq!(config["text_config"]["layer_types"], json!(["full_attention", "sliding_attention"]));
    }

    #[test]
    fn a_rhythm_is_kept_or_refused() {
        let jamba = json!({"num_hidden_layers": 8, "attn_layer_period": 4, "attn_layer_offset": 2});
        assert_eq!(kept(jamba.clone(), &[0, 1, 6, 7])["num_hidden_layers"], 4);
        let (key, why) = keep(&mut jamba.clone(), &[0, 2, 3]).unwrap_err();
        assert!(key == "attn_layer_period" && why.contains("every 4th"), "{key}: {why}");
    }

    #[test]
    fn only_the_layers_number_changes_in_a_name() {
        assert_eq!(
            renumbered("model.layers.3.mlp.experts.3.w1.weight", 3, 2),
            "model.layers.2.mlp.experts.3.w1.weight"
        );
    }
}
