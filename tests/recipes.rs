//! Models made out of others: what is written, what is refused, and what is left when writing is stopped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use crate::checkpoints::{f32_tensor, folder, save, write};
use crate::tool::{Answer, assert_mentions, command, delta, refuse, root, start, stethoscope, succeed, text};

/// A recipe with every kind of piece that planted models have: kept, taken, parts of tensors, zeros and draws.
const EVERYTHING: &str = "planted:base; take o_proj + norm from planted:tuned; take heads 1 & q_proj from planted:tuned; \
                          destroy zero k_proj & layers 2..4; destroy reinit v_proj & layers 5 seed 3";

/// A tensor as a file has it.
#[derive(Debug, PartialEq)]
pub struct Stored {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// All tensors of a folder, as the `safetensors` crate reads them.
pub fn tensors(folder: &Path) -> BTreeMap<String, Stored> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            let bytes = fs::read(&path).expect("a file");
            let file = SafeTensors::deserialize(&bytes).expect("a file of tensors");
            for (name, view) in file.tensors() {
                let (dtype, shape, bytes) = (view.dtype(), view.shape().to_vec(), view.data().to_vec());
                assert!(found.insert(name, Stored { dtype, shape, bytes }).is_none(), "each name once");
            }
        }
    }
    found
}

/// The files of a folder, whole.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let entries = entries.map(|entry| entry.expect("an entry").path());
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    entries.map(|path| (name(&path), fs::read(&path).expect("a file"))).collect()
}

pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A report without what a run, or a name, decides.
fn steady(mut report: Value) -> Value {
    for key in ["command", "seconds", "compute", "warnings"] {
        report[key] = Value::Null;
    }
    for side in ["a", "b"] {
        report[side]["ref"] = Value::Null;
    }
    report
}

fn data(name: &str) -> PathBuf {
    root().join("tests/data").join(name)
}

#[test]
fn a_recipe_is_heard_as_the_folder_that_it_writes() {
    let folder = folder();
    let ties = "merge_method: dare_ties\nbase_model: planted:base\nseed: 5\nmodels:\n\
                - {model: planted:tuned, parameters: {weight: [0.5, 1], density: 0.4}}\n\
                - {model: 'planted:base; destroy reinit v_proj & layers 3', parameters: {weight: 0.5, density: 0.7}}\n";
    let ties = write(folder.path(), "ties.yaml", ties);
    for (name, recipe) in [("steps", EVERYTHING), ("ties", text(&ties))] {
        let out = folder.path().join(name);
        succeed(&["merge", recipe, "-o", text(&out), "--threads", "3"]);
        let base = Path::new("planted:base");
        let (seen, written) = (delta(base, Path::new(recipe), &[]), delta(base, &out, &[]));
        // Not only the numbers: it is the same checkpoint, by its fingerprint.
        assert_eq!(steady(seen), steady(written), "{name}");
    }
}

/// How `o_proj` of one layer differs from the base's.
fn o_proj_change(recipe: &str) -> Value {
    let report = delta(Path::new("planted:base"), Path::new(recipe), &["--select", "o_proj & layers 3"]);
    report["tensors"][0].clone()
}

#[test]
fn a_control_changes_as_much_as_the_donor_and_something_else() {
    let folder = folder();
    let donor = o_proj_change("planted:base; take o_proj from planted:tuned");
    for control in ["shuffle", "noise", "sign", "rotate"] {
        let out = folder.path().join(control);
        let arguments = ["planted:base", "planted:tuned", "--take", "o_proj", "--control", control, "--seed", "3"];
        let arguments = [&["merge"], &arguments[..], &["-o", text(&out), "--threads", "2"]].concat();
        let answer = succeed(&arguments);
        assert_mentions(&answer, &["changed as a control for planted:tuned", "seed 3"]);
        let card = String::from_utf8(files(&out)["README.md"].clone()).expect("UTF-8");
        let recipe = format!("planted:base; take o_proj control {control} seed 3 from planted:tuned");
        assert_mentions(&card, &[&recipe, "parameters changed as a control", "random numbers from seed 3"]);
        let written = o_proj_change(text(&out));
        assert_eq!(written["l2_delta"], o_proj_change(&recipe)["l2_delta"], "{control}");
        let quotient = written["l2_delta"].as_f64().expect("a norm") / donor["l2_delta"].as_f64().expect("a norm");
        assert!((quotient - 1.0).abs() < 0.02, "{control}: {quotient}");
        assert_ne!(written["dot_a_delta"], donor["dot_a_delta"], "{control}");
    }
}

