//! Controls and alignment, as identities on small random models of several families.

use std::collections::BTreeMap;

use super::*;
use crate::checkpoint::CheckpointFiles;
use crate::random::Stream;
use crate::source::MemorySource;

const HIDDEN: usize = 12;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD: usize = 3;
const INNER: usize = 10;
const VOCABULARY: usize = 9;

/// A family as these tests need it: its configuration, its tensors, what its gains are stored around, and how it stores matrices.
struct Family {
    config: &'static str,
    tensors: fn() -> Vec<(String, Vec<usize>)>,
    around: f32,
}

const LLAMA: Family = Family {
    config: r#"{"model_type": "qwen2", "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 3, "hidden_size": 12,
        "intermediate_size": 10, "num_hidden_layers": 2, "tie_word_embeddings": false}"#,
    tensors: || llama(&["bias"], false),
    around: 1.0,
};

const QWEN3: Family = Family { tensors: || llama(&["q_norm"], false), ..LLAMA };

const GEMMA: Family = Family {
    config: r#"{"model_type": "gemma2", "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 3, "hidden_size": 12,
        "intermediate_size": 10, "num_hidden_layers": 2, "tie_word_embeddings": true}"#,
    tensors: || llama(&["feedforward"], true),
    around: 0.0,
};

const PHI: Family = Family {
    config: r#"{"model_type": "phi3", "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 3, "hidden_size": 12,
        "intermediate_size": 10, "num_hidden_layers": 2, "tie_word_embeddings": false}"#,
    tensors: || llama(&["fused"], false),
    around: 1.0,
};

/// Norms with shifts, matrices stored the other way round, queries, keys and values as columns of one.
const GPT2: Family = Family {
    config: r#"{"model_type": "gpt2", "n_head": 4, "n_embd": 12, "n_layer": 1, "tie_word_embeddings": true}"#,
    tensors: || {
        let tensor = |name: &str, shape: &[usize]| (name.to_owned(), shape.to_vec());
        vec![
            tensor("wte.weight", &[VOCABULARY, HIDDEN]),
            tensor("h.0.ln_1.weight", &[HIDDEN]),
            tensor("h.0.ln_1.bias", &[HIDDEN]),
            tensor("h.0.attn.c_attn.weight", &[HIDDEN, 3 * HIDDEN]),
            tensor("h.0.attn.c_attn.bias", &[3 * HIDDEN]),
            tensor("h.0.attn.c_proj.weight", &[HIDDEN, HIDDEN]),
            tensor("h.0.attn.c_proj.bias", &[HIDDEN]),
            tensor("h.0.ln_2.weight", &[HIDDEN]),
            tensor("h.0.ln_2.bias", &[HIDDEN]),
            tensor("h.0.mlp.c_fc.weight", &[HIDDEN, INNER]),
            tensor("h.0.mlp.c_fc.bias", &[INNER]),
            tensor("h.0.mlp.c_proj.weight", &[INNER, HIDDEN]),
            tensor("h.0.mlp.c_proj.bias", &[HIDDEN]),
            tensor("ln_f.weight", &[HIDDEN]),
            tensor("ln_f.bias", &[HIDDEN]),
        ]
    },
    around: 1.0,
};

/// Names and shapes with Llama's names, and what is special about a relative.
fn llama(special: &[&str], tied: bool) -> Vec<(String, Vec<usize>)> {
    let is = |word| special.contains(&word);
    let mut tensors = vec![("model.embed_tokens.weight".to_owned(), vec![VOCABULARY, HIDDEN])];
    for layer in 0..2 {
        let mut add =
            |name: &str, shape: &[usize]| tensors.push((format!("model.layers.{layer}.{name}"), shape.to_vec()));
        add("input_layernorm.weight", &[HIDDEN]);
        add("post_attention_layernorm.weight", &[HIDDEN]);
        let (queries, values) = (HEADS * HEAD, KV_HEADS * HEAD);
        if is("fused") {
            add("self_attn.qkv_proj.weight", &[queries + 2 * values, HIDDEN]);
            add("mlp.gate_up_proj.weight", &[2 * INNER, HIDDEN]);
        } else {
            for (name, rows) in [("q", queries), ("k", values), ("v", values)] {
                add(&format!("self_attn.{name}_proj.weight"), &[rows, HIDDEN]);
                if is("bias") {
                    add(&format!("self_attn.{name}_proj.bias"), &[rows]);
                }
            }
            add("mlp.gate_proj.weight", &[INNER, HIDDEN]);
            add("mlp.up_proj.weight", &[INNER, HIDDEN]);
        }
        if is("q_norm") {
            add("self_attn.q_norm.weight", &[HEAD]);
            add("self_attn.k_norm.weight", &[HEAD]);
        }
        if is("feedforward") {
            add("pre_feedforward_layernorm.weight", &[HIDDEN]);
            add("post_feedforward_layernorm.weight", &[HIDDEN]);
        }
        add("self_attn.o_proj.weight", &[HIDDEN, queries]);
        add("mlp.down_proj.weight", &[HIDDEN, INNER]);
    }
    tensors.push(("model.norm.weight".to_owned(), vec![HIDDEN]));
    if !tied {
        tensors.push(("lm_head.weight".to_owned(), vec![VOCABULARY, HIDDEN]));
    }
    tensors
}

