use serde_json::{Value, json};

use super::*;
use crate::golden::{self, Golden, Named};
use crate::weights::SharedTensors;

fn batch(tokens: &[u32]) -> Batch {
    let places = (0..tokens.len()).map(|position| Place { sequence: 0, position }).collect();
    let count = tokens.len();
    Batch { tokens: tokens.to_vec(), places, lengths: vec![count; count], wanted: vec![count as u32 - 1] }
}

fn last_logits(decoder: &Decoder, tokens: &[u32]) -> Vec<f32> {
    let cache = decoder.cache(1, 32).unwrap();
    decoder.forward(&batch(tokens), &cache).unwrap().to_vec2().unwrap().remove(0)
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-4, "{what}: {found} instead of {expected}");
    }
}

#[test]
fn logits_are_those_of_transformers() {
    for (name, golden) in Golden::all() {
        let decoder = golden.decoder();
        for answer in &golden.answers {
            assert_close(&last_logits(&decoder, &answer.prompt), &answer.logits, name);
        }
    }
}

/// What transformers 4 wrote: the base beside a scaling that is null for most.
fn in_the_old_shape(config: &Value) -> Value {
    let mut config = config.clone();
    let settings = config.as_object_mut().unwrap();
    if !settings.contains_key("rope_parameters") {
        return config;
    }
    let mut rope = settings.remove("rope_parameters").unwrap();
    let rope = rope.as_object_mut().unwrap();
    for key in ["rope_theta", "partial_rotary_factor"] {
        settings.extend(rope.remove(key).map(|value| (key.to_owned(), value)));
    }
    let is_plain = rope.get("rope_type").is_none_or(|kind| kind == "default");
    settings.insert("rope_scaling".to_owned(), if is_plain { Value::Null } else { Value::Object(rope.clone()) });
    settings.remove("layer_types");
    config
}

#[test]
fn a_configuration_of_transformers_4_computes_the_same() {
    for (name, golden) in Golden::all() {
        let old = in_the_old_shape(&golden.config);
        assert!(old.get("rope_theta").is_some() || name == "mamba", "{name}");
        assert_eq!(DecoderConfig::parse(&old), DecoderConfig::parse(&golden.config), "{name}");
    }
}

#[test]
fn what_a_configuration_leaves_out_is_as_transformers_has_it() {
    for (name, left_out) in [
        ("mixtral", &["num_experts_per_tok", "rms_norm_eps", "rope_theta", "hidden_act", "tie_word_embeddings"][..]),
        ("qwen3_moe_step", &["norm_topk_prob", "rms_norm_eps", "rope_theta", "mlp_only_layers", "use_sliding_window"]),
        (
            "mamba",
            &["expand", "conv_kernel", "time_step_rank", "layer_norm_epsilon", "use_conv_bias", "tie_word_embeddings"],
        ),
        ("phi3_longrope", &["rope_theta", "rms_norm_eps", "tie_word_embeddings"]),
    ] {
        let golden = Golden::named(name);
        let mut config = in_the_old_shape(&golden.config);
        for key in left_out {
            assert!(config.as_object_mut().unwrap().remove(*key).is_some(), "{name} says {key}");
        }
        assert_eq!(DecoderConfig::parse(&config), DecoderConfig::parse(&golden.config), "{name}");
    }
}

#[test]
fn older_spellings_compute_the_same() {
    let config = Golden::named("phi3_longrope").config;
    let mut old = in_the_old_shape(&config);
    let rope = old["rope_scaling"].as_object_mut().unwrap();
    rope.remove("rope_type");
    rope.remove("original_max_position_embeddings");
    rope.insert("type".to_owned(), json!("su"));
    assert_eq!(DecoderConfig::parse(&old), DecoderConfig::parse(&config));

    let config = Golden::named("mamba").config;
    let mut old = config.clone();
    old["time_step_rank"] = json!("auto");
    assert_eq!(DecoderConfig::parse(&old), DecoderConfig::parse(&config));

    let config = Golden::named("qwen3_moe").config;
    let mut old = config.clone();
    let count = old.as_object_mut().unwrap().remove("num_local_experts").unwrap();
    old["num_experts"] = count;
    assert_eq!(DecoderConfig::parse(&old), DecoderConfig::parse(&config));
}

fn loading(golden: &Golden, change: impl FnOnce(&mut Value)) -> String {
    let mut config = golden.config.clone();
    change(&mut config);
    let loaded = pollster::block_on(Decoder::load(
        &golden.model(&config),
        &Device::Cpu,
        &SharedTensors::default(),
        async |_, _| Ok(()),
    ));
    let error: &dyn std::error::Error = &loaded.err().expect("an error");
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    format!("{error}: {source}")
}