#[test]
fn an_alignment_is_written_as_it_is_seen() {
    let folder = folder();
    let out = folder.path().join("folded");
    let merge = ["merge", "planted:base", "planted:tuned", "--take", "attn + norm & !final_norm", "--align", "fold"];
    let answer = succeed(&[&merge[..], &["-o", text(&out)]].concat());
    assert_mentions(&answer, &["kept of planted:base, with another norm folded in", "read no norm", "o_proj"]);
    let recipe = "planted:base; take attn + norm & !final_norm align fold from planted:tuned";
    let base = Path::new("planted:base");
    assert_eq!(steady(delta(base, Path::new(recipe), &[])), steady(delta(base, &out, &[])));
}

#[test]
fn controls_and_alignments_that_cannot_be_are_refused() {
    let refused =
        |more: &[&str]| refuse(2, &[&["merge", "planted:base", "planted:tuned", "--dry-run", "--take"], more].concat());
    assert_mentions(&refused(&["o_proj", "--control", "salt"]), &["shuffle, noise, sign, rotate, gauge"]);
    assert_mentions(&refused(&["o_proj", "--control", "gauge"]), &["needs both v_proj and o_proj"]);
    assert_mentions(&refused(&["qkv", "--align", "calibrate"]), &["cannot run", "align fold"]);
    assert_mentions(&refused(&["o_proj", "--align", "fold"]), &["reads no norm"]);
    let yaml = folder();
    let recipe = "base: planted:base\nsteps:\n- take: {from: planted:tuned, select: qkv, align: bend}\n";
    let recipe = write(yaml.path(), "bend.yaml", recipe);
    let message = refuse(2, &["merge", text(&recipe), "--dry-run"]);
    assert_mentions(&message, &["line 3", "`fold`, `scale` or `calibrate`"]);
}

#[test]
fn what_is_written_is_what_the_hub_expects() {
    let folder = folder();
    let (one, many) = (folder.path().join("one"), folder.path().join("many"));
    succeed(&["merge", EVERYTHING, "-o", text(&one)]);
    assert_eq!(
        names(&one),
        ["README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"]
    );
    succeed(&["merge", EVERYTHING, "-o", text(&many), "--shard-size", "2000000"]);
    let shards = [1, 2, 3].map(|number| format!("model-{number:05}-of-00003.safetensors"));
    assert!(shards.iter().all(|shard| names(&many).contains(shard)), "{:?}", names(&many));
    assert_eq!(tensors(&one), tensors(&many));

    let index: Value = serde_json::from_slice(&files(&many)["model.safetensors.index.json"]).expect("JSON");
    let total: usize = tensors(&many).values().map(|tensor| tensor.bytes.len()).sum();
    assert_eq!(index["metadata"]["total_size"], json!(total));
    for (name, shard) in index["weight_map"].as_object().expect("a map") {
        let bytes = &files(&many)[shard.as_str().expect("a name")];
        let header = usize::try_from(u64::from_le_bytes(*bytes.first_chunk().expect("a length"))).expect("a length");
        assert_eq!(header % 8, 0, "the tensors are aligned");
        let header: Value = serde_json::from_slice(&bytes[8..8 + header]).expect("JSON");
        assert!(header.get(name).is_some() && header["__metadata__"]["format"] == "pt", "{name}");
    }
    let card = String::from_utf8(files(&one)["README.md"].clone()).expect("UTF-8");
    assert_mentions(&card, &["---\nlibrary_name", EVERYTHING, "| planted:tuned | qwen2 | 12 |", "seed 3", "-o"]);
    assert!(names(folder.path()) == ["many", "one"], "nothing temporary stays");
}

#[test]
fn the_same_recipe_writes_the_same_bytes_with_any_number_of_threads() {
    let folder = folder();
    let write = |name: &str, threads: &str| {
        let out = folder.path().join(name);
        succeed(&["merge", EVERYTHING, "-o", text(&out), "--threads", threads]);
        files(&out)["model.safetensors"].clone()
    };
    assert!(write("one", "1") == write("many", "7"));
}

