//! Modules taken out of a model and plugged in elsewhere, LoRA adapters, and the spectra of changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use crate::checkpoints::{f32_tensor, folder, save, write};
use crate::recipes::{Stored, names, tensors};
use crate::tool::{assert_mentions, command, delta, refuse, root, start, succeed, text, wait_until};

const BASE: &str = "planted:base";
const TUNED: &str = "planted:tuned";

/// Runs `extract` of the planted pair's modules with these words.
#[track_caller]
fn extract(select: &str, out: &Path, more: &[&str]) -> Value {
    let words = [&["extract", BASE, TUNED, "--select", select, "-o", text(out), "--json", "-"], more].concat();
    serde_json::from_str(&succeed(&words)).expect("the report is JSON")
}

/// The tensors that a recipe makes.
#[track_caller]
fn made(folder: &Path, name: &str, recipe: &str) -> BTreeMap<String, Stored> {
    let out = folder.join(name);
    succeed(&["merge", recipe, "-o", text(&out)]);
    tensors(&out)
}

/// The values of a tensor of BF16 or F32.
fn values(tensor: &Stored) -> Vec<f32> {
    let bf16 = |bytes: &[u8]| f32::from_bits(u32::from(u16::from_le_bytes([bytes[0], bytes[1]])) << 16);
    let f32 = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    match tensor.dtype {
        Dtype::BF16 => tensor.bytes.chunks_exact(2).map(bf16).collect(),
        Dtype::F32 => tensor.bytes.chunks_exact(4).map(f32).collect(),
        other => panic!("{other:?} was not expected"),
    }
}

/// No value is further from the other than one unit in its last place of BF16.
#[track_caller]
fn assert_within_a_rounding(name: &str, one: &Stored, other: &Stored) {
    for (one, other) in values(one).into_iter().zip(values(other)) {
        let unit = one.abs().max(other.abs()) / 128.0;
        assert!((one - other).abs() <= unit, "{name}: {one} and {other}");
    }
}

fn data(name: &str) -> PathBuf {
    root().join("tests/data/plugins").join(name)
}

#[test]
fn taking_from_a_plug_in_is_taking_from_the_model_byte_for_byte() {
    let folder = folder();
    for (number, select) in ["o_proj & layers 3..6 + norm", "heads 1 & q_proj", "all"].iter().enumerate() {
        let plug = folder.path().join(format!("{number}.safetensors"));
        extract(select, &plug, &[]);
        let of = |donor: &str, name: &str| {
            made(folder.path(), &format!("{number}-{name}"), &format!("{BASE}; take {select} from {donor}"))
        };
        assert!(of(text(&plug), "plugged") == of(TUNED, "taken"), "{select}");
    }
}