impl Family {
    /// A random model; the values in `set` instead of those drawn for some tensors.
    fn model_with(&self, name: &str, set: &[(&str, f32)]) -> Arc<Model> {
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = (self.tensors)()
            .into_iter()
            .map(|(tensor, shape)| {
                let is_gain = shape.len() == 1 && !tensor.ends_with("bias");
                let mut values = vec![0.0; shape.iter().product()];
                Stream::new(1, &format!("{name} {tensor}"), 0).fill_gaussian(0, &mut values);
                let (around, deviation) = if is_gain { (self.around, 0.2) } else { (0.0, 0.5) };
                values.iter_mut().for_each(|value| *value = around + deviation * *value);
                if let Some((_, value)) = set.iter().find(|(known, _)| *known == tensor) {
                    values.fill(*value);
                }
                (tensor, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            })
            .collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
            (name.as_str(), view.unwrap())
        });
        let file = safetensors::serialize(views, None).unwrap();
        let files = CheckpointFiles {
            reference: name.into(),
            shards: vec![Arc::new(MemorySource::new("model.safetensors", file))],
            index: None,
            side_files: BTreeMap::from([("config.json".into(), self.config.into())]),
            notes: Vec::new(),
        };
        Arc::new(Model::new(pollster::block_on(Checkpoint::read(files)).unwrap(), None))
    }

    fn pair(&self) -> [Arc<Model>; 2] {
        ["A", "B"].map(|name| self.model_with(name, &[]))
    }
}

fn view([a, b]: &[Arc<Model>; 2], step: &str) -> Result<View, String> {
    let words = |error: RecipeError| match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let recipe = Recipe::parse_inline(&format!("A; {step}")).map_err(words)?;
    let view = View::new(recipe, "made", vec![a.clone(), b.clone()], SHARD_BYTES).map_err(words)?;
    pollster::block_on(view.check()).map_err(words)?;
    Ok(view)
}

fn told(pair: &[Arc<Model>; 2], step: &str) -> Vec<String> {
    let view = view(pair, step).unwrap_or_else(|error| panic!("{step}: {error}"));
    pollster::block_on(view.report()).unwrap().findings
}

fn make(pair: &[Arc<Model>; 2], step: &str) -> Model {
    let view = view(pair, step).unwrap_or_else(|error| panic!("{step}: {error}"));
    pollster::block_on(view.model("made")).unwrap()
}

#[track_caller]
fn refuse(pair: &[Arc<Model>; 2], step: &str, words: &str) {
    let message = view(pair, step).err().unwrap_or_else(|| panic!("{step} was followed"));
    assert!(message.contains(words), "{words:?} is not in {message:?}");
}

fn values(model: &Model, name: &str) -> Vec<f64> {
    let bytes = bytes(model, name);
    bytes.chunks(4).map(|value| f32::from_le_bytes(value.try_into().unwrap()).into()).collect()
}

/// The change of a tensor, in f32 as it is computed.
fn change(after: &Model, before: &Model, name: &str) -> Vec<f64> {
    values(after, name).iter().zip(values(before, name)).map(|(after, before)| after - before).collect()
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

#[track_caller]
fn assert_close(ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() < 2e-5, "{ours} is not {theirs}");
    }
}