/// M1, M2, M3 and the rows of the paper's table of destruction.
#[test]
fn the_models_of_the_paper_are_one_command_each() {
    let folder = folder();
    let (base, tuned) = ("planted:base", "planted:tuned");
    for (name, take) in [("m1", "o_proj"), ("m2", "qkv"), ("m3", "mlp")] {
        let out = folder.path().join(name);
        succeed(&["merge", base, tuned, "--take", take, "-o", text(&out)]);
        let changed = delta(Path::new(base), &out, &["--norms-only"]);
        let roles = changed["modules"].as_array().expect("modules").iter().filter(|m| m["changed"] != json!(0));
        let roles: Vec<&str> = roles.filter_map(|module| module["role"].as_str()).collect();
        let expected: &[&str] = match take {
            "o_proj" => &["o_proj"],
            "qkv" => &["q_proj", "k_proj", "v_proj"],
            _ => &["up_proj", "gate_proj", "down_proj"],
        };
        assert!(!roles.is_empty() && roles.iter().all(|role| expected.contains(role)), "{name}: {roles:?}");
    }
    for how in ["zero", "reinit"] {
        for select in ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "gate_proj", "down_proj"] {
            let out = folder.path().join(format!("{how}-{select}"));
            let select = format!("{select} & layers 2..7");
            succeed(&["destroy", base, "--how", how, "--select", &select, "-o", text(&out)]);
        }
    }
    let zero = tensors(&folder.path().join("zero-v_proj"));
    for name in ["weight", "bias"] {
        let tensor = &zero[&format!("model.layers.4.self_attn.v_proj.{name}")];
        assert!(tensor.bytes.iter().all(|byte| *byte == 0), "values are nothing, biases included");
    }
    let out = folder.path().join("removed");
    succeed(&["destroy", base, "--how", "remove", "--select", "layers 2..7", "-o", text(&out)]);
    let config: Value = serde_json::from_slice(&files(&out)["config.json"]).expect("JSON");
    assert_eq!(config["num_hidden_layers"], json!(7));
}

#[test]
fn files_of_another_cut_are_merged_tensor_by_tensor() {
    let folder = folder();
    let out = folder.path().join("made");
    let (a, b) = (data("delta/qwen2/a"), data("delta/qwen2/b"));
    succeed(&["merge", text(&a), text(&b), "--take", "all", "-o", text(&out)]);
    let (made, a, b) = (tensors(&out), tensors(&a), tensors(&b));
    for (name, tensor) in &made {
        assert_eq!(tensor.dtype, a[name].dtype, "{name}");
        if tensor.dtype == b[name].dtype {
            assert_eq!(tensor, &b[name], "{name}");
        }
    }
}

#[test]
fn a_dry_run_says_what_would_be_and_writes_nothing() {
    let folder = folder();
    let mut command = command(&["merge", EVERYTHING, "--dry-run"]);
    command.current_dir(folder.path());
    let answer = start(command).finish();
    assert_eq!(answer.status.code(), Some(0), "{}", answer.stderr);
    assert!(names(folder.path()).is_empty());
    insta::assert_snapshot!(answer.stdout.replace(env!("CARGO_PKG_VERSION"), "(version)"));
}

#[test]
fn the_report_can_be_had_as_json() {
    let report: Value =
        serde_json::from_str(&succeed(&["merge", EVERYTHING, "--dry-run", "--json", "-"])).expect("JSON");
    assert_eq!((&report["schema"], &report["seed"]), (&json!("stethoscope.merge/1"), &json!(3)));
    assert_eq!((&report["out"], &report["layers"]), (&Value::Null, &json!(12)));
    let rows = report["tensors"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == "model.layers.1.self_attn.q_proj.weight").expect("a row");
    let parts = json!([
        {"what": "kept", "from": "planted:base", "elements": 12_288},
        {"what": "taken", "from": "planted:tuned", "elements": 4_096},
    ]);
    assert_eq!(row["parts"], parts);
}

