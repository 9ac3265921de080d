//! Recipes over the built-in pair.

mod changed;
mod stored;

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::checkpoint::Checkpoint;
use crate::conformance::PlantedPlace;
use crate::folder::SideFiles;
use crate::model::Model;
use crate::synthetic::{PLANTED_BASE, PLANTED_TUNED, planted};

fn view_of(recipe: &str) -> Result<View, RecipeError> {
    let recipe = Recipe::parse_inline(recipe)?;
    let open = |reference: &str| {
        let files = planted(reference).unwrap_or_else(|| panic!("{reference} was not planted"));
        Arc::new(Model::new(pollster::block_on(Checkpoint::read(files)).expect("a checkpoint"), None))
    };
    let models = recipe.references().into_iter().map(open).collect();
    View::new(recipe, "result", models, SHARD_BYTES)
}

fn opened(reference: &str) -> Model {
    pollster::block_on(open(&PlantedPlace::default(), reference, SideFiles::All)).unwrap()
}

fn refused(reference: &str) -> String {
    let error = pollster::block_on(open(&PlantedPlace::default(), reference, SideFiles::All)).err().unwrap();
    let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

/// The bytes of a tensor.
pub(super) fn bytes(model: &Model, name: &str) -> Vec<u8> {
    let tensor = model.checkpoint.tensor(name).unwrap_or_else(|| panic!("there is no {name}"));
    let at = tensor.storage.values();
    pollster::block_on(model.checkpoint.sources[at.shard].read(at.bytes.clone())).unwrap().bytes().into_owned()
}

fn assert_same(a: &Model, b: &Model) {
    let names = |model: &Model| model.checkpoint.tensors.iter().map(|t| t.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(a), names(b));
    for name in names(a) {
        assert!(bytes(a, &name) == bytes(b, &name), "{name}");
    }
}

const O_PROJ: &str = "model.layers.3.self_attn.o_proj.weight";
const K_PROJ: &str = "model.layers.3.self_attn.k_proj.weight";

#[test]
fn a_model_merged_with_itself_is_itself() {
    assert_same(&opened("planted:base; take all from planted:base"), &opened(PLANTED_BASE));
    assert_same(&opened("planted:base;"), &opened(PLANTED_BASE));
}

#[test]
fn taking_everything_is_the_donor() {
    assert_same(&opened("planted:base; take all from planted:tuned"), &opened(PLANTED_TUNED));
}

#[test]
fn every_method_makes_of_one_model_that_model() {
    let with_base = |method: &str| {
        format!("merge_method: {method}\nbase_model: planted:base\nmodels: [{{model: '{PLANTED_BASE};'}}]\n")
    };
    let two = |method: &str| {
        format!("merge_method: {method}\nmodels: [{{model: planted:base}}, {{model: 'planted:base;'}}]\n")
    };
    for (recipe, parameters) in [
        (two("linear"), "{weight: 0.5}"),
        (two("linear"), "{weight: [0.25, 1]}"),
        (with_base("slerp"), "{t: 0.3}"),
        (with_base("task_arithmetic"), "{weight: 0.7}"),
        (with_base("ties"), "{weight: 0.7, density: 0.4}"),
        (with_base("dare_ties"), "{weight: 0.7, density: 0.4}"),
        (with_base("della"), "{weight: 0.7, density: 0.4}"),
        (with_base("breadcrumbs"), "{weight: 0.7, density: 0.8}"),
        (with_base("sce"), "{select_topk: 0.5}"),
    ] {
        let recipe = format!("{recipe}parameters: {parameters}\n");
        let place = PlantedPlace { recipes: vec![("made.yaml", recipe.clone())], ..PlantedPlace::default() };
        let made = pollster::block_on(open(&place, "made.yaml", SideFiles::All)).expect(&recipe);
        let base = opened(PLANTED_BASE);
        for name in [O_PROJ, K_PROJ, "model.embed_tokens.weight", "model.layers.0.input_layernorm.weight"] {
            assert!(bytes(&made, name) == bytes(&base, name), "{name} of {recipe}");
        }
    }
}

#[test]
fn what_is_not_taken_stays() {
    let (a, b, merged) =
        (opened(PLANTED_BASE), opened(PLANTED_TUNED), opened("planted:base; take o_proj from planted:tuned"));
    for tensor in &a.checkpoint.tensors {
        let from = if tensor.name.contains("o_proj") { &b } else { &a };
        assert!(bytes(&merged, &tensor.name) == bytes(from, &tensor.name), "{}", tensor.name);
    }
    assert_ne!(bytes(&a, O_PROJ), bytes(&b, O_PROJ));
}

#[test]
fn a_head_is_some_columns_of_what_gathers_the_heads() {
    let (a, b) = (opened(PLANTED_BASE), opened(PLANTED_TUNED));
    let merged = opened("planted:base; take heads 1..3 & o_proj from planted:tuned");
    // 128 columns of BF16, four heads.
    let (row, head) = (256, 64);
    let (a, b) = (bytes(&a, O_PROJ), bytes(&b, O_PROJ));
    for (at, byte) in bytes(&merged, O_PROJ).into_iter().enumerate() {
        let is_taken = (head..3 * head).contains(&(at % row));
        assert_eq!(byte, if is_taken { b[at] } else { a[at] }, "byte {at}");
    }
}

#[test]
fn steps_are_followed_in_their_order() {
    let later = opened("planted:base; destroy zero o_proj; take o_proj & layers 3 from planted:tuned");
    assert_eq!(bytes(&later, O_PROJ), bytes(&opened(PLANTED_TUNED), O_PROJ));
    assert!(bytes(&later, "model.layers.4.self_attn.o_proj.weight").iter().all(|byte| *byte == 0));
}

#[test]
fn drawn_numbers_belong_to_seed_and_name_and_have_the_spread_they_should() {
    let drawn =
        |seed: u32| bytes(&opened(&format!("planted:base; destroy reinit k_proj & weight seed {seed}")), K_PROJ);
    assert_eq!(drawn(7), drawn(7));
    assert_ne!(drawn(7), drawn(8));
    let values: Vec<f64> = drawn(7).as_chunks().0.iter().map(|two| f64::from(crate::dequantise::bf16(*two))).collect();
    let count = values.len() as f64;
    let deviation = (values.iter().map(|value| value * value).sum::<f64>() / count).sqrt();
    assert!((deviation - 0.02).abs() < 4.0 * 0.02 / (2.0 * count).sqrt(), "{deviation} of {count}");
    let part = bytes(&opened("planted:base; destroy reinit heads 0 & k_proj & weight seed 7"), K_PROJ);
    let half = part.len() / 2;
    assert_eq!(part[..half], drawn(7)[..half]);
    assert_eq!(part[half..], bytes(&opened(PLANTED_BASE), K_PROJ)[half..]);
}

#[test]
fn layers_that_are_left_out_are_gone_and_those_behind_them_move_up() {
    let (a, removed) = (opened(PLANTED_BASE), opened("planted:base; destroy remove layers 2..4"));
    assert_eq!((a.layers(), removed.layers()), (12, 10));
    let name = |layer: u32| format!("model.layers.{layer}.mlp.up_proj.weight");
    for (new, old) in [(0, 0), (1, 1), (2, 4), (9, 11)] {
        assert_eq!(bytes(&removed, &name(new)), bytes(&a, &name(old)));
    }
    assert_eq!(removed.config.and_then(|config| config.num_hidden_layers), Some(10));
}

#[test]
fn a_later_step_sees_the_new_numbers_of_layers() {
    let removed = opened("planted:base; destroy remove layers 0; destroy zero o_proj & layers 2");
    assert!(bytes(&removed, "model.layers.2.self_attn.o_proj.weight").iter().all(|byte| *byte == 0));
    assert!(
        refused("planted:base; destroy remove layers 0; destroy zero layers 11").contains("there are layers 0..=10")
    );
}

#[test]
fn recipes_can_be_made_of_recipes() {
    let recipes =
        vec![("inner.yaml", "base: planted:base\nsteps: [take: {from: planted:tuned, select: o_proj}]".to_owned())];
    let place = PlantedPlace { recipes, ..PlantedPlace::default() };
    let made = pollster::block_on(open(&place, "inner.yaml; destroy zero k_proj", SideFiles::All)).unwrap();
    assert_same(&made, &opened("planted:base; take o_proj from planted:tuned; destroy zero k_proj"));
}

#[test]
fn recipes_that_name_each_other_are_refused() {
    let recipe = |base: &str| format!("base: {base}");
    let place = PlantedPlace {
        recipes: vec![("a.yaml", recipe("b.yaml")), ("b.yaml", recipe("a.yaml"))],
        ..PlantedPlace::default()
    };
    let message = pollster::block_on(open(&place, "a.yaml", SideFiles::All)).err().unwrap().to_string();
    assert_eq!(
        message,
        "the recipes name each other in a circle: a.yaml, which is made of b.yaml, which is made of a.yaml"
    );
    let names = ["0.yaml", "1.yaml", "2.yaml", "3.yaml", "4.yaml", "5.yaml", "6.yaml", "7.yaml", "8.yaml"];
    let deep = names.iter().zip(names.iter().skip(1)).map(|(name, next)| (*name, recipe(next)));
    let place =
        PlantedPlace { recipes: deep.chain([("8.yaml", recipe("planted:base"))]).collect(), ..PlantedPlace::default() };
    let message = pollster::block_on(open(&place, "0.yaml", SideFiles::All)).err().unwrap().to_string();
    assert!(message.contains("more than 8 deep"), "{message}");
}

#[test]
fn what_cannot_be_done_is_said_in_a_sentence() {
    for (recipe, words) in [
        ("planted:base; take o_prj from planted:tuned", &["step 1", "did you mean `o_proj`?"][..]),
        ("planted:base; take o_proj & layers 40 from planted:tuned", &["matches nothing", "there are layers 0..=11"]),
        ("planted:base; destroy remove o_proj & layers 3", &["only some modules of layer 3"]),
        ("planted:base; destroy remove embed", &["modules outside of the layers"]),
        ("planted:base; destroy remove layers 0..12", &["no layer would be left"]),
        ("planted:base; take o_proj", &["the recipe ends where `+`, `&` or `from` was expected"]),
        ("planted:base; take o_proj form planted:tuned", &["found `f`", "`from`", "\n                            ^"]),
        ("planted:base; tak o_proj from b", &["`take` or `destroy` was expected"]),
        ("planted:base; destroy burn o_proj", &["`zero`, `reinit` or `remove` was expected"]),
        ("; take o_proj from b", &["the base's name was expected"]),
        ("planted:base; destroy reinit o_proj seed x", &["a number below 2^64 after `seed`"]),
    ] {
        let message = refused(recipe);
        for word in words {
            assert!(message.contains(word), "{word:?} is not in {message}");
        }
    }
}

#[test]
fn a_tied_head_is_told_of() {
    let view = view_of("planted:base; take head from planted:tuned").unwrap();
    let report = pollster::block_on(view.report()).unwrap();
    assert!(report.findings.iter().any(|finding| finding.contains("tied")), "{:?}", report.findings);
}

#[test]
fn reading_anywhere_gives_the_same_bytes() {
    let recipe = "planted:base; take heads 1 & q_proj from planted:tuned; destroy reinit v_proj & layers 2 seed 1";
    let view = view_of(recipe).unwrap();
    let shard = &view.files("x").shards[0];
    let read = |range: std::ops::Range<u64>| pollster::block_on(shard.read(range)).unwrap().bytes().into_owned();
    let whole = read(0..shard.length());
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let ranges = (0..shard.length(), 0_u64..5_000);
    runner
        .run(&ranges, |(start, length)| {
            let end = (start + length).min(shard.length());
            prop_assert_eq!(&read(start..end)[..], &whole[start as usize..end as usize]);
            Ok(())
        })
        .unwrap();
    assert!(pollster::block_on(shard.read(0..shard.length() + 1)).is_err());
}

#[test]
fn the_parts_of_a_file_are_all_of_it() {
    let view = view_of("planted:base; take o_proj from planted:tuned; destroy zero norm").unwrap();
    let report = pollster::block_on(view.report()).unwrap();
    let folder = view.folder(&report, &[]);
    let mut at = 0;
    for part in &folder.shards[0].parts {
        assert_eq!(part.bytes().start, at);
        at = part.bytes().end;
    }
    assert_eq!(at, folder.shards[0].source.length());
    assert!(String::from_utf8_lossy(&folder.files["README.md"]).contains("take o_proj from planted:tuned"));
    assert_eq!(folder.key, view.folder(&report, &[]).key);
    let other = view_of("planted:base; take o_proj from planted:tuned; destroy zero o_proj").unwrap();
    let report = pollster::block_on(other.report()).unwrap();
    assert_ne!(folder.key, other.folder(&report, &[]).key);
}

#[test]
fn many_files_have_an_index_that_fits_them() {
    let recipe = Recipe::parse_inline("planted:base; take o_proj from planted:tuned").unwrap();
    let models = recipe.references().into_iter().map(|reference| Arc::new(opened(reference))).collect();
    let view = View::new(recipe, "result", models, 1_000_000).unwrap();
    assert!(view.files("x").shards.len() > 3);
    // Reading a checkpoint checks the index against the files.
    let read = pollster::block_on(view.model("x")).unwrap();
    assert!(read.checkpoint.notes.is_empty(), "{:?}", read.checkpoint.notes);
    assert_same(&read, &opened("planted:base; take o_proj from planted:tuned"));
}

#[test]
fn a_recipe_of_one_line_reads_back_as_it_was() {
    for text in [
        "A; take o_proj + norm from B; destroy zero k_proj & layers 5..30",
        "A; destroy reinit (q_proj + k_proj) & layers 3 seed 18446744073709551615",
        "/models/a b; take /self_attn; from/ + \"*;*\" from org/name@main",
        "\"a; take x from \\\"y\\\"\"; destroy remove layers 0",
        "A;",
    ] {
        let recipe = Recipe::parse_inline(text).unwrap();
        let shown = recipe.to_string();
        assert_eq!(Recipe::parse_inline(&shown).unwrap(), recipe, "{text} and {shown}");
        let json = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), recipe, "{json}");
    }
}

