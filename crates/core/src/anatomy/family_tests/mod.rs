//! Every family table against names, shapes and behaviour of the transformers library (`tests/goldens/make_names.py`).
//!
//! The roles that are expected stand in [`roles`].

mod roles;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;
use regex::Regex;
use serde::Deserialize;

use roles::*;

use super::*;
use crate::region::Region;

/// A file of `tests/data/names`.
#[derive(Deserialize)]
struct Names {
    config: serde_json::Value,
    tensors: BTreeMap<String, Vec<u64>>,
    #[serde(default)]
    stacked: BTreeMap<String, Vec<u64>>,
    #[serde(default)]
    public: BTreeMap<String, Vec<u64>>,
    #[serde(default)]
    fused: BTreeMap<String, Vec<(String, u64)>>,
    #[serde(default)]
    heads: BTreeMap<String, Vec<(u64, u64)>>,
    #[serde(default)]
    reads: BTreeMap<String, Option<String>>,
    #[serde(default)]
    follows: BTreeMap<String, String>,
}

impl Names {
    fn config(&self) -> ModelConfig {
        ModelConfig::parse("config.json", self.config.to_string().as_bytes()).unwrap()
    }

    fn all(&self) -> impl Iterator<Item = (&String, &Vec<u64>)> {
        self.tensors.iter().chain(&self.stacked).chain(&self.public)
    }

    fn shape(&self, name: &str) -> &[u64] {
        self.all().find(|(known, _)| *known == name).map(|(_, shape)| shape).unwrap()
    }
}

static LAYER_NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(layers?|h)\.(?<number>\d+)\.").unwrap());
static EXPERT_NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"experts\.(?<number>\d+)\.").unwrap());

/// What is expected of a family.
struct Expected {
    family: &'static str,
    names: &'static str,
    lines: &'static [&'static str],
}

/// Which role the quantities that goldens speak of have.
const OWNERS: [(&str, &[&str]); 10] = [
    ("query", &["q_proj"]),
    ("key", &["k_proj"]),
    ("value", &["v_proj"]),
    ("gate", &["gate_proj"]),
    ("up", &["up_proj"]),
    ("x", &["in_proj_x"]),
    ("z", &["in_proj_z"]),
    ("B", &["in_proj_b", "x_proj_b"]),
    ("C", &["in_proj_c", "x_proj_c"]),
    ("dt", &["in_proj_dt", "x_proj_dt"]),
];

macro_rules! families {
    ($($test:ident: $file:literal is $family:literal, as in $($lines:expr),+;)+) => {$(
        #[test]
        fn $test() {
            let names = include_str!(concat!("../../../../../tests/data/names/", $file, ".json"));
            Expected { family: $family, names, lines: &[$($lines),+] }.check();
        }
    )+};
}

families! {
    every_tensor_of_llama_has_its_role: "llama" is "llama", as in LLAMA;
    every_tensor_of_mistral_has_its_role: "mistral" is "llama", as in LLAMA;
    every_tensor_of_qwen2_has_its_role: "qwen2" is "llama", as in LLAMA;
    every_tensor_of_qwen3_has_its_role: "qwen3" is "llama", as in LLAMA;
    every_tensor_of_gemma2_has_its_role: "gemma2" is "gemma", as in LLAMA, GEMMA;
    every_tensor_of_gemma3_has_its_role: "gemma3_text" is "gemma", as in LLAMA, GEMMA;
    every_tensor_of_multimodal_gemma3_has_its_role: "gemma3" is "gemma", as in GEMMA_MULTIMODAL;
    every_tensor_of_phi3_has_its_role: "phi3" is "phi3", as in LLAMA, PHI3;
    every_tensor_of_gpt2_has_its_role: "gpt2" is "gpt2", as in GPT2;
    every_tensor_of_gpt_neox_has_its_role: "gpt_neox" is "gpt_neox", as in GPT_NEOX;
    every_tensor_of_mixtral_has_its_role: "mixtral" is "mixtral", as in LLAMA, MIXTRAL, STACKED;
    every_tensor_of_qwen2_moe_has_its_role: "qwen2_moe" is "qwen_moe", as in LLAMA, QWEN_MOE, STACKED;
    every_tensor_of_qwen3_moe_has_its_role: "qwen3_moe" is "qwen_moe", as in LLAMA, QWEN_MOE, STACKED;
    every_tensor_of_deepseek_v3_has_its_role: "deepseek_v3" is "deepseek_v3", as in LLAMA, DEEPSEEK, STACKED;
    every_tensor_of_deepseek_with_direct_queries_has_its_role:
        "deepseek_direct_queries" is "deepseek_v3", as in LLAMA, DEEPSEEK, STACKED;
    every_tensor_of_gpt_oss_has_its_role: "gpt_oss" is "gpt_oss", as in LLAMA, GPT_OSS, STACKED;
    every_tensor_of_mamba_has_its_role: "mamba" is "mamba", as in MAMBA;
    every_tensor_of_mamba2_has_its_role: "mamba2" is "mamba2", as in MAMBA2;
    every_tensor_of_jamba_has_its_role: "jamba" is "jamba", as in LLAMA, JAMBA;
    every_tensor_of_bamba_has_its_role: "bamba" is "bamba", as in LLAMA, BAMBA;
    every_tensor_of_bert_has_its_role: "bert" is "bert", as in BERT;
}