#[test]
fn what_is_there_is_not_replaced_by_a_slip() {
    let folder = folder();
    let out = folder.path().join("made");
    let quick = ["merge", "planted:base; destroy zero o_proj & layers 0", "-o", text(&out)];
    fs::create_dir(&out).expect("an empty folder");
    succeed(&quick);
    assert_mentions(&refuse(2, &quick), &["made exists already", "--force"]);
    let other = ["merge", "planted:base; destroy zero o_proj & layers 1", "-o", text(&out), "--force"];
    succeed(&other);
    assert_mentions(&String::from_utf8_lossy(&files(&out)["README.md"]), &["layers 1"]);
    fs::create_dir(out.join("mine")).expect("a folder");
    assert_mentions(&refuse(2, &other), &["holds a folder", "mine", "not replaced"]);
    assert_eq!(names(folder.path()), ["made"]);

    let file = write(folder.path(), "file", "mine");
    assert_mentions(&refuse(2, &["merge", EVERYTHING, "-o", text(&file), "--force"]), &["file is no folder"]);
    let nowhere = folder.path().join("no/such/folder");
    assert_mentions(&refuse(2, &["merge", EVERYTHING, "-o", text(&nowhere)]), &["there is no folder", "no/such"]);
}

#[test]
fn a_model_is_not_written_over_what_it_is_made_of() {
    let folder = folder();
    let model = folder.path().join("model");
    succeed(&["merge", "planted:base; destroy zero o_proj & layers 0", "-o", text(&model)]);
    let before = files(&model);
    let again = ["destroy", text(&model), "--how", "zero", "--select", "k_proj", "-o", text(&model), "--force"];
    assert_mentions(&refuse(2, &again), &["model.safetensors", "which is read for it", "another place"]);
    assert!(files(&model) == before);
    // Nor over what the models of its own models are made of, nor over the recipe itself.
    write(&model, "model.yaml", format!("base: '{}; destroy zero k_proj'\nsteps: []\n", text(&model)));
    let recipe = model.join("model.yaml");
    let [inner, outer] = ["inner.yaml", "outer.yaml"].map(|name| folder.path().join(name));
    fs::copy(&recipe, &inner).expect("a recipe");
    write(folder.path(), "outer.yaml", format!("base: {}\nsteps: []\n", text(&inner)));
    for recipe in [recipe, outer] {
        let message = refuse(2, &["merge", text(&recipe), "-o", text(&model), "--force"]);
        assert_mentions(&message, &["which is read for it"]);
    }
    let alone = folder.path().join("alone");
    let recipe = write(&alone, "model.yaml", "base: planted:base\nsteps: []\n");
    let message = refuse(2, &["merge", text(&recipe), "-o", text(&alone), "--force"]);
    assert_mentions(&message, &["model.yaml", "which is read for it"]);
    assert_eq!(names(&alone), ["model.yaml"]);
}