#[test]
fn a_name_in_quotes_is_not_empty() {
    for text in ["\"\"", "\" \"; destroy zero k_proj", "A; take o_proj from \"\""] {
        let message = Recipe::parse_inline(text).unwrap_err().to_string();
        assert!(message.contains("an empty name"), "{message}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(text in "[ -~\n]{0,80}", inline in "A; (take|destroy) [ -~]{0,40}") {
        let _ = Recipe::parse_yaml("f", &text);
        let _ = Recipe::parse_inline(&text);
        let _ = Recipe::parse_inline(&inline);
    }
}

mod yaml {
    use super::*;

    fn problem(text: &str) -> String {
        Recipe::parse_yaml("r.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn steps_can_be_written_in_yaml() {
        let text = "base: A\nsteps:\n- take:\n    from: B\n    select: o_proj & layers 5..30\n- destroy: {how: reinit, select: k_proj, seed: 7}";
        let inline = "A; take o_proj & layers 5..30 from B; destroy reinit k_proj seed 7";
        assert_eq!(Recipe::parse_yaml("f", text).unwrap(), Recipe::parse_inline(inline).unwrap());
    }

    #[test]
    fn errors_name_the_line_and_the_key() {
        for (text, words) in [
            ("base: A\nstep: []", "r.yaml, line 2: the key \"step\" has no meaning here; there are `base`, `steps`"),
            ("steps: []", "r.yaml, line 1: `base` is missing here"),
            ("base: A\nsteps:\n- take: {from: B}", "line 3: `select` is missing here"),
            ("base: A\nsteps:\n- tak: {from: B}", "line 3: the key \"tak\" has no meaning"),
            ("base: A\nsteps:\n- {}", "line 3: a step is either `take` or `destroy`"),
            ("base: A\nsteps:\n- destroy: {how: burn, select: all}", "line 3: found \"burn\" where `zero`"),
            ("base: A\nsteps:\n- destroy: {how: zero, select: o_proj &}", "line 3: the selection ends where"),
            ("base: A\nbase: B", "line 2: the key \"base\" is here twice"),
            ("base: [A]", "line 1: found a list where the name of a checkpoint was expected"),
            ("base: A\n---\nbase: B", "a second document begins"),
            ("base: !!python/object A", "line 1: tags"),
            ("base: 'A", "this is not YAML"),
            ("", "the file is empty"),
            ("- A", "found a list where a map"),
        ] {
            let message = problem(text);
            assert!(message.contains(words), "{words:?} is not in {message:?}");
        }
    }

    #[test]
    fn recipes_that_would_explode_are_refused() {
        let deep = format!("base: {}", "[".repeat(100));
        assert!(problem(&deep).contains("more than 32 deep"), "{}", problem(&deep));
        assert!(problem(&format!("base: {}", "[".repeat(100_000))).contains("not YAML"));
        // A billion laughs.
        let mut laughs = "base: A\nl0: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let before = format!("*l{}, ", level - 1).repeat(10);
            laughs.push_str(&format!("l{level}: &l{level} [{before}]\n"));
        }
        assert!(problem(&laughs).contains("more than 20000 parts"), "{}", problem(&laughs));
        let long = format!("base: A\nsteps: [{}]", "x, ".repeat(30_000));
        assert!(problem(&long).contains("more than 20000 parts"));
        assert!(problem("base: A\nsteps: &s [*s]").contains("alias"), "{}", problem("base: A\nsteps: &s [*s]"));
    }

    #[test]
    fn an_alias_stands_for_what_it_names() {
        let text = "base: &b A\nsteps:\n- take: &t {from: *b, select: o_proj}\n- take: *t";
        let inline = "A; take o_proj from A; take o_proj from A";
        assert_eq!(Recipe::parse_yaml("f", text).unwrap(), Recipe::parse_inline(inline).unwrap());
    }

    #[test]
    fn what_is_not_followed_of_mergekit_is_refused_by_name() {
        let models = "models: [{model: a, parameters: {weight: 1}}]";
        for (text, words) in [
            ("merge_method: linear".to_owned(), "line 1: `models` or `slices` is missing here"),
            (format!("merge_method: lineal\n{models}"), "line 1: there is no merge method \"lineal\""),
            (
                format!("{models}\nmerge_method: linear\nnonsense: 1"),
                "line 3: the key \"nonsense\" has no meaning here",
            ),
            (format!("merge_method: linear\n{models}\ndtype: int8"), "line 3: there is no dtype \"int8\""),
            (format!("merge_method: linear\n{models}\nslices: []"), "`models` and `slices` exclude each other"),
            (
                format!("merge_method: linear\n{models}\nparameters: {{wieght: 1}}"),
                "line 3: there is no parameter \"wieght\"",
            ),
            (
                format!("merge_method: linear\n{models}\nparameters: {{weight: high}}"),
                "line 3: found \"high\" where a number",
            ),
            (
                format!("merge_method: linear\n{models}\ninput_model_parameters: {{}}"),
                "input_model_parameters is not followed",
            ),
            ("merge_method: linear\nmodels: [{model: a+}]".to_owned(), "no adapter behind it"),
            ("merge_method: linear\nmodules: {vision: {}}".to_owned(), "there is no module \"vision\" here"),
            (
                "merge_method: linear\nslices: [{sources: [{model: a, layer_range: [4, 2]}]}]".to_owned(),
                "[4, 2] is no range of layers",
            ),
        ] {
            let message = problem(&text);
            assert!(message.contains(words), "{words:?} is not in {message:?}");
        }
    }
}