impl Expected {
    fn check(&self) {
        let names: Names = serde_json::from_str(self.names).unwrap();
        let config = names.config();
        let anatomy = Anatomy::for_checkpoint(Some(&config), names.tensors.keys().map(String::as_str));
        assert_eq!(anatomy.name(), self.family);
        let by_names = Anatomy::for_checkpoint(None, names.tensors.keys().map(String::as_str));
        assert_eq!(by_names.name(), self.family, "recognised by names alone");
        for (name, shape) in names.all() {
            self.check_tensor(anatomy, name, shape, &config);
        }
        for (name, owners) in &names.fused {
            check_fused(anatomy, name, names.shape(name), owners, &config);
        }
        check_norms(anatomy, &names, &config);
        for (name, heads) in &names.heads {
            check_heads(anatomy, name, names.shape(name), heads, names.fused.get(name), &config);
        }
    }

    /// What is expected of a name: its roles and its part.
    fn of(&self, name: &str) -> (Vec<&str>, &str) {
        let expert = EXPERT_NUMBER.replace(name, "experts.*.").into_owned();
        let layer = LAYER_NUMBER.replace(&expert, "$1.*.").into_owned();
        let line = |name: &str| {
            self.lines.iter().flat_map(|lines| lines.lines()).find(|line| line.split(" | ").next() == Some(name))
        };
        let line = line(&expert).or_else(|| line(&layer)).unwrap_or_else(|| panic!("nothing is expected of {name}"));
        let fields: Vec<&str> = line.split(" | ").collect();
        (fields[1].split(' ').collect(), fields[2])
    }

    fn check_tensor(&self, anatomy: &Anatomy, name: &str, shape: &[u64], config: &ModelConfig) {
        let (roles, part) = self.of(name);
        let found = anatomy.sites(name, shape, Some(config));
        assert_eq!(found.note, None, "{name}");
        let number = |pattern: &Regex| -> Option<u32> {
            pattern.captures(name).map(|captures| captures["number"].parse().unwrap())
        };
        let layer = number(&LAYER_NUMBER).filter(|_| !roles.contains(&"vision"));
        let stack = name.contains(".experts.") && number(&EXPERT_NUMBER).is_none();
        let experts: Vec<Option<u32>> =
            if stack { (0..shape[0] as u32).map(Some).collect() } else { vec![number(&EXPERT_NUMBER)] };
        let expected: Vec<_> = experts
            .iter()
            .flat_map(|expert| roles.iter().map(move |role| ((*role).to_owned(), part.to_owned(), layer, *expert)))
            .collect();
        let sites: Vec<_> =
            found.sites.iter().map(|s| (s.role.name().to_owned(), s.part.to_string(), s.layer, s.expert)).collect();
        assert_eq!(sites, expected, "{name}");
        assert_tiles(name, shape, &found.sites);
    }
}

/// The sites of a tensor must not overlap, and must be all of it.
fn assert_tiles(name: &str, shape: &[u64], sites: &[Site]) {
    let elements: u64 = shape.iter().product();
    let mut runs: Vec<_> =
        sites.iter().flat_map(|site| Region::new(shape, vec![site.slice.clone()]).runs(0..elements)).collect();
    runs.sort_by_key(|run| run.start);
    let mut end = 0;
    for run in runs {
        assert_eq!(run.start, end, "{name}: a gap or an overlap");
        end = run.end;
    }
    assert_eq!(end, elements, "{name}");
}