/// W (g ⊙ x + β) + b of a random x, in f64: what a module gives that reads a norm.
fn outputs(family: &Family, model: &Model, norm: &str, module: &str) -> Vec<f64> {
    let mut x = vec![0.0; HIDDEN];
    Stream::new(1, "x", 0).fill_gaussian(0, &mut x);
    let optional = |name: String| model.checkpoint.tensor(&name).map(|_| values(model, &name));
    let plus = f64::from(1.0 - family.around);
    let shift = optional(format!("{norm}.bias")).unwrap_or_else(|| vec![0.0; HIDDEN]);
    let gains = values(model, &format!("{norm}.weight"));
    let read: Vec<f64> =
        x.iter().zip(&gains).zip(shift).map(|((&x, gain), shift)| (gain + plus) * f64::from(x) + shift).collect();
    let weight = values(model, &format!("{module}.weight"));
    let outputs = weight.len() / HIDDEN;
    let is_turned = family.config.contains("gpt2");
    let at = |output: usize, input: usize| {
        weight[if is_turned { input * outputs + output } else { output * HIDDEN + input }]
    };
    let bias = optional(format!("{module}.bias")).unwrap_or_else(|| vec![0.0; outputs]);
    (0..outputs)
        .map(|output| (0..HIDDEN).map(|input| at(output, input) * read[input]).sum::<f64>() + bias[output])
        .collect()
}

const INPUT: &str = "model.layers.1.input_layernorm";
const POST: &str = "model.layers.1.post_attention_layernorm";
const FEEDFORWARD: &str = "model.layers.1.pre_feedforward_layernorm";

mod folding {
    use super::*;

    #[test]
    fn what_is_taken_gives_under_the_bases_norm_what_it_gave_under_its_own() {
        for (family, step, norm, module) in [
            (LLAMA, "qkv", INPUT, "model.layers.1.self_attn.v_proj"),
            (LLAMA, "mlp", POST, "model.layers.1.mlp.up_proj"),
            (LLAMA, "head", "model.norm", "lm_head"),
            (GEMMA, "mlp", FEEDFORWARD, "model.layers.1.mlp.gate_proj"),
            (PHI, "qkv", INPUT, "model.layers.1.self_attn.qkv_proj"),
            (GPT2, "qkv", "h.0.ln_1", "h.0.attn.c_attn"),
            (GPT2, "mlp", "h.0.ln_2", "h.0.mlp.c_fc"),
        ] {
            let pair = family.pair();
            let made = make(&pair, &format!("take {step} align fold from B"));
            assert_close(&outputs(&family, &made, norm, module), &outputs(&family, &pair[1], norm, module));
            let gains = format!("{norm}.weight");
            assert_eq!(values(&made, &gains), values(&pair[0], &gains));
        }
    }

    #[test]
    fn the_donors_norms_with_every_reader_refolded_change_nothing() {
        for (family, step, places) in [
            (
                LLAMA,
                "norm",
                &[
                    (INPUT, "model.layers.1.self_attn.q_proj"),
                    (POST, "model.layers.1.mlp.up_proj"),
                    ("model.norm", "lm_head"),
                ][..],
            ),
            (PHI, "norm", &[(INPUT, "model.layers.1.self_attn.qkv_proj")]),
            (
                GEMMA,
                "norm & !final_norm",
                &[(FEEDFORWARD, "model.layers.1.mlp.gate_proj"), (INPUT, "model.layers.1.self_attn.v_proj")],
            ),
            (GPT2, "norm & !final_norm", &[("h.0.ln_1", "h.0.attn.c_attn"), ("h.0.ln_2", "h.0.mlp.c_fc")]),
        ] {
            let pair = family.pair();
            let made = make(&pair, &format!("take {step} align fold from B"));
            for (norm, module) in places {
                let gains = format!("{norm}.weight");
                assert_eq!(values(&made, &gains), values(&pair[1], &gains));
                assert_close(&outputs(&family, &made, norm, module), &outputs(&family, &pair[0], norm, module));
            }
        }
    }

