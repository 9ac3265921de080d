//! The expressions against every name list that the transformers library wrote, and against Python's `re`, by
//! `tests/goldens/export.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use regex::Regex;
use serde::Deserialize;

use super::*;
use crate::checkpoint::{Checkpoint, CheckpointFiles};
use crate::source::MemorySource;

/// A file of `tests/data/names`.
#[derive(Deserialize)]
struct Names {
    config: serde_json::Value,
    tensors: BTreeMap<String, Vec<usize>>,
    #[serde(default)]
    stacked: BTreeMap<String, Vec<usize>>,
    #[serde(default)]
    public: BTreeMap<String, Vec<usize>>,
}

macro_rules! name_lists {
    ($($file:literal),+) => {
        [$(($file, include_str!(concat!("../../../../tests/data/names/", $file, ".json")))),+]
    };
}

const NAME_LISTS: [(&str, &str); 21] = name_lists!(
    "bamba",
    "bert",
    "deepseek_direct_queries",
    "deepseek_v3",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "gpt2",
    "gpt_neox",
    "gpt_oss",
    "jamba",
    "llama",
    "mamba",
    "mamba2",
    "mistral",
    "mixtral",
    "phi3",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe"
);

/// A model of zeros for every name list: with the names of files, and with those that experts have in memory.
static MODELS: LazyLock<Vec<(String, Model)>> = LazyLock::new(|| {
    let models = NAME_LISTS.iter().flat_map(|(family, text)| {
        let names: Names = serde_json::from_str(text).unwrap();
        let stored: BTreeMap<_, _> = names.tensors.iter().chain(&names.public).collect();
        let in_memory =
            stored.iter().filter(|(name, _)| !name.contains(".experts.")).map(|(name, shape)| (*name, *shape));
        let in_memory = in_memory.chain(&names.stacked).collect();
        let mut models = vec![((*family).to_owned(), model(&names.config, &stored))];
        if !names.stacked.is_empty() {
            models.push((format!("{family} in memory"), model(&names.config, &in_memory)));
        }
        models
    });
    models.collect()
});

fn model(config: &serde_json::Value, tensors: &BTreeMap<&String, &Vec<usize>>) -> Model {
    let bytes: Vec<Vec<u8>> = tensors.values().map(|shape| vec![0; 4 * shape.iter().product::<usize>()]).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape), bytes)| {
        (name.as_str(), safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    let file = safetensors::serialize(views, None).unwrap();
    let files = CheckpointFiles {
        reference: "A".into(),
        shards: vec![Arc::new(MemorySource::new("model.safetensors", file))],
        index: None,
        side_files: BTreeMap::from([("config.json".into(), config.to_string().into_bytes())]),
        notes: Vec::new(),
    };
    Model::new(pollster::block_on(Checkpoint::read(files)).unwrap(), None)
}

fn named(family: &str) -> &'static Model {
    &MODELS.iter().find(|(name, _)| name == family).unwrap().1
}

fn trained(family: &str, select: &str) -> Result<Trained, ExportError> {
    Trained::new(named(family), &Selection::parse(select).unwrap())
}

/// The names of a model that some expressions match, each against the whole name.
fn matched<'m>(model: &'m Model, expressions: &[String]) -> Vec<&'m str> {
    let expressions: Vec<Regex> = expressions.iter().map(|expression| Regex::new(expression).unwrap()).collect();
    let names = model.checkpoint.tensors.iter().map(|tensor| tensor.name.as_str());
    names.filter(|name| expressions.iter().any(|expression| expression.is_match(name))).collect()
}

/// What a selection has of a model: whole tensors and parts of some, by name.
fn selected<'m>(model: &'m Model, selection: &Selection) -> Option<(BTreeSet<&'m str>, BTreeSet<&'m str>)> {
    let found = selection.resolve(&model.selectable(), &model.anatomy, model.config.as_ref()).ok()?;
    let mut elements: BTreeMap<usize, u64> = BTreeMap::new();
    found.sites.iter().for_each(|site| *elements.entry(site.tensor).or_default() += site.region.elements());
    let (whole, parts): (Vec<_>, Vec<_>) =
        elements.into_iter().partition(|(index, elements)| model.checkpoint.tensors[*index].elements() == *elements);
    let names = |some: Vec<(usize, u64)>| {
        some.into_iter().map(|(index, _)| model.checkpoint.tensors[index].name.as_str()).collect()
    };
    Some((names(whole), names(parts)))
}