/// The indices of an axis that lie in some slices (those on other axes aside).
fn indices(slices: &[Slice], axis: usize, dimension: u64) -> BTreeSet<u64> {
    let along = slices.iter().filter(|slice| slice.axis == axis).map(|slice| Slice { axis: 0, ..*slice }).collect();
    Region::new(&[dimension], vec![along]).runs(0..dimension).into_iter().flatten().collect()
}

/// Runs of [something, length], one entry per index.
fn spread<T: Clone>(runs: &[(T, u64)]) -> Vec<T> {
    runs.iter().flat_map(|(item, length)| (0..*length).map(move |_| item.clone())).collect()
}

/// The axis that has as many entries as the golden, other than the one that counts experts.
fn golden_axis(name: &str, shape: &[u64], entries: usize) -> usize {
    (0..shape.len()).rev().find(|axis| shape[*axis] == entries as u64).unwrap_or_else(|| panic!("{name}"))
}

fn check_fused(anatomy: &Anatomy, name: &str, shape: &[u64], owners: &[(String, u64)], config: &ModelConfig) {
    let owners = spread(owners);
    let axis = golden_axis(name, shape, owners.len());
    for site in anatomy.sites(name, shape, Some(config)).sites {
        let expected: BTreeSet<u64> = (0..)
            .zip(&owners)
            .filter(|(_, owner)| {
                OWNERS.iter().any(|(known, roles)| known == owner && roles.contains(&site.role.name()))
            })
            .map(|(index, _)| index)
            .collect();
        assert!(!expected.is_empty(), "{name}: {} makes nothing", site.role);
        assert_eq!(indices(&site.slice, axis, shape[axis]), expected, "{name}: {}", site.role);
    }
}

/// Norms as a forward pass of the library showed them.
fn check_norms(anatomy: &Anatomy, names: &Names, config: &ModelConfig) {
    let sites = |module: &str| {
        let name = format!("{module}.weight");
        let known = names.all().find(|(known, _)| **known == name);
        known.map_or_else(Vec::new, |(_, shape)| anatomy.sites(&name, shape, Some(config)).sites)
    };
    for (module, norm) in &names.reads {
        for site in sites(module) {
            let found = anatomy.norm_read_by(&site.role);
            let Some(norm) = norm else {
                // The latent that it reads goes from the norm through the cache, which the forward pass does not show.
                let is_hidden = site.role.name() == "kv_b_proj";
                assert!(found.is_none() || is_hidden, "{module} reads no norm, not {found:?}");
                continue;
            };
            let norm = sites(norm).remove(0);
            let found = found.unwrap_or_else(|| panic!("{module} reads {}", norm.role));
            if found.in_previous_layer && norm.role.name() == "embed_norm" {
                assert_eq!(site.layer, Some(0), "{module}");
                continue;
            }
            assert_eq!((found.norm, found.in_previous_layer), (norm.role, norm.layer != site.layer), "{module}");
        }
    }
    for (module, norm) in &names.follows {
        let (modules, norm) = (sites(module), sites(norm).remove(0).role);
        let is_told = modules.iter().any(|site| anatomy.norm_after(&site.role).as_ref() == Some(&norm));
        assert!(is_told || modules.is_empty(), "{module} is followed by {norm}");
    }
}

fn check_heads(
    anatomy: &Anatomy,
    name: &str,
    shape: &[u64],
    heads: &[(u64, u64)],
    owners: Option<&Vec<(String, u64)>>,
    config: &ModelConfig,
) {
    let heads = spread(heads);
    let owners = owners.map(|owners| spread(owners));
    for site in anatomy.sites(name, shape, Some(config)).sites {
        let found = anatomy.heads(name, shape, &site, Some(config)).unwrap_or_else(|| panic!("{name}: no heads"));
        // Square matrices have two axes as long as the golden; the output projection's heads lie in its in side.
        let window = found.window(0, 1).unwrap();
        let axis = window.axis;
        assert_eq!(shape[axis], heads.len() as u64, "{name}");
        let own = indices(&site.slice, axis, shape[axis]);
        if owners.is_none() {
            assert_eq!(own.len(), heads.len(), "{name}");
        }
        for head in 0..found.count {
            let expected: BTreeSet<u64> =
                own.iter().copied().filter(|index| heads[usize::try_from(*index).unwrap()] == head).collect();
            let mut slices = site.slice.clone();
            slices.extend(found.window(head, head + 1));
            assert_eq!(indices(&slices, axis, shape[axis]), expected, "{name}: {} head {head}", site.role);
            assert!(!expected.is_empty());
        }
    }
}