    #[test]
    fn a_norm_and_some_of_its_readers_leave_each_what_it_was() {
        const Q: &str = "model.layers.1.self_attn.q_proj";
        const K: &str = "model.layers.1.self_attn.k_proj";
        const FUSED: &str = "h.0.attn.c_attn";
        for (family, norm, taken, kept) in [(LLAMA, INPUT, Q, K), (GPT2, "h.0.ln_1", FUSED, FUSED)] {
            let pair = family.pair();
            let made = make(&pair, "take q_proj + input_norm align fold from B");
            assert_eq!(values(&made, &format!("{norm}.weight")), values(&pair[1], &format!("{norm}.weight")));
            let (queries, of_b) = (outputs(&family, &made, norm, taken), outputs(&family, &pair[1], norm, taken));
            assert_close(&queries[..HEADS * HEAD], &of_b[..HEADS * HEAD]);
            let (keys, of_a) = (outputs(&family, &made, norm, kept), outputs(&family, &pair[0], norm, kept));
            let stay = if taken == kept { HEADS * HEAD } else { 0 };
            assert_close(&keys[stay..], &of_a[stay..]);
        }
    }

    #[test]
    fn one_module_of_a_fused_tensor_is_folded_and_the_others_stay() {
        let pair = GPT2.pair();
        let made = make(&pair, "take v_proj align fold from B");
        let [a, b, made] =
            [&pair[0], &pair[1], &Arc::new(made)].map(|model| outputs(&GPT2, model, "h.0.ln_1", "h.0.attn.c_attn"));
        assert_close(&made[..2 * HIDDEN], &a[..2 * HIDDEN]);
        assert_close(&made[2 * HIDDEN..], &b[2 * HIDDEN..]);
    }

    #[test]
    fn a_norm_that_follows_a_module_travels_with_it() {
        for (family, step, norm, stays) in [
            (QWEN3, "q_proj", "model.layers.1.self_attn.q_norm.weight", "model.layers.1.self_attn.k_norm.weight"),
            (
                GEMMA,
                "mlp",
                "model.layers.1.post_feedforward_layernorm.weight",
                "model.layers.1.post_attention_layernorm.weight",
            ),
        ] {
            let pair = family.pair();
            let step = format!("take {step} align fold from B");
            let made = make(&pair, &step);
            assert_eq!(values(&made, norm), values(&pair[1], norm));
            assert_eq!(values(&made, stays), values(&pair[0], stays));
            let findings = told(&pair, &step);
            assert!(findings.iter().any(|finding| finding.contains("is taken too")), "{findings:?}");
        }
        refuse(&QWEN3.pair(), "take heads 1 & q_proj align fold from B", "q_norm follows all of q_proj");
    }

    #[test]
    fn what_reads_no_norm_is_told_and_alone_is_refused() {
        let pair = LLAMA.pair();
        let findings = told(&pair, "take attn align fold from B");
        assert!(findings.iter().any(|finding| finding.ends_with("taken as they are: o_proj")), "{findings:?}");
        let made = make(&pair, "take attn align fold from B");
        let o_proj = "model.layers.0.self_attn.o_proj.weight";
        assert_eq!(values(&made, o_proj), values(&pair[1], o_proj));
        refuse(&pair, "take o_proj align fold from B", "o_proj reads no norm that could be folded; `align scale`");
        let findings = told(&QWEN3.pair(), "take norm align fold from B");
        assert!(findings.iter().any(|finding| finding.starts_with("k_norm, q_norm follows a module that stays")));
    }

    #[test]
    fn what_cannot_be_folded_is_refused_with_what_to_do() {
        refuse(&GEMMA.pair(), "take norm align fold from B", "Leave final_norm out");
        refuse(&GEMMA.pair(), "take embed align fold from B", "Select final_norm as well");
        refuse(&LLAMA.pair(), "take qkv align calibrate from B", "cannot run");
        let silent = [LLAMA.model_with("A", &[(&format!("{INPUT}.weight"), 0.0)]), LLAMA.model_with("B", &[])];
        refuse(&silent, "take qkv align fold from B", "take the donor's norms too");
        const STRANGE: Family = Family { config: r#"{"model_type": "strange"}"#, ..LLAMA };
        refuse(&STRANGE.pair(), "take qkv align fold from B", "no family table names strange");
        // There is nowhere to put the shifts of its norm.
        const BARE: Family = Family {
            tensors: || (GPT2.tensors)().into_iter().filter(|(name, _)| !name.ends_with("c_fc.bias")).collect(),
            ..GPT2
        };
        refuse(&BARE.pair(), "take up_proj align fold from B", "and up_proj has none");
    }
}

mod scaling {
    use super::*;