/// The name of a parameter in memory, where a head that is tied has none of its own.
fn untied<'m>(model: &'m Model, name: &'m str) -> &'m str {
    let is_tied = model.config.as_ref().and_then(|config| config.tie_word_embeddings) == Some(true);
    if !is_tied || !["lm_head.weight", "cls.predictions.decoder.weight"].contains(&name) {
        return name;
    }
    model
        .checkpoint
        .tensors
        .iter()
        .map(|tensor| tensor.name.as_str())
        .find(|name| name.contains("embedding.") || name.contains("word_embeddings"))
        .unwrap()
}

/// The expressions pick exactly what the selection picks, or the selection is refused because it has parts of tensors.
fn check(family: &str, model: &Model, text: &str) {
    let selection = Selection::parse(text).unwrap();
    let Some((whole, parts)) = selected(model, &selection) else {
        assert!(matches!(Trained::new(model, &selection), Err(ExportError::Selection { .. })), "{family}: {text}");
        return;
    };
    let is_constant = |name: &&str| {
        ["inv_freq", "e_score_correction_bias", ".attn.bias", "attention.bias", "masked_bias", "position_ids"]
            .iter()
            .any(|end| name.ends_with(end))
    };
    match Trained::new(model, &selection) {
        Ok(trained) => {
            assert!(parts.is_empty(), "{family}: {text}");
            let expected: BTreeSet<&str> =
                whole.into_iter().filter(|name| !is_constant(name)).map(|name| untied(model, name)).collect();
            assert_eq!(
                matched(model, &trained.expressions).into_iter().collect::<BTreeSet<_>>(),
                expected,
                "{family}: {text}"
            );
            assert_eq!(trained.names.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected, "{family}: {text}");
        }
        Err(ExportError::PartOfATensor { tensor, others, .. }) => {
            assert!(parts.contains(tensor.as_str()) && parts.len() == others + 1, "{family}: {text}");
        }
        Err(ExportError::NoParameters { .. }) => assert!(whole.iter().all(is_constant), "{family}: {text}"),
        Err(error) => panic!("{family}: {text}: {error}"),
    }
}

#[test]
fn the_expressions_pick_what_the_selection_picks_and_no_other_tensor_of_any_family() {
    let selections = [
        "all",
        "norm",
        "o_proj",
        "o_proj + norm + embed + head",
        "layers 1",
        "layers 0..1 & attn",
        "mlp & layers 1..2",
        "!embed",
        "experts",
        "experts 0..2",
        "experts 1 & layers 1 & down_proj",
        "qkv",
        "q_proj",
        "heads 0",
        "bias",
        "weight & layers 0",
        "ssm",
        "out_proj",
        "router",
        "gate_proj",
        "*1*",
        "\"*.1.*\"",
        "/norm/",
        "vision",
        "other",
    ];
    for (family, model) in MODELS.iter() {
        for text in selections.iter().filter(|text| Selection::parse(text).is_ok()) {
            check(family, model, text);
        }
    }
}

#[test]
fn layers_are_listed_and_all_of_them_are_one_word() {
    assert_eq!(
        trained("llama", "o_proj").unwrap().expressions,
        ["^model[.]layers[.][0-9]+[.]self_attn[.]o_proj[.]weight$"]
    );
    let names = (0..12).map(|layer| (format!("model.layers.{layer}.norm.weight"), (5..11).contains(&layer)));
    let names: Vec<(String, bool)> = names.collect();
    let found = expressions(names.iter().map(|(name, wanted)| (name.as_str(), *wanted)));
    assert_eq!(found, ["^model[.]layers[.](5|6|7|8|9|10)[.]norm[.]weight$"]);
}