#[test]
fn the_output_projection_has_its_heads_on_the_side_it_reads() {
    let config = ModelConfig::parse("config.json", br#"{"num_attention_heads": 4, "hidden_size": 24}"#).unwrap();
    let axis = |family: &str, name: &str| {
        let anatomy = Anatomy::built_in().iter().find(|anatomy| anatomy.name() == family).unwrap();
        let site = anatomy.sites(name, &[24, 24], Some(&config)).sites.remove(0);
        anatomy.heads(name, &[24, 24], &site, Some(&config)).unwrap().window(1, 2).unwrap()
    };
    assert_eq!(axis("llama", "model.layers.0.self_attn.o_proj.weight"), Slice::contiguous(1, 6, 6, 24));
    assert_eq!(axis("gpt2", "transformer.h.0.attn.c_proj.weight"), Slice::contiguous(0, 6, 6, 24));
    let llama = &Anatomy::built_in()[0];
    let bias = "model.layers.0.self_attn.o_proj.bias";
    let site = llama.sites(bias, &[24], Some(&config)).sites.remove(0);
    assert_eq!(llama.heads(bias, &[24], &site, Some(&config)), None);
}

#[test]
fn a_shape_that_contradicts_the_table_is_not_guessed_at() {
    let config =
        ModelConfig::parse("config.json", br#"{"model_type": "phi3", "num_attention_heads": 4, "hidden_size": 24}"#);
    let config = config.unwrap();
    let phi3 = Anatomy::for_checkpoint(Some(&config), ["model.layers.0.self_attn.qkv_proj.weight"].into_iter());
    let name = "model.layers.7.self_attn.qkv_proj.weight";
    let note = |shape: &[u64], config: Option<&ModelConfig>| {
        let found = phi3.sites(name, shape, config);
        assert_eq!(found.sites, [whole(Some(7), Role::OTHER, Part::Weight)]);
        found.note.unwrap()
    };
    assert_eq!(
        note(&[70, 24], Some(&config)),
        "model.layers.7.self_attn.qkv_proj.weight [70, 24] is counted as `other`: axis 0 has 70 entries, where \
         (q_proj 24 + k_proj 24 + v_proj 24) were expected"
    );
    assert!(
        note(&[72, 24], None)
            .ends_with("config.json does not give num_attention_heads, which says where the modules in it begin")
    );
    assert!(note(&[], Some(&config)).contains("should not have 0 axes"));
}

#[test]
fn a_stack_of_absurdly_many_experts_or_of_nothing_is_not_unfolded() {
    let mixtral = Anatomy::built_in().iter().find(|anatomy| anatomy.name() == "mixtral").unwrap();
    for shape in [[0, 1, 1], [u64::MAX, 1, 1], [4096, 0, 1]] {
        let found = mixtral.sites("model.layers.0.mlp.experts.down_proj", &shape, None);
        assert_eq!(found.sites.len(), 1);
        assert!(found.note.is_some());
    }
}

#[test]
fn an_unknown_name_is_other_in_the_layer_that_it_names() {
    let llama = &Anatomy::built_in()[0];
    let found = llama.sites("model.layers.3.self_attn.surprise.bias", &[2], None);
    assert_eq!(found, Sites { sites: vec![whole(Some(3), Role::OTHER, Part::Bias)], note: None });
}

#[test]
fn norms_are_told_for_the_modules_that_read_them_and_those_they_follow() {
    let of = |family: &str| Anatomy::built_in().iter().find(|anatomy| anatomy.name() == family).unwrap();
    let read = |family: &str, role: &'static str| of(family).norm_read_by(&Role::new(role));
    let read_name = |family: &str, role: &'static str| read(family, role).map(|read| read.norm.name().to_owned());
    let after = |family: &str, role: &'static str| of(family).norm_after(&Role::new(role)).map(|n| n.name().to_owned());
    let some = |norm: &str| Some(norm.to_owned());

    for role in ["q_proj", "k_proj", "v_proj"] {
        assert_eq!(read_name("llama", role), some("input_norm"));
    }
    assert_eq!(read_name("llama", "up_proj"), some("post_norm"));
    assert_eq!(read_name("llama", "head"), some("final_norm"));
    assert_eq!((read_name("llama", "o_proj"), after("llama", "o_proj")), (None, None));
    assert_eq!(after("llama", "q_proj"), some("q_norm"));

    assert_eq!(read_name("gemma", "gate_proj"), some("pre_feedforward_norm"));
    assert_eq!(after("gemma", "o_proj"), some("post_norm"));
    assert_eq!(after("gemma", "down_proj"), some("post_feedforward_norm"));

    assert_eq!(read_name("deepseek_v3", "q_b_proj"), some("q_a_norm"));
    assert_eq!(after("deepseek_v3", "kv_a_proj"), some("kv_a_norm"));
    assert_eq!(after("deepseek_v3", "q_proj"), None);
    assert_eq!(read_name("deepseek_v3", "mtp_up_proj"), some("mtp_post_norm"));
    assert_eq!(read_name("deepseek_v3", "mtp_head"), some("mtp_final_norm"));

    assert_eq!(read_name("mamba2", "out_proj"), some("ssm_norm"));
    let bert = NormRead { norm: Role::new("output_norm"), in_previous_layer: true };
    assert_eq!(read("bert", "q_proj"), Some(bert));
    assert_eq!(after("bert", "o_proj"), some("post_norm"));
    assert_eq!(read_name("bert", "up_proj"), some("post_norm"));
}

#[test]
fn every_norm_is_in_the_group_norm() {
    for anatomy in Anatomy::built_in() {
        for role in anatomy.roles() {
            let site = whole(None, role.clone(), Part::Weight);
            let is_norm = role.name().ends_with("norm");
            assert_eq!(anatomy.in_group(&site, "norm"), is_norm, "{}: {role}", anatomy.name());
        }
    }
}

/// Names that the tables divide, and some that they don't.
const DIVIDED: [&str; 9] = [
    "model.layers.0.self_attn.qkv_proj.weight",
    "model.layers.0.mlp.gate_up_proj.bias",
    "h.0.attn.c_attn.weight",
    "layers.0.attention.query_key_value.bias",
    "model.layers.0.mlp.experts.gate_up_proj",
    "model.layers.0.mlp.experts.gate_up_proj_bias",
    "layers.0.mixer.in_proj.weight",
    "layers.0.mixer.x_proj.weight",
    "model.layers.0.self_attn.o_proj.weight",
];

fn shapes() -> impl Strategy<Value = Vec<u64>> {
    let dimension = prop_oneof![8 => 0_u64..20, 1 => Just(u64::MAX), 1 => any::<u64>()];
    prop::collection::vec(dimension, 0..5)
}

proptest! {
    #[test]
    fn sites_tile_the_tensor_whatever_its_shape_and_the_config(
        name in prop_oneof![prop::sample::select(DIVIDED.to_vec()).prop_map(str::to_owned), any::<String>()],
        shape in shapes(),
        sizes in prop::collection::vec(prop::option::of(prop_oneof![9 => 0_u64..7, 1 => any::<u64>()]), 8),
    ) {
        let keys = [
            "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_size", "intermediate_size", "d_inner",
            "mamba_d_state", "mamba_n_groups",
        ];
        let settings: serde_json::Map<_, _> =
            keys.iter().zip(sizes).map(|(key, size)| ((*key).to_owned(), size.into())).collect();
        let config = serde_json::Value::Object(settings).to_string();
        let config = ModelConfig::parse("config.json", config.as_bytes()).unwrap();
        for anatomy in Anatomy::built_in() {
            let found = anatomy.sites(&name, &shape, Some(&config));
            prop_assert!(!found.sites.is_empty());
            for site in &found.sites {
                if let Some(heads) = anatomy.heads(&name, &shape, site, Some(&config)) {
                    prop_assert!(heads.window(0, 1).is_some());
                    prop_assert!(heads.window(heads.count - 1, u64::MAX).is_some());
                }
            }
            if shape.iter().all(|dimension| *dimension < 20) {
                assert_tiles(&name, &shape, &found.sites);
            }
        }
    }
}