    #[test]
    fn a_matrix_gets_the_norm_of_the_one_that_it_replaces() {
        let pair = LLAMA.pair();
        let made = make(&pair, "take o_proj & layers 0 + mlp align scale from B");
        for name in ["model.layers.0.self_attn.o_proj.weight", "model.layers.1.mlp.down_proj.weight"] {
            let [a, b, made] = [&*pair[0], &*pair[1], &made].map(|model| values(model, name));
            let factor = norm(&a) / norm(&b);
            assert!((norm(&made) / norm(&a) - 1.0).abs() < 1e-6);
            assert_close(&made, &b.iter().map(|value| value * factor).collect::<Vec<_>>());
        }
    }

    #[test]
    fn values_and_outputs_share_the_product_of_their_norms() {
        let pair = LLAMA.pair();
        let made = make(&pair, "take v_proj + o_proj align scale from B");
        let [v, bias, o] =
            ["v_proj.weight", "v_proj.bias", "o_proj.weight"].map(|name| format!("model.layers.1.self_attn.{name}"));
        let norms = |model: &Model| norm(&values(model, &v)) * norm(&values(model, &o));
        assert!((norms(&made) / norms(&pair[0]) - 1.0).abs() < 1e-6);
        let factor = (norms(&pair[0]) / norms(&pair[1])).sqrt();
        for name in [&v, &bias, &o] {
            assert_close(&values(&made, name), &values(&pair[1], name).iter().map(|b| b * factor).collect::<Vec<_>>());
        }
    }

    #[test]
    fn norms_alone_are_no_matrices_to_match() {
        refuse(&LLAMA.pair(), "take norm align scale from B", "matches the size of matrices");
    }
}

mod controls {
    use super::*;

    const O_PROJ: &str = "model.layers.1.self_attn.o_proj.weight";
    const QKV: &str = "model.layers.1.self_attn.qkv_proj.weight";

    #[test]
    fn shuffling_and_turning_keep_what_was_changed_by_how_much() {
        let pair = LLAMA.pair();
        let delta = change(&pair[1], &pair[0], O_PROJ);
        for (control, of) in [("shuffle", f64::from as fn(f64) -> f64), ("sign", f64::abs), ("rotate", f64::abs)] {
            let made = make(&pair, &format!("take o_proj control {control} seed 3 from B"));
            let changed = change(&made, &pair[0], O_PROJ);
            assert_ne!(changed, delta);
            assert_close(
                &sorted(changed.iter().map(|&value| of(value))),
                &sorted(delta.iter().map(|&value| of(value))),
            );
            let other = make(&pair, &format!("take o_proj control {control} seed 4 from B"));
            assert_ne!(values(&made, O_PROJ), values(&other, O_PROJ), "another seed draws others");
        }
    }

    #[test]
    fn rotating_keeps_the_singular_values() {
        // ‖δδᵀ‖² is the sum of their fourth powers, while every control keeps that of their squares, ‖δ‖².
        let fourth = |delta: &[f64]| {
            let rows: Vec<&[f64]> = delta.chunks(HEADS * HEAD).collect();
            let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
            rows.iter().flat_map(|x| rows.iter().map(move |y| product(x, y).powi(2))).sum::<f64>()
        };
        let pair = LLAMA.pair();
        let of =
            |control: &str| change(&make(&pair, &format!("take o_proj control {control} from B")), &pair[0], O_PROJ);
        let delta = fourth(&change(&pair[1], &pair[0], O_PROJ));
        assert!((fourth(&of("rotate")) / delta - 1.0).abs() < 1e-5);
        assert!((fourth(&of("shuffle")) / delta - 1.0).abs() > 1e-3);
    }

    #[test]
    fn noise_is_as_large_as_the_change() {
        let pair = LLAMA.pair();
        let made = make(&pair, "take o_proj control noise from B");
        let quotient = norm(&change(&made, &pair[0], O_PROJ)) / norm(&change(&pair[1], &pair[0], O_PROJ));
        assert!((quotient - 1.0).abs() < 1e-5, "{quotient}");
    }

    #[test]
    fn a_module_inside_a_fused_tensor_is_controlled_by_itself() {
        let pair = PHI.pair();
        let made = make(&pair, "take v_proj + q_proj control shuffle from B");
        let (delta, changed) = (change(&pair[1], &pair[0], QKV), change(&made, &pair[0], QKV));
        let rows = |first: usize, end: usize| first * HIDDEN..end * HIDDEN;
        for rows in [rows(0, 12), rows(18, 24)] {
            assert_ne!(changed[rows.clone()], delta[rows.clone()]);
            assert_close(&sorted(changed[rows.clone()].iter().copied()), &sorted(delta[rows].iter().copied()));
        }
        assert!(changed[rows(12, 18)].iter().all(|change| *change == 0.0), "the keys stay");
    }

