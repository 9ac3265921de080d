//! The example configurations of mergekit, key by key, with the built-in pair standing in for the models that they name.
//!
//! The first six are those of its repository; the others are the kinds that its documentation shows.

use super::tests::bytes;
use super::*;
use crate::conformance::PlantedPlace;
use crate::folder::SideFiles;

/// A third model.
const THIRD: &str = "'planted:base; take mlp from planted:tuned'";

/// Each with a tensor that it makes and the number of layers.
fn examples() -> Vec<(&'static str, String, u32)> {
    vec![
        (
            "ties with models beside the base",
            format!(
                "models:\n  - model: planted:tuned\n    parameters:\n      density: 0.5\n      weight: 0.5\n  - model: {THIRD}\n    \
                 parameters:\n      density: 0.5\n      weight: 0.5\nmerge_method: ties\nbase_model: planted:base\nparameters:\n  \
                 normalize: false\n  int8_mask: true\ndtype: float16"
            ),
            12,
        ),
        (
            "slerp with gradients by filter",
            "slices:\n  - sources:\n      - model: planted:base\n        layer_range: [0, 12]\n      - model: planted:tuned\n        \
             layer_range: [0, 12]\nmerge_method: slerp\nbase_model: planted:base\nparameters:\n  t:\n    - filter: self_attn\n      \
             value: [0, 0.5, 0.3, 0.7, 1]\n    - filter: mlp\n      value: [1, 0.5, 0.7, 0.3, 0]\n    - value: 0.5 # the rest\ndtype: \
             float16\n"
                .to_owned(),
            12,
        ),
        (
            "linear of three",
            format!(
                "models:\n  - model: planted:base\n    parameters:\n      weight: 1.0\n  - model: planted:tuned\n    parameters:\n      \
                 weight: 0.3\n  - model: {THIRD}\n    parameters:\n      weight: 0.5\nmerge_method: linear\ndtype: float16\n"
            ),
            12,
        ),
        (
            "two merges in a file, the second made of the first",
            format!(
                "slices:\n  - sources:\n      - model: planted:base\n        layer_range: [0, 12]\n      - model: planted:tuned\n        \
                 layer_range: [0, 12]\nmerge_method: slerp\nbase_model: planted:base\nparameters:\n  t:\n    - filter: self_attn\n      \
                 value: [0, 0.5, 0.3, 0.7, 1]\n    - value: 0.5\ndtype: float16\nout_path: ./models/first\n---\nmodels:\n  - model: \
                 ./models/first\n    parameters:\n      density: [1, 0.7, 0.1] # a gradient\n      weight: 1.0\n  - model: {THIRD}\n    \
                 parameters:\n      density: 0.33\n      weight:\n        - filter: mlp\n          value: 0.5\n        - value: 0\n\
                 merge_method: ties\nbase_model: planted:base\nparameters:\n  normalize: true\n  int8_mask: true\ndtype: float16\nout_path: \
                 ./models/second\n"
            ),
            12,
        ),
        (
            "layers of one model upon those of another",
            "slices:\n  - sources:\n    - model: planted:base\n      layer_range: [0, 8]\n  - sources:\n    - model: planted:tuned\n      \
             layer_range: [6, 12]\nmerge_method: passthrough\ndtype: float16\n"
                .to_owned(),
            14,
        ),
        (
            "ties with gradients and filters",
            format!(
                "models:\n  - model: planted:tuned\n    parameters:\n      density: [1, 0.7, 0.1]\n      weight: 1.0\n  - model: {THIRD}\n    \
                 parameters:\n      density: 0.5\n      weight: [0, 0.3, 0.7, 1]\nmerge_method: ties\nbase_model: planted:base\nparameters:\n  \
                 normalize: true\n  int8_mask: true\ndtype: float16\n"
            ),
            12,
        ),
        (
            "a fusion with its base among the models",
            "models:\n  - model: planted:base\n  - model: planted:tuned\nmerge_method: arcee_fusion\nbase_model: planted:base\ndtype: bfloat16\n"
                .to_owned(),
            12,
        ),
        (
            "the first layers of one model",
            "slices:\n  - sources:\n    - model: planted:base\n      layer_range: [0, 8]\nmerge_method: passthrough\ndtype: float16\n".to_owned(),
            8,
        ),
        (
            "three merges, the last without a name",
            format!(
                "name: first\nmerge_method: linear\nmodels:\n  - model: planted:base\n  - model: planted:tuned\nparameters:\n  weight: 0.5\n---\n\
                 name: second\nmerge_method: slerp\nbase_model: first\nmodels:\n  - model: {THIRD}\nparameters:\n  t: 0.5\n---\n\
                 merge_method: dare_ties\nbase_model: planted:base\nmodels:\n  - model: second\n    parameters: {{density: 0.6, weight: 0.5}}\n  \
                 - model: planted:tuned\n    parameters: {{density: 0.8, weight: 0.5}}\n"
            ),
            12,
        ),
        (
            "a module, with a template and what inputs and results are rounded to",
            "merge_method: linear\nmodules:\n  default:\n    slices:\n      - sources:\n          - {model: planted:base, layer_range: [0, 12], \
             parameters: {weight: 1}}\n          - {model: planted:tuned, layer_range: [0, 12], parameters: {weight: [0, 1]}}\n        \
             parameters: {normalize: true}\ndtype: float32\nout_dtype: bfloat16\nchat_template: chatml\n"
                .to_owned(),
            12,
        ),
    ]
}