#[test]
fn what_cannot_be_computed_is_refused_by_name() {
    let golden = Golden::named("qwen2");
    let refused = [
        (json!({ "model_type": "mamba9" }), "mamba9"),
        (json!({ "rope_parameters": { "rope_type": "dynamic", "rope_theta": 10.0 } }), "dynamic"),
        (json!({ "rope_parameters": { "rope_type": "default" } }), "rope_theta"),
        (json!({ "hidden_act": "relu" }), "relu"),
        (json!({ "num_key_value_heads": 3 }), "num_key_value_heads"),
        (json!({ "hidden_size": 1e30 }), "hidden_size"),
        (json!({ "vocab_size": null }), "vocab_size"),
        (json!({ "hidden_size": 64 }), "has the shape [48]"),
        (json!({ "tie_word_embeddings": false }), "no head weight"),
        (json!({ "num_hidden_layers": 4 }), "layer 3"),
    ];
    for (change, message) in refused {
        let told = loading(&golden, |config| {
            config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        });
        assert!(told.contains(message), "{told}");
    }
}

/// The experts of a layer as transformers 5 has them in memory: one tensor of all gates and, below each, the way up; another of
/// all ways down.
fn stacked(golden: &Golden) -> Vec<(Named, Vec<f32>)> {
    let tensors: Vec<_> = golden.stored_tensors().collect();
    let find = |name: &str| tensors.iter().find(|(tensor, _)| tensor.name == name).map(|(_, numbers)| &numbers[..]);
    let is_expert = |name: &str| name.contains(".experts.");
    let mut all: Vec<_> = tensors.iter().filter(|(tensor, _)| !is_expert(&tensor.name)).cloned().collect();
    for layer in 0..3 {
        let experts = format!("model.layers.{layer}.mlp.experts");
        let of = |expert: usize, role: &str| find(&format!("{experts}.{expert}.{role}_proj.weight"));
        let count = (0..).take_while(|&expert| of(expert, "down").is_some()).count();
        let stack = |roles: &[&str]| {
            let each = (0..count).flat_map(|expert| roles.iter().filter_map(move |role| of(expert, role)));
            each.collect::<Vec<_>>().concat()
        };
        if count > 0 {
            let tensor = |name: &str, rows, columns| Named {
                name: format!("{experts}.{name}"),
                shape: vec![count, rows, columns],
            };
            all.push((tensor("gate_up_proj", 48, 48), stack(&["gate", "up"])));
            all.push((tensor("down_proj", 48, 24), stack(&["down"])));
        }
    }
    all
}

#[test]
fn experts_in_one_stack_compute_the_same() {
    for name in ["qwen3_moe", "qwen3_moe_step"] {
        let golden = Golden::named(name);
        let tensors = stacked(&golden);
        assert!(tensors.iter().any(|(tensor, _)| tensor.shape.len() == 3));
        let decoder = golden::decoder(&golden::stored(&golden.config, tensors));
        let tokens = &golden.answers[0].prompt;
        assert_eq!(last_logits(&decoder, tokens), last_logits(&golden.decoder(), tokens));
    }
}

#[test]
fn numbers_stored_in_bf16_compute_what_they_do_in_f32() {
    // Not Gemma's, which rounds one number more where weights are BF16.
    for (name, golden) in Golden::all().filter(|(name, _)| *name != "gemma2") {
        let narrow = golden::stored_as(
            "BF16",
            |number| half::bf16::from_f32(number).to_le_bytes(),
            &golden.config,
            golden.stored_tensors(),
        );
        let round = |numbers: Vec<f32>| numbers.into_iter().map(|one| half::bf16::from_f32(one).to_f32()).collect();
        let rounded = golden.stored_tensors().map(|(tensor, numbers)| (tensor, round(numbers)));
        let wide = golden::stored(&golden.config, rounded);
        let tokens = &golden.answers[0].prompt;
        let [narrow, wide] = [narrow, wide].map(|model| last_logits(&golden::decoder(&model), tokens));
        assert_close(&narrow, &wide, name);
    }
}

#[test]
fn a_model_has_as_many_parameters_as_its_file() {
    for (name, golden) in Golden::all() {
        let stored: usize = golden.tensors.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
        assert_eq!(golden.decoder().parameters(), stored as u64, "{name}");
    }
}