#[test]
fn a_plug_in_holds_the_selected_modules_alone_and_says_what_it_fits() {
    let folder = folder();
    let plug = folder.path().join("plug.safetensors");
    let report = extract("o_proj & layers 3..6", &plug, &[]);
    assert_eq!((&report["schema"], &report["form"]), (&json!("stethoscope.extract/1"), &json!("modules")));
    let bytes = fs::read(&plug).expect("a file");
    let file = SafeTensors::deserialize(&bytes).expect("a file of tensors");
    let mut found = file.names();
    found.sort_unstable();
    assert_eq!(found, [3, 4, 5].map(|layer| format!("model.layers.{layer}.self_attn.o_proj.weight")));
    let said = succeed(&["inspect", text(&plug), "--json", "-"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let fingerprint = report["a"]["fingerprint"].as_str().expect("a fingerprint");
    assert_mentions(&said["oddities"].to_string(), &["this is a plug-in", "o_proj & layers 3..6", BASE, fingerprint]);
    // It stands in the place of B, too, where everything else is the base's.
    let changed = delta(Path::new(BASE), &plug, &["--norms-only"]);
    let rows = changed["tensors"].as_array().expect("rows");
    let rows = rows.iter().filter(|row| row["changed"] != json!(0));
    assert!(rows.clone().count() == 3 && rows.into_iter().all(|row| row["role"] == "o_proj"), "{changed}");
}

#[test]
fn a_difference_added_to_the_base_gives_the_model_to_one_rounding() {
    let folder = folder();
    let plug = folder.path().join("plug.safetensors");
    let report = extract("all", &plug, &["--as", "delta"]);
    assert_eq!(report["left_out"], json!([]));
    let plugged = made(folder.path(), "plugged", &format!("{BASE}; take all from {}", text(&plug)));
    let tuned = made(folder.path(), "tuned", &format!("{TUNED};"));
    assert!(plugged.keys().eq(tuned.keys()));
    for (name, tensor) in &plugged {
        assert_within_a_rounding(name, tensor, &tuned[name]);
    }
}

#[test]
fn an_adapter_of_full_rank_gives_the_model_to_rounding_and_one_of_less_what_it_says() {
    let folder = folder();
    let adapter = folder.path().join("adapter");
    let report = extract("qkv", &adapter, &["--as", "lora", "--rank", "128"]);
    assert!(report["relative_error"].as_f64().expect("a number") < 1e-6, "{}", report["relative_error"]);
    assert_eq!(names(&adapter), ["adapter_config.json", "adapter_model.safetensors"]);
    // Biases are no matrices: they are named, each with a reason.
    let left_out = report["left_out"].as_array().expect("a list");
    assert_eq!(left_out.len(), 36);
    assert!(left_out.iter().all(|one| one["tensor"].as_str().is_some_and(|name| name.ends_with(".bias"))));
    let recipe = format!("{BASE}; take all from {}", text(&adapter));
    let plugged = made(folder.path(), "plugged", &recipe);
    let tuned = made(folder.path(), "taken", &format!("{BASE}; take qkv & weight from {TUNED}"));
    for (name, tensor) in &plugged {
        assert_within_a_rounding(name, tensor, &tuned[name]);
    }

    let small = folder.path().join("small");
    let report = extract("o_proj & layers 5", &small, &["--as", "lora", "--rank", "4"]);
    let told = report["tensors"][0]["relative_error"].as_f64().expect("a number");
    assert_eq!(report["tensors"][0]["relative_error"], report["relative_error"]);
    let config: Value =
        serde_json::from_slice(&fs::read(small.join("adapter_config.json")).expect("a file")).expect("JSON");
    assert_eq!(config["target_modules"], json!(["model.layers.5.self_attn.o_proj"]));
    // In F32, so that no rounding hides what the adapter leaves.
    let made = tensors(&small);
    let down = &made["base_model.model.model.layers.5.self_attn.o_proj.lora_A.weight"];
    let up = &made["base_model.model.model.layers.5.self_attn.o_proj.lora_B.weight"];
    assert_eq!((&down.shape, &up.shape), (&vec![4, 128], &vec![128, 4]));
    let whole = folder.path().join("whole.safetensors");
    extract("o_proj & layers 5", &whole, &["--as", "delta"]);
    let bytes = fs::read(&whole).expect("a file");
    let view = SafeTensors::deserialize(&bytes).expect("a file of tensors");
    let change = view.tensor("model.layers.5.self_attn.o_proj.weight").expect("a tensor").data().to_vec();
    let change = values(&Stored { dtype: Dtype::F32, shape: vec![128, 128], bytes: change });
    let (down, up) = (values(down), values(up));
    let (mut rest, mut all) = (0.0, 0.0);
    for (at, &value) in change.iter().enumerate() {
        let (row, column) = (at / 128, at % 128);
        let product: f64 = (0..4).map(|k| f64::from(up[row * 4 + k]) * f64::from(down[k * 128 + column])).sum();
        rest += (f64::from(value) - product).powi(2);
        all += f64::from(value).powi(2);
    }
    let error = (rest / all).sqrt();
    assert!((error - told).abs() < 1e-5, "{error} is left, {told} was told");
}

/// Models that transformers wrote, and what PEFT merges our adapters of them to: `tests/goldens/peft_extracted.py` made them.
#[test]
fn peft_merges_an_extracted_adapter_to_what_it_is_here() {
    let folder = folder();
    for name in ["llama", "gpt2", "gpt-neox", "phi3", "bert"] {
        let place = data("extracted").join(name);
        let (a, b) = (place.join("a"), place.join("b"));
        let (adapter, out) = (folder.path().join(format!("{name}-adapter")), folder.path().join(name));
        succeed(&[
            "extract",
            text(&a),
            text(&b),
            "--select",
            "all",
            "--as",
            "lora",
            "--rank",
            "3",
            "-o",
            text(&adapter),
        ]);
        succeed(&["merge", &format!("{}; take all from {}", text(&a), text(&adapter)), "-o", text(&out)]);
        let (made, before) = (tensors(&out), tensors(&a));
        let merged = fs::read(place.join("merged.safetensors")).expect("a file");
        let merged = SafeTensors::deserialize(&merged).expect("a file of tensors");
        for (tensor, made) in &made {
            let wanted = match merged.tensor(tensor) {
                Ok(view) => Stored { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() },
                // PEFT has not changed it, and so it must not have been here.
                Err(_) => Stored { dtype: made.dtype, shape: made.shape.clone(), bytes: before[tensor].bytes.clone() },
            };
            for (found, wanted) in values(made).into_iter().zip(values(&wanted)) {
                assert!(
                    (found - wanted).abs() <= 1e-6 * wanted.abs().max(0.1),
                    "{name}, {tensor}: {found}, not {wanted}"
                );
            }
        }
        assert!(merged.len() >= 4, "{name}");
    }
}

#[test]
fn what_peft_would_not_adapt_is_left_out_by_name() {
    let folder = folder();
    let matrix = |rows: usize, columns: usize, seed: f32| {
        let values: Vec<f32> = (0..rows * columns).map(|at| (at as f32 * seed).sin()).collect();
        f32_tensor(&[rows, columns], &values)
    };
    let pair = |name: &str, config: &str, tensors: &[&str]| {
        [("a", 0.7), ("b", 0.9)].map(|(side, seed)| {
            let tensors: Vec<_> = tensors.iter().map(|name| (*name, matrix(8, 8, seed))).collect();
            let place = folder.path().join(format!("{name}-{side}"));
            save(&place, "model.safetensors", &tensors);
            write(&place, "config.json", config);
            place
        })
    };
    for (name, config, tensors, left_out, why) in [
        (
            "mixtral",
            r#"{"model_type": "mixtral", "num_hidden_layers": 1}"#,
            &[
                "model.layers.0.self_attn.o_proj.weight",
                "model.layers.0.block_sparse_moe.gate.weight",
                "model.layers.0.block_sparse_moe.experts.0.w1.weight",
            ][..],
            2,
            "in a model with experts",
        ),
        (
            "mamba",
            r#"{"model_type": "mamba", "num_hidden_layers": 1}"#,
            &["backbone.layers.0.mixer.x_proj.weight", "backbone.layers.0.mixer.out_proj.weight"],
            1,
            "no out_proj of Mamba",
        ),
        (
            "gpt2",
            r#"{"model_type": "gpt2", "n_layer": 1}"#,
            &["wpe.weight", "h.0.attn.c_proj.weight"],
            1,
            "it is an embedding",
        ),
    ] {
        let [a, b] = pair(name, config, tensors);
        let out = folder.path().join(name);
        let words =
            ["extract", text(&a), text(&b), "--select", "all", "--as", "lora", "--rank", "2", "--json", "-", "-o"];
        let report: Value = serde_json::from_str(&succeed(&[&words[..], &[text(&out)]].concat())).expect("JSON");
        let told = report["left_out"].as_array().expect("a list");
        assert_eq!(told.len(), left_out, "{name}: {told:?}");
        assert!(told.iter().all(|finding| finding["why"].as_str().is_some_and(|told| told.contains(why))), "{told:?}");
    }
}

/// The adapters, and what they come to, are PEFT's: `tests/goldens/peft_adapters.py` made them.
#[test]
fn an_adapter_on_its_base_is_what_peft_merges_it_to() {
    let folder = folder();
    for name in ["llama", "gpt2"] {
        let (base, adapter) = (data(&format!("{name}/base")), data(&format!("{name}/adapter")));
        let out = folder.path().join(name);
        let recipe = format!("{}; take all from {}", text(&base), text(&adapter));
        succeed(&["merge", &recipe, "-o", text(&out)]);
        let (plugged, before) = (tensors(&out), tensors(&base));
        let bytes = fs::read(data(&format!("{name}/merged.safetensors"))).expect("a file");
        let merged = SafeTensors::deserialize(&bytes).expect("a file of tensors");
        for (tensor, found) in &plugged {
            let Ok(view) = merged.tensor(tensor) else {
                assert_eq!(found, &before[tensor], "{tensor} is not the adapter's");
                continue;
            };
            assert_ne!(found, &before[tensor], "{tensor}");
            let bytes = view.data().to_vec();
            let wanted = values(&Stored { dtype: Dtype::F32, shape: found.shape.clone(), bytes });
            for (found, wanted) in values(found).into_iter().zip(wanted) {
                assert!((found - wanted).abs() <= 1e-6 * wanted.abs().max(0.1), "{tensor}: {found}, not {wanted}");
            }
        }
        // Its names do not say which weights it was made for, and that is said.
        let seen = succeed(&["merge", &recipe, "--dry-run", "--json", "-"]);
        assert_mentions(&seen, &["only names and shapes were compared", "org/base"]);
        assert!(!names(&out).contains(&"adapter_config.json".to_owned()));
    }
}

#[test]
fn an_adapter_that_cannot_be_followed_is_refused_by_name() {
    let folder = folder();
    let base = data("llama/base");
    let weights = fs::read(data("llama/adapter/adapter_model.safetensors")).expect("a file");
    let config = fs::read(data("llama/adapter/adapter_config.json")).expect("a file");
    let config: Value = serde_json::from_slice(&config).expect("JSON");
    let with = |name: &str, key: &str, value: Value| {
        let mut config = config.clone();
        config[key] = value;
        write(folder.path(), &format!("{name}/adapter_config.json"), config.to_string());
        write(folder.path(), &format!("{name}/adapter_model.safetensors"), &weights);
        folder.path().join(name)
    };
    let refused = |adapter: &Path| {
        refuse(1, &["merge", &format!("{}; take all from {}", text(&base), text(adapter)), "--dry-run"])
    };
    assert_mentions(&refused(&with("dora", "use_dora", json!(true))), &["adapter_config.json", "use_dora", "DoRA"]);
    assert_mentions(&refused(&with("other", "peft_type", json!("IA3"))), &["peft_type", "IA3", "LORA"]);
    assert_mentions(
        &refused(&with("rank", "rank_pattern", json!({}))),
        &["q_proj.lora_A.weight", "[2, 16]", "[4, 16]"],
    );
    assert_mentions(&refused(&with("turned", "fan_in_fan_out", json!(true))), &["lora_A", "expected"]);
    let broken = with("broken", "r", json!(4));
    write(&broken, "adapter_config.json", "{");
    assert_mentions(&refused(&broken), &["adapter_config.json cannot be followed"]);
    let half = with("half", "rank_pattern", json!({}));
    let name = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight";
    save(&half, "adapter_model.safetensors", &[(name, f32_tensor(&[4, 20], &[0.0; 80]))]);
    assert_mentions(&refused(&half), &["model.layers.0.mlp.down_proj", "the first"]);
    let strange = "base_model.model.model.layers.9.mlp.down_proj.lora_A.weight";
    save(&half, "adapter_model.safetensors", &[(strange, f32_tensor(&[4, 20], &[0.0; 80]))]);
    assert_mentions(&refused(&half), &["layers.9", "does not have"]);
}

#[test]
fn a_plug_in_is_refused_where_it_does_not_fit() {
    let folder = folder();
    let plug = folder.path().join("plug.safetensors");
    extract("o_proj", &plug, &["--as", "delta"]);
    let plug = text(&plug);
    // Another base.
    let message = refuse(1, &["merge", &format!("{TUNED}; take o_proj from {plug}"), "--dry-run"]);
    assert_mentions(&message, &["was made for", BASE, "is another model", "name the base that it was made for"]);
    // Modules that it does not have.
    let message = refuse(2, &["merge", &format!("{BASE}; take o_proj + k_proj from {plug}"), "--dry-run"]);
    assert_mentions(&message, &["plug-in", "`k_proj` matches nothing", "o_proj"]);
    // It is no model.
    for words in [&["merge", &format!("{plug}; take o_proj from {BASE}"), "--dry-run"][..], &["delta", plug, BASE]] {
        assert_mentions(&refuse(2, words), &["is a plug-in", "take all from"]);
    }
    // Its label is broken.
    let header = r#"{"__metadata__":{"stethoscope.plugin":"{\"form\":\"other\"}"},"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#;
    let broken = write(folder.path(), "broken/plug.safetensors", crate::checkpoints::file_of(header, &[]));
    let message = refuse(1, &["merge", &format!("{BASE}; take all from {}", text(&broken)), "--dry-run"]);
    assert_mentions(&message, &["label of this plug-in cannot be read", "later version"]);
}

#[test]
fn a_plug_in_can_be_merged_as_the_model_that_it_makes_of_the_base() {
    let folder = folder();
    let plug = folder.path().join("plug.safetensors");
    extract("o_proj", &plug, &["--as", "delta"]);
    let recipe = |donor: &str| {
        format!(
            "merge_method: linear\nbase_model: {BASE}\nmodels:\n- {{model: {BASE}, parameters: {{weight: 0.5}}}}\n- {{model: \"{donor}\", parameters: {{weight: 0.5}}}}\n"
        )
    };
    let [one, other] =
        [text(&plug).to_owned(), format!("{BASE}; take o_proj from {TUNED}")].map(|donor| recipe(&donor));
    let one = write(folder.path(), "one.yaml", one);
    let other = write(folder.path(), "other.yaml", other);
    assert!(made(folder.path(), "one", text(&one)) == made(folder.path(), "other", text(&other)));
}

/// As mergekit writes it: a model, `+`, and its adapter.
#[test]
fn a_recipe_of_mergekit_may_name_an_adapter_behind_its_model() {
    let folder = folder();
    let (base, adapter) = (data("llama/base"), data("llama/adapter"));
    let joined = format!("merge_method: passthrough\nmodels:\n- model: \"{}+{}\"\n", text(&base), text(&adapter));
    let joined = write(folder.path(), "joined.yaml", joined);
    let steps = format!("{}; take all from {}", text(&base), text(&adapter));
    assert!(made(folder.path(), "joined", text(&joined)) == made(folder.path(), "steps", &steps));
}

#[test]
fn extract_overwrites_nothing_unless_asked_and_leaves_nothing_behind() {
    let folder = folder();
    let place = folder.path();
    let taken = |out: &Path, more: &[&str]| {
        let words = ["extract", BASE, TUNED, "--select", "k_proj & layers 2", "-o", text(out)];
        [&words[..], more].concat().iter().map(|word| (*word).to_owned()).collect::<Vec<String>>()
    };
    let plug = place.join("plug.safetensors");
    succeed(&taken(&plug, &[]));
    let first = fs::read(&plug).expect("a file");
    assert_mentions(&refuse(2, &taken(&plug, &["--as", "delta"])), &["exists already", "--force"]);
    assert!(fs::read(&plug).expect("a file") == first);
    succeed(&taken(&plug, &["--as", "delta", "--force"]));
    assert!(fs::read(&plug).expect("a file") != first);
    assert_mentions(&refuse(2, &taken(&place.join("no/plug.safetensors"), &[])), &["there is no folder"]);
    assert_mentions(&refuse(2, &taken(place, &[])), &["is no file"]);
    let adapter = place.join("adapter");
    succeed(&taken(&adapter, &["--as", "lora", "--rank", "2"]));
    assert_mentions(&refuse(2, &taken(&adapter, &["--as", "lora", "--rank", "3"])), &["exists already"]);
    succeed(&taken(&adapter, &["--as", "lora", "--rank", "3", "--force"]));
    refuse(2, &taken(&place.join("x"), &["--rank", "3"]));
    refuse(2, &taken(&place.join("x"), &["--as", "lora"]));
    let nothing = ["extract", BASE, TUNED, "--select", "norm", "--as", "lora", "--rank", "2", "-o"];
    let message = refuse(1, &[&nothing[..], &[text(&place.join("x"))]].concat());
    assert_mentions(&message, &["nothing can be taken out", "a LoRA adapter", "norms"]);
    for form in [&["--as", "modules"][..], &["--as", "delta"]] {
        let out = place.join("x");
        let words = ["extract", BASE, TUNED, "--select", "q_porj", "-o", text(&out)];
        let message = refuse(2, &[&words, form].concat());
        assert_mentions(&message, &["error: in planted:base: `q_porj` matches nothing: ", "q_proj"]);
        assert!(!message.contains("recipe"), "no recipe was given: {message}");
    }
    assert_eq!(names(place), ["adapter", "plug.safetensors"]);
}

#[test]
fn a_model_is_not_written_over_by_its_own_modules() {
    let folder = folder();
    let [a, b] = ["a", "b"]
        .map(|name| save(folder.path(), &format!("{name}.safetensors"), &[("w", f32_tensor(&[2], &[1.0, 2.0]))]));
    let message = refuse(2, &["extract", text(&a), text(&b), "--select", "all", "-o", text(&b), "--force"]);
    assert_mentions(&message, &["would replace", "b.safetensors", "another"]);
}

#[test]
fn a_model_is_not_written_over_the_plug_ins_that_it_is_made_with() {
    let folder = folder();
    let (home, adapter) = (folder.path().join("home"), folder.path().join("adapter"));
    fs::create_dir(&home).expect("a folder");
    let (modules, delta) = (home.join("modules.safetensors"), home.join("delta.safetensors"));
    extract("o_proj & layers 3", &modules, &[]);
    extract("o_proj & layers 3", &delta, &["--as", "delta"]);
    extract("o_proj & layers 3", &adapter, &["--as", "lora", "--rank", "2"]);
    for (plug, out) in [(&modules, &home), (&delta, &home), (&adapter, &adapter)] {
        let recipe = format!("{BASE}; take all from {}", text(plug));
        let message = refuse(2, &["merge", &recipe, "-o", text(out), "--force"]);
        assert_mentions(&message, &["would replace", "which is read for it"]);
        // Be it inside of a recipe that is read for a plug-in.
        let words = ["extract", BASE, &recipe, "--select", "o_proj & layers 3", "--force", "-o"];
        let file = if plug == &adapter { adapter.join("adapter_model.safetensors") } else { plug.clone() };
        assert_mentions(&refuse(2, &[&words[..], &[text(&file)]].concat()), &["which is read for it"]);
    }
    assert_eq!(names(&home), ["delta.safetensors", "modules.safetensors"]);
    assert_eq!(names(&adapter), ["adapter_config.json", "adapter_model.safetensors"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_an_extraction() {
    let (a, b, folder) = crate::checkpoints::sparse_pair();
    let words = ["extract", text(&a), text(&b), "--select", "all", "--as", "delta", "-o", "/dev/null", "--force"];
    let run = start(command(&words));
    wait_until("reading", run.child.id(), "maps", |maps| maps.contains(text(&b)));
    std::process::Command::new("kill").args(["-INT", &run.child.id().to_string()]).status().expect("kill runs");
    let answer = run.finish();
    assert_eq!(answer.status.code(), Some(130), "{answer:#?}");
    assert_eq!(names(folder.path()).len(), 2);
}

#[test]
fn the_spectrum_of_every_matrix_is_told_where_it_is_asked_for() {
    let select = ["--select", "k_proj + norm", "--norms-only"];
    let report = delta(Path::new(BASE), Path::new(TUNED), &[&select[..], &["--spectrum"]].concat());
    for row in report["tensors"].as_array().expect("rows") {
        let is_matrix = row["role"] == "k_proj" && row["part"] == "weight";
        assert_eq!(row.get("spectrum").is_some(), is_matrix, "{row}");
        let Some(spectrum) = row.get("spectrum") else { continue };
        let number = |value: &Value| value.as_f64().expect("a number");
        assert!((number(&spectrum["l2_delta"]) / number(&row["l2_delta"]) - 1.0).abs() < 1e-6, "{row}");
        assert_eq!(
            (spectrum["singular_values"].as_array().map(Vec::len), &spectrum["full_rank"]),
            (Some(16), &json!(64))
        );
    }
    let plain = delta(Path::new(BASE), Path::new(TUNED), &select);
    assert!(plain["tensors"].as_array().expect("rows").iter().all(|row| row.get("spectrum").is_none()));
    let table = succeed(&["delta", BASE, TUNED, "--select", "k_proj", "--norms-only", "--spectrum"]);
    assert_mentions(&table, &["spectrum of ΔW", "effective rank", "of 64"]);
}