#[test]
fn every_example_makes_a_model() {
    for (what, text, layers) in examples() {
        let place = PlantedPlace { recipes: vec![("example.yaml", text)], ..PlantedPlace::default() };
        let made = pollster::block_on(open(&place, "example.yaml", SideFiles::All));
        let made = made.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(made.layers(), layers, "{what}");
        for name in ["model.layers.3.self_attn.o_proj.weight", "model.norm.weight"] {
            assert!(bytes(&made, name).iter().any(|byte| *byte != 0), "{what}: {name}");
        }
    }
}

#[test]
fn a_later_merge_of_a_file_sees_what_an_earlier_one_makes() {
    let stages = "name: first\nmerge_method: passthrough\nmodels: [{model: planted:tuned}]\n---\nmerge_method: passthrough\nmodels: [{model: \
                  first, parameters: {scale: 1}}]\n";
    let place = PlantedPlace { recipes: vec![("stages.yaml", stages.to_owned())], ..PlantedPlace::default() };
    let made = pollster::block_on(open(&place, "stages.yaml", SideFiles::All)).unwrap();
    let donor = pollster::block_on(open(&place, "planted:tuned", SideFiles::All)).unwrap();
    let name = "model.layers.3.self_attn.o_proj.weight";
    assert_eq!(bytes(&made, name), bytes(&donor, name));
}

#[test]
fn the_examples_of_the_documentation_about_tokens_are_read() {
    let merge =
        "merge_method: linear\nmodels:\n- {model: a, parameters: {weight: 1}}\n- {model: b, parameters: {weight: 1}}\n";
    for section in [
        "tokenizer_source: union",
        "tokenizer_source: base",
        "tokenizer_source: some/model",
        "tokenizer: {source: union}",
        "tokenizer:\n  source: union\n  pad_to_multiple_of: null\n",
        "tokenizer:\n  source: \"union\"\n  tokens:\n    <|im_start|>:\n      source: \"a\"\n    <|special|>:\n      source: \"b\"\n      force: true\n    \
         <|renamed_token|>:\n      source:\n        kind: \"model_token\"\n        model: \"a\"\n        token: \"<|original_token|>\"\n    \
         <|unused|>:\n      source:\n        kind: \"zero\"\n  pad_to_multiple_of: 64\n",
        "chat_template: auto",
        "chat_template: llama3",
        "chat_template: \"{{ messages }}\"",
    ] {
        let recipe = Recipe::parse_yaml("f", &format!("{merge}{section}\n"));
        assert!(recipe.is_ok(), "{section}: {recipe:?}");
    }
}

/// Those of other branches and versions, which mergekit 0.1.5 does not follow either.
#[test]
fn what_has_no_meaning_is_refused_by_name() {
    let models = "models:\n- {model: a, parameters: {weight: 1}}\n- {model: b, parameters: {weight: 1}}\n";
    for (rest, words) in [
        ("merge_method: cabs\nbase_model: a\ndefault_n_val: 8\n", "there is no merge method \"cabs\""),
        ("merge_method: core_space\nbase_model: a\n", "there is no merge method \"core_space\""),
        ("merge_method: lrp\nbase_model: a\n", "there is no merge method \"lrp\""),
        ("merge_method: ranked_ties\nbase_model: a\n", "there is no merge method \"ranked_ties\""),
        ("merge_method: encoder_decoder_weighted\n", "there is no merge method \"encoder_decoder_weighted\""),
        ("metric_method: all\n", "`merge_method` is missing"),
        ("merge_method: ties\nbase_model: a\nalign_weights: zipit\n", "the key \"align_weights\" has no meaning"),
        ("merge_method: nuslerp\nparameters: {geodesic: true}\n", "there is no parameter \"geodesic\""),
        ("merge_method: slerp\nbase_model: a\nparameters: {t: [{pattern: mlp, value: 1}]}\n", "the key \"pattern\""),
    ] {
        let message = Recipe::parse_yaml("f", &format!("{models}{rest}")).unwrap_err().to_string();
        assert!(message.contains(words), "{words:?} is not in {message}");
    }
    let lora = "merge_method: linear\nmodels: [{model: a, lora: b, parameters: {weight: 1}}]\n";
    let message = Recipe::parse_yaml("f", lora).unwrap_err().to_string();
    assert!(message.contains("the key \"lora\" has no meaning"), "{message}");
}

#[test]
fn merges_of_a_file_that_do_not_fit_together_are_refused() {
    let stage = |name: &str, of: &str| format!("{name}\nmerge_method: passthrough\nmodels: [{{model: {of}}}]\n");
    for (text, words) in [
        ([stage("name: x", "y"), stage("name: y", "x"), stage("", "x")].join("---\n"), "in a circle: \"y\", \"x\""),
        ([stage("name: x", "x"), stage("", "x")].join("---\n"), "in a circle: \"x\""),
        ([stage("name: x", "z"), stage("name: z", "x")].join("---\n"), "in a circle: \"z\", \"x\""),
        ([stage("name: x", "a"), stage("name: x", "b")].join("---\n"), "the name \"x\" is given twice"),
        ([stage("", "a"), stage("", "b")].join("---\n"), "second merge without a name"),
        ([stage("name: x", "a"), "base: x".to_owned()].join("---\n"), "a second document begins"),
        (vec![stage("name: x\nout_path: y", "a"); 1].join(""), "`name` and `out_path` exclude each other"),
        ((0..40).map(|n| stage(&format!("name: s{n}"), "a")).collect::<Vec<_>>().join("---\n"), "more than 32 merges"),
    ] {
        let message = Recipe::parse_yaml("f.yaml", &text).unwrap_err().to_string();
        assert!(message.starts_with("f.yaml, line ") && message.contains(words), "{words:?} is not in {message}");
    }
}