    #[test]
    fn some_heads_are_controlled_among_themselves() {
        let pair = LLAMA.pair();
        for control in ["shuffle", "rotate", "sign", "noise"] {
            let made = make(&pair, &format!("take heads 1..3 & o_proj control {control} from B"));
            let (delta, changed) = (change(&pair[1], &pair[0], O_PROJ), change(&made, &pair[0], O_PROJ));
            let is_selected = |at: &usize| (HEAD..3 * HEAD).contains(&(at % (HEADS * HEAD)));
            let (own, others): (Vec<usize>, Vec<usize>) = (0..delta.len()).partition(is_selected);
            assert!(others.iter().all(|&at| changed[at] == 0.0), "{control}");
            let of = |values: &[f64]| norm(&own.iter().map(|&at| values[at]).collect::<Vec<_>>());
            assert!((of(&changed) / of(&delta) - 1.0).abs() < 1e-5, "{control}");
        }
    }

    #[test]
    fn what_is_aligned_can_be_controlled() {
        let pair = LLAMA.pair();
        let name = "model.layers.1.self_attn.q_proj.weight";
        let delta = change(&make(&pair, "take qkv align fold from B"), &pair[0], name);
        let changed = change(&make(&pair, "take qkv control shuffle align fold from B"), &pair[0], name);
        assert_close(&sorted(changed), &sorted(delta));
    }

    #[test]
    fn pieces_are_those_of_the_whole() {
        for (family, step) in [
            (PHI, "take qkv control shuffle from B"),
            (PHI, "take up_proj control rotate align fold from B"),
            (LLAMA, "take qkv control noise from B"),
            (LLAMA, "take heads 1 & q_proj control sign from B"),
            (GPT2, "take v_proj + o_proj control gauge from B"),
            (GPT2, "take qkv align fold from B"),
            (LLAMA, "take attn + norm control shuffle align fold from B"),
            (PHI, "take v_proj + o_proj control gauge from B"),
        ] {
            let view = view(&family.pair(), step).unwrap();
            for shard in view.files("made").shards {
                let whole = pollster::block_on(shard.read(0..shard.length())).unwrap().bytes().into_owned();
                for first in (0..shard.length()).step_by(37) {
                    let end = shard.length().min(first + 37);
                    let piece = pollster::block_on(shard.read(first..end)).unwrap().bytes().into_owned();
                    assert_eq!(piece, whole[first as usize..end as usize], "{step}: {first}");
                }
            }
        }
    }

    /// `W_o · W_v` of each pair of heads, row by row; and `W_o · b_v`.
    fn circuits(family: &Family, model: &Model) -> Vec<f64> {
        let is_turned = family.config.contains("gpt2");
        let kv_heads = if is_turned { HEADS } else { KV_HEADS };
        let (prefix, rows) =
            if is_turned { ("h.0.attn.c_attn", 2 * HIDDEN) } else { ("model.layers.1.self_attn.qkv_proj", 18) };
        let fused = model.checkpoint.tensor(&format!("{prefix}.weight")).is_some();
        let (v, rows) = if fused { (prefix, rows) } else { ("model.layers.1.self_attn.v_proj", 0) };
        let bias = model.checkpoint.tensor(&format!("{v}.bias")).map(|_| values(model, &format!("{v}.bias")));
        let o = values(model, if is_turned { "h.0.attn.c_proj.weight" } else { O_PROJ });
        let weights = values(model, &format!("{v}.weight"));
        let at_v = |row: usize, input: usize| {
            let row = rows + row;
            weights[if is_turned { input * 3 * HIDDEN + row } else { row * HIDDEN + input }]
        };
        let at_o = |output: usize, column: usize| {
            o[if is_turned { column * HIDDEN + output } else { output * HEADS * HEAD + column }]
        };
        let mut products = Vec::new();
        for head in 0..HEADS {
            let own = |feature: usize| head / (HEADS / kv_heads) * HEAD + feature;
            for output in 0..HIDDEN {
                let sum = |value: &dyn Fn(usize) -> f64| {
                    (0..HEAD).map(|feature| at_o(output, head * HEAD + feature) * value(own(feature))).sum::<f64>()
                };
                products.extend((0..HIDDEN).map(|input| sum(&|row| at_v(row, input))));
                products.extend(bias.iter().map(|bias| sum(&|row| bias[rows + row])));
            }
        }
        products
    }