#[test]
fn experts_that_differ_between_layers_take_an_expression_for_each_kind_of_layer() {
    let names = (0..4).flat_map(|layer| (0..3).map(move |expert| (layer, expert)));
    let names: Vec<(String, bool)> = names
        .map(|(layer, expert)| (format!("l.{layer}.e.{expert}.w1"), if layer < 2 { expert != 1 } else { layer == 3 }))
        .collect();
    let found = expressions(names.iter().map(|(name, wanted)| (name.as_str(), *wanted)));
    assert_eq!(found, ["^l[.](0|1)[.]e[.](0|2)[.]w1$", "^l[.]3[.]e[.][0-9]+[.]w1$"]);
}

#[test]
fn a_part_of_a_tensor_is_refused_by_name() {
    let refused = |family, select| trained(family, select).unwrap_err().to_string();
    assert_eq!(
        refused("phi3", "q_proj"),
        "\"model.layers.0.self_attn.qkv_proj.weight\" holds q_proj, k_proj, v_proj, of which the selection has q_proj (576 of \
         1152 elements) (and so with 1 more tensors): Axolotl and TRL train whole parameters alone (Axolotl can set some rows' \
         gradients to 0, but weight decay would move those rows). Select all of it, or train it with `freeze` here, which \
         trains the selected elements and no other"
    );
    assert!(
        refused("llama", "o_proj & heads 1").contains("holds o_proj, of which the selection has o_proj (144 of 576")
    );
    assert!(refused("gpt_oss", "gate_proj").contains("holds 3 × gate_proj, 3 × up_proj"));
    assert_eq!(trained("phi3", "qkv").unwrap().names.len(), 2);
}

#[test]
fn a_tied_head_is_trained_under_the_name_of_the_embedding() {
    let tied = trained("qwen2", "head").unwrap();
    assert_eq!(tied.names, ["model.embed_tokens.weight"]);
    assert!(
        tied.notes.iter().any(|note| note.contains("one parameter, under the embedding's name")),
        "{:?}",
        tied.notes
    );
    let names: Names = serde_json::from_str(NAME_LISTS.iter().find(|(name, _)| *name == "qwen2").unwrap().1).unwrap();
    let head = ("lm_head.weight".to_owned(), vec![40, 24]);
    let both = model(&names.config, &names.tensors.iter().chain([(&head.0, &head.1)]).collect());
    let both = Trained::new(&both, &Selection::parse("head").unwrap()).unwrap();
    assert_eq!(both.names, tied.names, "a head that is stored and tied nevertheless");
    let apart = trained("llama", "head").unwrap();
    assert_eq!((apart.names.as_slice(), apart.notes.len()), (&["lm_head.weight".to_owned()][..], 0));
}

#[test]
fn constants_are_left_out_and_are_nothing_to_train() {
    assert!(matches!(trained("bert", "position_ids"), Err(ExportError::NoParameters { .. })));
    assert!(trained("llama", "all").unwrap().notes.iter().any(|note| note.ends_with("left out: 1")));
}

#[test]
fn experts_that_are_stored_one_by_one_come_with_a_note() {
    assert!(trained("mixtral", "experts").unwrap().notes.iter().any(|note| note.contains("transformers 4 alone")));
    assert!(trained("mixtral in memory", "experts").unwrap().notes.is_empty());
}

/// A case of `tests/data/export/expressions.json`.
#[derive(Deserialize)]
struct Case {
    family: String,
    select: String,
    expressions: Vec<String>,
    axolotl: Vec<String>,
    fullmatch: Vec<String>,
}