#[test]
fn mixtures_that_cannot_be_computed_are_refused_by_name() {
    let golden = Golden::named("qwen3_moe");
    let refused = [
        (json!({ "num_experts_per_tok": 7 }), "7 experts for each token (num_experts_per_tok)"),
        (json!({ "num_experts": 7 }), "[6, 48], where config.json asks for [7, 48]"),
        (json!({ "mlp_only_layers": [1.5] }), "mlp_only_layers"),
        (json!({ "mlp_only_layers": [0, 1] }), "no gate_proj weight in layer 0"),
        (json!({ "decoder_sparse_step": 0 }), "decoder_sparse_step"),
        (json!({ "norm_topk_prob": 1 }), "norm_topk_prob"),
        (json!({ "moe_intermediate_size": null }), "moe_intermediate_size"),
    ];
    for (change, message) in refused {
        let told = loading(&golden, |config| {
            config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        });
        assert!(told.contains(message), "{told}");
    }
}

#[test]
fn long_ropes_that_cannot_be_computed_are_refused_by_name() {
    let golden = Golden::named("phi3_longrope");
    let refused = [
        ("short_factor", json!([1.0, 2.0]), "short_factor is \"2 numbers\""),
        ("long_factor", json!([1.0, 2.0, 0.0, 4.0]), "long_factor"),
        ("long_factor", json!(null), "long_factor"),
        ("long_factor", json!(["a"]), "a list of numbers"),
    ];
    for (key, value, message) in refused {
        let told = loading(&golden, |config| config["rope_parameters"][key] = value);
        assert!(told.contains(message), "{told}");
    }
    let told = loading(&golden, |config| {
        config["original_max_position_embeddings"] = Value::Null;
        config["rope_parameters"]["original_max_position_embeddings"] = Value::Null;
    });
    assert!(told.contains("original_max_position_embeddings"), "{told}");
}

#[test]
fn state_spaces_that_cannot_be_computed_are_refused_by_name() {
    let golden = Golden::named("mamba");
    let refused = [
        (json!({ "model_type": "falcon_mamba" }), "falcon_mamba"),
        (json!({ "model_type": "mamba2" }), "mamba2"),
        (json!({ "conv_kernel": 1 }), "conv_kernel"),
        (json!({ "hidden_act": "relu" }), "hidden_act"),
        (json!({ "time_step_rank": "full" }), "time_step_rank"),
        (json!({ "time_step_rank": 4 }), "where config.json asks for"),
        (json!({ "expand": 4 }), "where config.json asks for"),
    ];
    for (change, message) in refused {
        let told = loading(&golden, |config| {
            config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        });
        assert!(told.contains(message), "{told}");
    }
}

#[test]
fn a_state_space_without_a_bias_is_not_run_as_if_it_had_none() {
    for bias in ["dt_proj", "in_proj", "out_proj", "conv1d"] {
        let mut golden = Golden::named("mamba");
        golden.tensors.retain(|tensor| tensor.name != format!("backbone.layers.2.mixer.{bias}.bias"));
        let told = loading(&golden, |_| {});
        assert!(told.contains(bias) && told.contains("bias in layer 2"), "{told}");
    }
}

#[test]
fn tokens_that_a_state_does_not_expect_are_refused() {
    let decoder = Golden::named("mamba").decoder();
    let cache = decoder.cache(1, 32).unwrap();
    let forward = |positions: &[usize]| {
        let places: Vec<_> = positions.iter().map(|&position| Place { sequence: 0, position }).collect();
        let count = places.len();
        let batch = Batch { tokens: vec![5; count], places: places.into(), lengths: vec![4; count], wanted: vec![0] };
        decoder.forward(&batch, &cache).map(|logits| logits.to_vec2::<f32>().unwrap())
    };
    let first = forward(&[0, 1, 2]).unwrap();
    for (positions, message) in
        [(&[2][..], "does not follow the 3 tokens"), (&[4], "begin it anew"), (&[3, 5], "do not follow each other")]
    {
        assert!(forward(positions).unwrap_err().to_string().contains(message));
    }
    forward(&[3]).unwrap();
    assert_eq!(forward(&[0, 1, 2]).unwrap(), first);
}

#[test]
fn a_qwen2_without_a_bias_is_not_run_as_if_it_had_none() {
    let mut golden = Golden::named("qwen2");
    golden.tensors.retain(|tensor| tensor.name != "model.layers.1.self_attn.k_proj.bias");
    assert!(loading(&golden, |_| {}).contains("k_proj bias in layer 1"));
}