    #[test]
    fn a_gauge_changes_values_and_outputs_and_not_their_product() {
        for (family, output) in [(LLAMA, O_PROJ), (PHI, O_PROJ), (GPT2, "h.0.attn.c_proj.weight")] {
            let pair = family.pair();
            let made = make(&pair, "take v_proj + o_proj control gauge seed 3 from B");
            assert_close(&circuits(&family, &made), &circuits(&family, &pair[0]));
            let before = values(&pair[0], output);
            assert!(norm(&change(&made, &pair[0], output)) > 0.5 * norm(&before), "it is another matrix");
        }
    }

    #[test]
    fn a_gauge_needs_all_of_what_it_turns() {
        let pair = LLAMA.pair();
        let refuse = |step: &str, words: &str| refuse(&pair, step, words);
        refuse(
            "take v_proj control gauge from B",
            "in layer 0 the weight of o_proj was not selected; select `v_proj + o_proj`",
        );
        refuse("take v_proj & weight + o_proj control gauge from B", "the bias of v_proj was not selected");
        refuse("take attn control gauge from B", "turns the values of heads and nothing else, and k_proj was selected");
        refuse("take heads 1 & v_proj + o_proj control gauge from B", "a part of v_proj was selected");
        refuse("take v_proj + o_proj control gauge align fold from B", "nothing comes from the donor");
    }

    #[test]
    fn the_seed_and_what_was_done_are_told() {
        let view = view(&LLAMA.pair(), "take o_proj control shuffle seed 7 from B").unwrap();
        let report = pollster::block_on(view.report()).unwrap();
        assert_eq!(report.envelope.seed, Some(7));
        let tensor = report.tensors.iter().find(|tensor| tensor.name == O_PROJ).unwrap();
        let part = &tensor.parts[0];
        assert_eq!((part.what, part.from.as_deref(), part.elements), (What::Controlled, Some("B"), 144));
    }

    #[test]
    fn a_model_that_changes_nothing_has_nothing_to_control() {
        let pair = LLAMA.pair();
        let pair = [pair[0].clone(), pair[0].clone()];
        for control in ["shuffle", "noise", "sign", "rotate"] {
            let made = make(&pair, &format!("take all control {control} from B"));
            assert_same(&made, &pair[0]);
        }
    }
}

#[test]
fn modifiers_stand_before_the_donor_and_unknown_ones_are_refused_with_what_there_is() {
    let text = "A; take o_proj control noise align scale seed 3 from B; take norm align fold from B";
    assert_eq!(Recipe::parse_inline(text).unwrap().to_string(), text);
    let yaml = "base: A\nsteps:\n- take: {from: B, select: o_proj, control: noise, align: scale, seed: 3}\n\
                - take: {from: B, select: norm, align: fold}";
    assert_eq!(Recipe::parse_yaml("f", yaml).unwrap(), Recipe::parse_inline(text).unwrap());
    let unseeded = Recipe::parse_inline("A; take o_proj control noise from B").unwrap();
    assert_eq!(
        (unseeded.to_string().as_str(), unseeded.seed()),
        ("A; take o_proj control noise seed 0 from B", Some(0))
    );
    for (text, words) in [
        ("A; take o_proj control salt from B", "`shuffle`, `noise`, `sign`, `rotate` or `gauge` was expected"),
        ("A; take o_proj align fond from B", "`fold`, `scale` or `calibrate` was expected"),
        ("A; take o_proj align fold control noise from B", "`from` was expected"),
        ("A; take o_proj seed x from B", "a number below 2^64"),
    ] {
        let message = Recipe::parse_inline(text).unwrap_err().to_string();
        assert!(message.contains(words), "{words:?} is not in {message:?}");
    }
    let yaml = "base: A\nsteps:\n- take: {from: B, select: o_proj, control: salt}";
    let message = Recipe::parse_yaml("f", yaml).unwrap_err().to_string();
    assert!(message.contains("line 3: found \"salt\" where `shuffle`, `noise`"), "{message}");
}