#[test]
fn donors_that_do_not_fit_are_refused_in_a_sentence() {
    let folder = folder();
    let (plain, gpt2) = (data("delta/plain/a"), data("delta/gpt2/a"));
    let merge = |a: &Path, b: &Path, take: &str| refuse(1, &["merge", text(a), text(b), "--take", take, "--dry-run"]);
    assert_mentions(&merge(Path::new("planted:base"), &gpt2, "all"), &["gpt2", "qwen2", "same family"]);
    let small = |name: &str, rows: usize| {
        let tensors = [
            ("model.embed_tokens.weight", f32_tensor(&[rows, 2], &vec![1.0; rows * 2])),
            ("model.layers.0.self_attn.o_proj.weight", f32_tensor(&[2, 2], &[rows as f32; 4])),
        ];
        save(&folder.path().join(name), "model.safetensors", &tensors);
        write(&folder.path().join(name), "config.json", r#"{"model_type": "llama", "num_hidden_layers": 1}"#);
        folder.path().join(name)
    };
    let (three, four) = (small("three", 3), small("four", 4));
    assert_mentions(&merge(&three, &four, "all"), &["embed_tokens", "[3, 2]", "[4, 2]", "vocabularies", "!embed"]);
    succeed(&["merge", text(&three), text(&four), "--take", "all & !embed", "--dry-run"]);
    let missing = refuse(1, &["merge", "planted:base; take o_proj from no/such/model", "--dry-run"]);
    assert_mentions(&missing, &["no/such/model"]);
    let missing = refuse(1, &["merge", text(&folder.path().join("no.yaml")), "--dry-run"]);
    assert_mentions(&missing, &["no.yaml: there is no such file", "a recipe in YAML was expected"]);
    assert_mentions(&refuse(2, &["merge", text(&plain), "--dry-run"]), &["is not a recipe", "take o_proj from B"]);
}

#[test]
fn values_and_scales_are_never_mixed() {
    let folder = folder();
    let (fp8, plain) = (data("delta/fp8/a"), data("delta/fp8/b"));
    let message = refuse(1, &["merge", text(&fp8), text(&plain), "--take", "all", "--dry-run"]);
    assert_mentions(&message, &["F8_E4M3", "take the other model as the base"]);
    let message = refuse(1, &["destroy", text(&fp8), "--how", "reinit", "--select", "all", "--dry-run"]);
    assert_mentions(&message, &["F8_E4M3", "random numbers"]);
    // Taken into plain numbers they are what they stand for.
    let out = folder.path().join("made");
    succeed(&["merge", text(&plain), text(&fp8), "--take", "all", "-o", text(&out)]);
    let difference = delta(&out, &fp8, &["--norms-only"]);
    let rows = difference["tensors"].as_array().expect("rows");
    let is_rounding = |row: &Value| row["l2_delta"].as_f64() <= row["l2_a"].as_f64().map(|l2| 0.01 * l2 + 1e-6);
    assert!(!rows.is_empty() && rows.iter().all(is_rounding), "{difference:#}");
    // Whole, they keep their scales.
    let kept = folder.path().join("kept");
    succeed(&["merge", &format!("{};", text(&fp8)), "-o", text(&kept)]);
    assert_eq!(tensors(&kept), tensors(&fp8));
}

#[test]
fn mergekits_recipes_make_what_mergekit_makes() {
    let folder = folder();
    let recipes = fs::read_dir(data("recipes")).expect("recipes").map(|entry| entry.expect("an entry").path());
    let recipes: Vec<PathBuf> = recipes.filter(|path| path.extension().is_some_and(|kind| kind == "yaml")).collect();
    assert!(recipes.len() >= 3);
    for recipe in recipes {
        let name = recipe.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let out = folder.path().join(name);
        let mut command = command(&["merge", text(&recipe), "-o", text(&out)]);
        command.current_dir(data("recipes"));
        let answer = start(command).finish();
        assert_eq!(answer.status.code(), Some(0), "{name}: {}", answer.stderr);
        let (made, expected) = (tensors(&out), tensors(&data("recipes").join(name)));
        assert_eq!(made.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{name}");
        for (tensor, expected) in &expected {
            assert_close(&format!("{name}: {tensor}"), &made[tensor], expected);
        }
        let config = |folder: &Path| serde_json::from_slice::<Value>(&files(folder)["config.json"]).expect("JSON");
        let (made, expected) = (config(&out), config(&data("recipes").join(name)));
        for key in ["num_hidden_layers", "dtype", "hidden_size"] {
            assert_eq!(made[key], expected[key], "{name}: {key}");
        }
    }
}

/// BF16 to one rounding, F32 to 1e-5.
fn assert_close(what: &str, made: &Stored, expected: &Stored) {
    assert_eq!((made.dtype, &made.shape), (expected.dtype, &expected.shape), "{what}");
    let tolerance = if made.dtype == Dtype::BF16 { 1.0 / 128.0 } else { 1e-5 };
    let numbers = |stored: &Stored| -> Vec<f32> {
        match stored.dtype {
            Dtype::BF16 => {
                stored.bytes.as_chunks().0.iter().map(|[low, high]| f32::from_le_bytes([0, 0, *low, *high])).collect()
            }
            Dtype::F32 => stored.bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect(),
            other => panic!("{what}: {other:?}"),
        }
    };
    for (made, expected) in numbers(made).into_iter().zip(numbers(expected)) {
        assert!((made - expected).abs() <= tolerance * expected.abs().max(1e-6), "{what}: {made}, not {expected}");
    }
}

/// How often the writer is killed: `STETHOSCOPE_KILLS=100 cargo test`.
fn kills() -> u64 {
    std::env::var("STETHOSCOPE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(10)
}

#[test]
fn a_writer_that_is_killed_leaves_the_whole_or_what_the_same_command_goes_on_with() {
    let folder = folder();
    let (whole, out) = (folder.path().join("whole"), folder.path().join("made"));
    // A source on the disk, so that ranges are copied too.
    let base = folder.path().join("base");
    succeed(&["merge", "planted:base;", "-o", text(&base)]);
    let recipe = EVERYTHING.replace("planted:base", text(&base));
    let arguments =
        |out: &Path| ["merge", &recipe, "-o", text(out), "--shard-size", "200000", "--threads", "2"].map(str::to_owned);
    let started = std::time::Instant::now();
    succeed(&arguments(&whole));
    let usual = started.elapsed();
    let expected = files(&whole);
    let (mut interrupted, mut completed) = (0, 0);
    for number in 0..kills() {
        let mut run = command(&arguments(&out)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a process");
        // Spread over a run's time in an order that is no order.
        thread::sleep(usual.mul_f64((number * 7 % 11) as f64 / 11.0));
        run.kill().expect("a process can be killed");
        run.wait().expect("a process can be waited for");
        if out.exists() {
            assert_same_weights(&files(&out), &expected);
            completed += 1;
            fs::remove_dir_all(&out).expect("a folder");
        } else {
            interrupted += 1;
        }
    }
    assert!(interrupted > 0, "{completed} of {} runs were too quick to be killed", kills());
    succeed(&arguments(&out));
    assert_same_weights(&files(&out), &expected);
    assert_eq!(names(folder.path()), ["base", "made", "whole"]);
}

/// Everything but the model card, which names its folder.
#[track_caller]
fn assert_same_weights(made: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(made.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in expected.iter().filter(|(name, _)| *name != "README.md") {
        assert!(made[name] == *bytes, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_system_that_takes_no_more_is_an_error_that_can_be_gone_on_from() {
    let folder = folder();
    let out = folder.path().join("made");
    let arguments = ["merge", EVERYTHING, "-o", text(&out), "--shard-size", "2000000"];
    // A limit on the length of files makes writing fail as a full disk does, in the middle and without a small disk.
    let limited = |command: &Command| -> Answer {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 1000; exec \"$0\" \"$@\""]).arg(command.get_program());
        shell.args(command.get_args()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        start(shell).finish()
    };
    let answer = limited(&command(&arguments));
    assert_eq!(answer.status.code(), Some(1), "{answer:?}");
    assert_mentions(&answer.stderr, &["writing", ".safetensors.part", "the same command goes on", "File too large"]);
    assert!(!out.exists());
    succeed(&arguments);
    assert_eq!(names(folder.path()), ["made"]);
}

/// A file system of its own, on a file; gone when this is dropped.
#[cfg(target_os = "linux")]
struct Mounted(PathBuf);

#[cfg(target_os = "linux")]
impl Mounted {
    /// None where the tools or the rights are missing, which is said.
    fn new(kind: &str, place: &Path) -> Option<Self> {
        let (image, at) = (place.join(format!("{kind}.image")), place.join(kind));
        fs::File::create(&image).and_then(|file| file.set_len(512 << 20)).expect("a file may have holes");
        fs::create_dir(&at).expect("a folder");
        let did = |program: &str, words: &[&str]| {
            let run = Command::new(program).args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
            run.is_ok_and(|status| status.success())
        };
        let is_there = did(&format!("mkfs.{kind}"), &["-q", text(&image)])
            && did("mount", &["-o", "loop", text(&image), text(&at)]);
        if !is_there {
            println!("skipped: {kind} cannot be mounted here, which takes mkfs.{kind} and a super-user");
        }
        is_there.then_some(Self(at))
    }

    /// Bytes that it still holds.
    fn room(&self) -> u64 {
        let synced = Command::new("sync").arg("-f").arg(&self.0).status().expect("sync runs");
        assert!(synced.success());
        let said = Command::new("stat").args(["-f", "-c", "%a %S", text(&self.0)]).output().expect("stat runs").stdout;
        let said = String::from_utf8(said).expect("numbers");
        said.split_whitespace().map(|number| number.parse::<u64>().expect("a number")).product()
    }
}

#[cfg(target_os = "linux")]
impl Drop for Mounted {
    fn drop(&mut self) {
        // A test that failed has been told of.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_stays_as_it_is_shares_the_blocks_of_its_source_where_the_file_system_can() {
    const ELEMENTS: usize = 8 << 20;
    for kind in ["xfs", "btrfs"] {
        let folder = folder();
        let Some(disk) = Mounted::new(kind, folder.path()) else { continue };
        let large: Vec<f32> = (0..ELEMENTS).map(|at| at as f32).collect();
        let tensors = [
            ("model.embed_tokens.weight", f32_tensor(&[ELEMENTS / 4, 4], &large)),
            ("model.layers.0.self_attn.o_proj.weight", f32_tensor(&[2, 2], &[1.0; 4])),
        ];
        let (raw, source) = (disk.0.join("raw"), disk.0.join("source"));
        save(&raw, "model.safetensors", &tensors);
        write(&raw, "config.json", r#"{"model_type": "llama", "num_hidden_layers": 1}"#);
        // Blocks are shared where tensors lie alike within them, as in what is written here.
        succeed(&["merge", &format!("{};", text(&raw)), "-o", text(&source)]);
        let before = disk.room();
        let out = disk.0.join("made");
        succeed(&["destroy", text(&source), "--how", "zero", "--select", "o_proj", "-o", text(&out)]);
        let taken = before.saturating_sub(disk.room());
        assert!(taken < 8 << 20, "{kind}: {taken} bytes were taken for {} that are there already", 4 * ELEMENTS);
        let (made, mut expected) = (self::tensors(&out), self::tensors(&source));
        expected.get_mut("model.layers.0.self_attn.o_proj.weight").expect("the tensor").bytes.fill(0);
        assert!(made == expected, "{kind}");
    }
}

#[cfg(unix)]
#[test]
fn two_runs_do_not_write_the_same_folder() {
    let folder = folder();
    let out = folder.path().join("made");
    let hidden = folder.path().join(".made.stethoscope");
    fs::create_dir(&hidden).expect("a folder");
    let lock = fs::File::create(hidden.join("lock")).expect("a file");
    lock.lock().expect("a lock");
    let arguments = ["merge", EVERYTHING, "-o", text(&out)];
    assert_mentions(&refuse(1, &arguments), &["another run is writing", "made"]);
    drop(lock);
    succeed(&arguments);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_the_writer_and_the_same_command_goes_on() {
    let folder = folder();
    let out = folder.path().join("made");
    let arguments = ["merge", EVERYTHING, "-o", text(&out), "--shard-size", "100000", "--threads", "1"];
    let mut codes = Vec::new();
    for wait in [20, 40, 60, 80] {
        let run = start(command(&arguments));
        thread::sleep(Duration::from_millis(wait));
        let id = libc::pid_t::try_from(run.child.id()).expect("a process id");
        // SAFETY: a signal to a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(id, libc::SIGINT) }, 0);
        codes.push(run.finish().status.code());
        if out.exists() {
            break;
        }
    }
    assert!(codes.iter().all(|code| matches!(code, Some(130 | 0) | None)), "{codes:?}");
    if !out.exists() {
        succeed(&arguments);
    }
    let whole = folder.path().join("whole");
    succeed(&["merge", EVERYTHING, "-o", text(&whole), "--shard-size", "100000"]);
    assert_same_weights(&files(&out), &files(&whole));
}

#[test]
fn a_misspelt_selection_is_misuse() {
    let message = refuse(2, &["merge", "planted:base", "planted:tuned", "--take", "o_prj", "--dry-run"]);
    assert_mentions(&message, &["planted:base", "did you mean `o_proj`?"]);
    assert_mentions(&refuse(2, &["merge", "planted:base", "planted:tuned", "--take", "o_proj &", "--dry-run"]), &["^"]);
    assert_mentions(
        &refuse(2, &["destroy", "planted:base", "--how", "burn", "--select", "all", "--dry-run"]),
        &["reinit"],
    );
    assert_eq!(
        stethoscope(&["merge", "planted:base; destroy zero all"]).status.code(),
        Some(2),
        "neither -o nor --dry-run"
    );
}