#[test]
fn python_and_axolotl_match_what_was_selected() {
    let text = include_str!("../../../../tests/data/export/expressions.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    assert!(cases.len() > 9);
    for Case { family, select, expressions, axolotl, fullmatch } in cases {
        let found = trained(&family, &select).unwrap();
        assert_eq!(found.expressions, expressions, "{family}: {select}");
        let names: BTreeSet<&String> = found.names.iter().collect();
        assert_eq!(axolotl.iter().collect::<BTreeSet<_>>(), names, "{family}: {select}");
        assert_eq!(fullmatch.iter().collect::<BTreeSet<_>>(), names, "{family}: {select}");
    }
}

fn settings() -> ExportSettings {
    ExportSettings {
        base: "Qwen/Qwen2.5-7B@main".into(),
        select: "o_proj + norm + embed + head".into(),
        out: "trained \"here\"".into(),
        data: Data { path: "data/s1K.jsonl".into(), kind: DataKind::Chat { messages: "messages".into() } },
        held_out: Some("data/held-out.parquet".into()),
        block: 32_768,
        batch: 16,
        rate: 1e-5,
        schedule: RateShape::Cosine,
        warmup_steps: 16,
        length: Length::Epochs(5.0),
        weight_decay: 1e-4,
        betas: [0.9, 0.95],
        epsilon: 1e-8,
        clip: Some(1.0),
        seed: 7,
    }
}

/// The same with everything else that there is.
fn other_settings() -> ExportSettings {
    let columns = |prompt: &str, answer: &str| DataKind::Text { prompt: prompt.into(), answer: answer.into() };
    ExportSettings {
        base: "./a folder@home".into(),
        data: Data { path: "rows.parquet".into(), kind: columns("question", "it's the answer") },
        held_out: None,
        schedule: RateShape::Constant,
        length: Length::Steps(300),
        clip: None,
        ..settings()
    }
}

fn exported(settings: &ExportSettings, trainer: Trainer) -> String {
    let selection = Selection::parse(&settings.select).unwrap();
    // The name of the program has a version, which the files here should not need to follow.
    let text = export(named("qwen2"), &selection, settings, trainer).unwrap().text;
    text.replace(&crate::report::Envelope::tool_name(), "stethoscope")
}

#[test]
fn the_files_say_what_they_should() {
    for (found, expected) in [
        (exported(&settings(), Trainer::Axolotl), include_str!("../../../../tests/data/export/axolotl.yml")),
        (exported(&other_settings(), Trainer::Axolotl), include_str!("../../../../tests/data/export/axolotl_text.yml")),
        (exported(&settings(), Trainer::Trl), include_str!("../../../../tests/data/export/trl.py")),
    ] {
        assert_eq!(found, expected, "\n{found}");
    }
}

#[test]
fn pyyaml_reads_every_number_of_a_configuration_as_a_number() {
    let read: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(include_str!("../../../../tests/data/export/axolotl.json")).unwrap();
    let (one, other) = (&read["axolotl.yml"], &read["axolotl_text.yml"]);
    let numbers =
        ["learning_rate", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm", "num_epochs"];
    assert_eq!(numbers.map(|key| one[key].as_f64()), [1e-5, 1e-4, 0.9, 0.95, 1e-8, 1.0, 5.0].map(Some));
    assert_eq!(
        (one["base_model"].as_str(), one["revision_of_model"].as_str()),
        (Some("Qwen/Qwen2.5-7B"), Some("main"))
    );
    assert_eq!(one["output_dir"], "trained \"here\"");
    assert_eq!(one["unfrozen_parameters"].as_array().map(Vec::len), Some(5));
    assert_eq!(one["datasets"][0]["roles_to_train"], serde_json::json!(["assistant"]));
    assert_eq!((&one["train_on_inputs"], &one["bf16"]), (&false.into(), &true.into()));
    assert_eq!((&other["max_steps"], &other["base_model"]), (&300.into(), &"./a folder@home".into()));
    assert_eq!(other["datasets"][0]["type"]["field_output"], "it's the answer");
}

#[test]
fn scripts_of_every_kind_compile_where_there_is_a_python() {
    let turns = DataKind::Turns { prompt: "q\n\"'".into(), answer: "\\a".into() };
    let turns = ExportSettings { data: Data { path: "rows.json".into(), kind: turns }, ..other_settings() };
    for settings in [settings(), other_settings(), turns] {
        let script = exported(&settings, Trainer::Trl);
        let compile = "import sys; compile(sys.stdin.read(), 'script', 'exec')";
        let python = Command::new("python3").args(["-c", compile]).stdin(Stdio::piped()).spawn();
        let Ok(mut python) = python else { return };
        python.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(python.wait().unwrap().success(), "{script}");
    }
}

#[test]
fn what_the_trainers_could_not_load_is_refused() {
    let refused = |settings: ExportSettings, trainer| {
        export(named("qwen2"), &Selection::parse("norm").unwrap(), &settings, trainer).unwrap_err().to_string()
    };
    for base in ["A; take o_proj from B", "recipe.yaml", "model.safetensors", "planted:base", "s3://bucket/model"] {
        assert!(
            refused(ExportSettings { base: base.into(), ..settings() }, Trainer::Trl).contains("is not a base that")
        );
    }
    let text = Data { path: "data.txt".into(), kind: DataKind::Chat { messages: "messages".into() } };
    assert!(refused(ExportSettings { data: text, ..settings() }, Trainer::Axolotl).contains("is not data that"));
    let kind = DataKind::Turns { prompt: "question".into(), answer: "answer".into() };
    let turns = Data { path: "rows.jsonl".into(), kind };
    assert!(refused(ExportSettings { data: turns, ..settings() }, Trainer::Axolotl).contains("or export for trl"));
    let number = |settings| refused(settings, Trainer::Axolotl);
    assert_eq!(number(ExportSettings { batch: 0, ..settings() }), "blocks in a step is 0; at least 1 was expected");
    assert!(number(ExportSettings { rate: f64::NAN, ..settings() }).starts_with("learning rate is NaN; "));
    assert!(number(ExportSettings { clip: Some(-1.0), ..settings() }).starts_with("largest gradient norm is -1; "));
}

#[test]
fn numbers_have_a_point_and_exponents_a_sign() {
    let written = [1e-5, 2.5e-6, 1e20, 0.0, 3.0, 0.0001].map(number);
    assert_eq!(written, ["1.0e-5", "2.5e-6", "1.0e+20", "0.0", "3.0", "0.0001"]);
}

/// Selections of every shape over the roles and the layers that a model has.
fn selections() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        prop::sample::select(vec![
            "o_proj",
            "norm",
            "attn",
            "mlp",
            "embed",
            "head",
            "experts",
            "q_proj",
            "down_proj",
            "ssm"
        ])
        .prop_map(str::to_owned),
        (0_u32..3, 1_u32..3).prop_map(|(first, count)| format!("layers {first}..{}", first + count)),
        (0_u32..3, 1_u32..3).prop_map(|(first, count)| format!("experts {first}..{}", first + count)),
        prop::sample::select(vec!["weight", "bias", "all", "\"*norm*\"", "/[02468]/"]).prop_map(str::to_owned),
    ];
    atom.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|items| format!("({})", items.join(" + "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|items| format!("({})", items.join(" & "))),
            inner.prop_map(|item| format!("!({item})")),
        ]
    })
}

proptest! {
    #[test]
    fn expressions_pick_exactly_what_any_selection_picks(
        text in selections(),
        family in prop::sample::select(MODELS.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()),
    ) {
        check(&family, named(&family), &text);
    }

    #[test]
    fn expressions_match_the_wanted_names_alone_whatever_is_in_them(
        names in prop::collection::btree_map(
            prop_oneof![
                "(a|b)[.](0|1|2|10)[.](c|d)([.](0|1|07))?",
                "[a-c.0-2+*()\\[\\]|$^\\\\ ]{0,6}",
                "\\PC{0,5}",
            ],
            any::<bool>(),
            0..40,
        ),
    ) {
        let found = expressions(names.iter().map(|(name, wanted)| (name.as_str(), *wanted)));
        let found: Vec<Regex> = found.iter().map(|expression| Regex::new(expression).unwrap()).collect();
        for (name, wanted) in &names {
            let matching = found.iter().filter(|expression| expression.is_match(name)).count();
            prop_assert_eq!(matching, usize::from(*wanted), "{}", name);
        }
    }
}
