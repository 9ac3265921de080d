use std::collections::BTreeSet;
use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::anatomy::{Anatomy, Site};
use crate::config::ModelConfig;

/// A small model: two layers, four query heads of two features, two key and value heads.
struct Model {
    anatomy: &'static Anatomy,
    config: ModelConfig,
    tensors: Vec<(String, Vec<u64>, Vec<Site>)>,
}

impl Model {
    fn new(config: &str, tensors: &[(&str, &[u64])]) -> Self {
        let config = ModelConfig::parse("config.json", config.as_bytes()).unwrap();
        let anatomy = Anatomy::for_checkpoint(Some(&config), tensors.iter().map(|(name, _)| *name));
        let tensors = tensors.iter().map(|(name, shape)| {
            let found = anatomy.sites(name, shape, Some(&config));
            assert_eq!(found.note, None);
            ((*name).to_owned(), shape.to_vec(), found.sites)
        });
        Self { anatomy, tensors: tensors.collect(), config }
    }

    fn qwen2() -> Self {
        let mut tensors: Vec<(String, &[u64])> =
            vec![("model.embed_tokens.weight".to_owned(), &[6, 8]), ("model.norm.weight".to_owned(), &[8])];
        for layer in 0..2 {
            let block: [(&str, &[u64]); 12] = [
                ("input_layernorm.weight", &[8]),
                ("self_attn.q_proj.weight", &[8, 8]),
                ("self_attn.q_proj.bias", &[8]),
                ("self_attn.k_proj.weight", &[4, 8]),
                ("self_attn.k_proj.bias", &[4]),
                ("self_attn.v_proj.weight", &[4, 8]),
                ("self_attn.v_proj.bias", &[4]),
                ("self_attn.o_proj.weight", &[8, 8]),
                ("post_attention_layernorm.weight", &[8]),
                ("mlp.gate_proj.weight", &[5, 8]),
                ("mlp.up_proj.weight", &[5, 8]),
                ("mlp.down_proj.weight", &[8, 5]),
            ];
            tensors.extend(block.map(|(name, shape)| (format!("model.layers.{layer}.{name}"), shape)));
        }
        let tensors: Vec<(&str, &[u64])> = tensors.iter().map(|(name, shape)| (name.as_str(), *shape)).collect();
        let config = r#"{"model_type": "qwen2", "num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 4,
            "num_key_value_heads": 2, "tie_word_embeddings": true}"#;
        Self::new(config, &tensors)
    }

    fn mixture() -> Self {
        let config = r#"{"model_type": "gpt_oss", "num_hidden_layers": 1, "hidden_size": 4, "intermediate_size": 3,
            "num_attention_heads": 2, "tie_word_embeddings": false}"#;
        Self::new(
            config,
            &[
                ("model.embed_tokens.weight", &[6, 4]),
                ("lm_head.weight", &[6, 4]),
                ("model.layers.0.self_attn.sinks", &[2]),
                ("model.layers.0.mlp.router.weight", &[3, 4]),
                ("model.layers.0.mlp.experts.gate_up_proj", &[3, 4, 6]),
                ("model.layers.0.mlp.experts.down_proj", &[3, 3, 4]),
            ],
        )
    }

    fn resolve_parsed(&self, selection: &Selection) -> Result<Selected, ResolveError> {
        let tensors: Vec<SelectableTensor<'_>> =
            self.tensors.iter().map(|(name, shape, sites)| SelectableTensor { name, shape, sites }).collect();
        selection.resolve(&tensors, self.anatomy, Some(&self.config))
    }

    fn resolve(&self, text: &str) -> Selected {
        self.resolve_parsed(&Selection::parse(text).unwrap()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn error(&self, text: &str) -> String {
        self.resolve_parsed(&Selection::parse(text).unwrap()).unwrap_err().to_string()
    }

    /// The names of the tensors that are selected, without their ends; for some heads only, with the first run.
    fn names(&self, text: &str) -> String {
        let mut names = String::new();
        for site in self.resolve(text).sites {
            let (name, shape, _) = &self.tensors[site.tensor];
            let short = name.trim_start_matches("model.").trim_start_matches("layers.").replace("self_attn.", "");
            write!(names, "{} ", short.trim_end_matches(".weight")).unwrap();
            if !site.region.is_whole() {
                write!(names, "{:?} ", site.region.runs(0..shape.iter().product())).unwrap();
            }
        }
        names.trim_end().to_owned()
    }

    /// Every selected element, as (tensor, element); none where a selection selects nothing.
    fn elements(&self, selection: &Selection) -> Result<BTreeSet<(usize, u64)>, ResolveError> {
        let selected = match self.resolve_parsed(selection) {
            Err(ResolveError::NothingLeft { .. }) => return Ok(BTreeSet::new()),
            result => result?,
        };
        let mut elements = BTreeSet::new();
        for site in selected.sites {
            for element in site.region.runs(0..u64::MAX).into_iter().flatten() {
                assert!(elements.insert((site.tensor, element)), "an element is selected twice");
            }
        }
        Ok(elements)
    }
}

#[test]
fn intersection_binds_tighter_than_union_and_complement_tightest() {
    let role = |name: &str| Selection::Atom(Atom::Role(name.to_owned()));
    assert_eq!(
        Selection::parse("a + !b & layers 5..30 + (c + d) & e").unwrap(),
        Selection::Union(vec![
            role("a"),
            Selection::Intersection(vec![
                Selection::Not(Box::new(role("b"))),
                Selection::Atom(Atom::Layers(Numbers { first: 5, end: 30 })),
            ]),
            Selection::Intersection(vec![Selection::Union(vec![role("c"), role("d")]), role("e")]),
        ])
    );
}

#[test]
fn ranges_are_half_open_or_inclusive_as_in_rust() {
    let numbers = |text: &str| match Selection::parse(text).unwrap() {
        Selection::Atom(Atom::Layers(numbers)) => (numbers.first, numbers.end),
        other => panic!("{other}"),
    };
    assert_eq!([numbers("layers 7"), numbers("layers 5..30"), numbers("layers  5 ..= 29")], [(7, 8), (5, 30), (5, 30)]);
}

#[test]
fn errors_point_at_the_place_and_say_what_was_expected() {
    let shown = |text: &str| Selection::parse(text).unwrap_err().to_string();
    assert_eq!(
        shown("o_proj & layers"),
        "the selection ends where a range after `layers`: `7`, `5..30` or `5..=29` was expected\n  \
         o_proj & layers\n                 ^"
    );
    assert!(shown("").starts_with("the selection ends where a role"));
    assert!(shown("ä + é").ends_with("\n  ä + é\n  ^"));
    assert!(shown("norm + é").ends_with("\n  norm + é\n         ^"));
    assert!(shown("norm +\n & x").ends_with("\n   & x\n   ^"));
    assert!(shown("a b").starts_with("found `b` where `+`, `&` or the end was expected"));
    assert!(shown("(a").starts_with("the selection ends where `+`, `&` or `)` was expected"));
    assert!(shown("a)").starts_with("this `)` closes nothing"));
    assert!(shown("layers 5..").starts_with("the selection ends where the number that ends the range was expected"));
    assert!(shown("layers 30..5").starts_with("this range is empty"));
    assert!(shown("layers 99999999999").starts_with("this number is too large"));
    assert!(shown("\"model.*").starts_with("this `\"` is never closed"));
    assert!(shown("/(/").starts_with("this pattern cannot be used: "));
    assert!(shown(&"!".repeat(10_000)).starts_with("parentheses and `!` are nested more than 64 deep"));
}

#[test]
fn the_example_of_the_design_selects_what_it_says() {
    assert_eq!(
        Model::qwen2().names("o_proj & layers 1..30 + norm"),
        "norm 0.input_layernorm 0.post_attention_layernorm 1.input_layernorm 1.o_proj 1.post_attention_layernorm"
    );
}

#[test]
fn atoms_select_by_role_group_layer_name_and_part() {
    let model = Model::qwen2();
    assert_eq!(model.names("qkv & layers 0 & weight"), "0.q_proj 0.k_proj 0.v_proj");
    assert_eq!(model.names("attn & layers 0 & bias"), "0.q_proj.bias 0.k_proj.bias 0.v_proj.bias");
    assert_eq!(model.names("mlp & layers 1"), "1.mlp.gate_proj 1.mlp.up_proj 1.mlp.down_proj");
    assert_eq!(model.names("\"*.1.mlp.u?_proj.weight\""), "1.mlp.up_proj");
    assert_eq!(model.names(r"/^model\.n/"), "norm");
    assert_eq!(model.names("all & !layers 0..2"), "embed_tokens norm");
}

#[test]
fn heads_narrow_queries_keys_values_and_outputs_each_along_its_own_axis() {
    let model = Model::qwen2();
    assert_eq!(model.names("q_proj & weight & layers 0 & heads 1"), "0.q_proj [16..32]");
    assert_eq!(model.names("q_proj & bias & layers 0 & heads 1"), "0.q_proj.bias [2..4]");
    assert_eq!(model.names("k_proj & weight & layers 0 & heads 1..9"), "0.k_proj [16..32]");
    assert_eq!(
        model.names("o_proj & layers 0 & heads 0..2"),
        "0.o_proj [0..4, 8..12, 16..20, 24..28, 32..36, 40..44, 48..52, 56..60]"
    );
    assert_eq!(model.names("q_proj & weight & layers 0 & !heads 1..3"), "0.q_proj [0..16, 48..64]");
    assert_eq!(model.names("q_proj & weight & layers 0 & (heads 0..2 + heads 2..4)"), "0.q_proj");
    assert_eq!(model.names("norm & !heads 0 & layers 0"), "0.input_layernorm 0.post_attention_layernorm");
}

#[test]
fn heads_of_modules_with_different_numbers_of_them_give_a_note() {
    assert_eq!(Model::qwen2().resolve("(q_proj + o_proj) & heads 0").notes, [""; 0]);
    let notes = Model::qwen2().resolve("heads 0..8").notes;
    assert_eq!(
        notes,
        [
            "`heads 0..8` reaches past the last head, which is 3",
            "heads are counted in each module by itself: queries and outputs have 4, keys and values 2"
        ]
    );
}

#[test]
fn stacked_experts_are_selected_one_by_one() {
    let model = Model::mixture();
    assert_eq!(model.resolve("experts").sites.len(), 9);
    assert_eq!(model.names("experts 1 & down_proj"), "0.mlp.experts.down_proj [12..24]");
    assert_eq!(
        model.names("experts 2 & up_proj"),
        "0.mlp.experts.gate_up_proj [49..50, 51..52, 53..54, 55..56, 57..58, 59..60, 61..62, 63..64, 65..66, 67..68, \
         69..70, 71..72]"
    );
    assert_eq!(model.names("sinks & heads 1"), "0.sinks [1..2]");
}

#[test]
fn with_tied_embeddings_the_head_is_the_embedding() {
    let selected = Model::qwen2().resolve("head");
    assert_eq!(selected.sites.len(), 1);
    assert_eq!(selected.sites[0].site.role.name(), "embed");
    assert!(selected.notes[0].contains("`head` is the embedding"));
    assert_eq!(Model::mixture().names("head"), "lm_head");
    assert_eq!(Model::mixture().resolve("head").notes, [""; 0]);
}

#[test]
fn a_head_that_is_neither_stored_nor_tied_matches_nothing() {
    let config = r#"{"model_type": "llama", "tie_word_embeddings": false}"#;
    let model = Model::new(config, &[("model.embed_tokens.weight", &[6, 4])]);
    assert_eq!(model.error("head"), "`head` matches nothing: there are the roles embed");
}

#[test]
fn an_atom_that_matches_nothing_lists_what_there_is() {
    let model = Model::qwen2();
    assert_eq!(model.error("layers 2..9"), "`layers 2..9` matches nothing: there are layers 0..=1");
    assert_eq!(model.error("norm + heads 4..9"), "`heads 4..9` matches nothing: there are heads 0..4");
    assert_eq!(model.error("experts 0"), "`experts 0` matches nothing: there are no experts");
    assert_eq!(
        model.error("\"lm*\""),
        "`\"lm*\"` matches nothing: the tensors are called like \"model.embed_tokens.weight\""
    );
    assert_eq!(
        model.error("o_prj"),
        "`o_prj` matches nothing: did you mean `o_proj`? there are the roles down_proj embed final_norm gate_proj \
         input_norm k_proj o_proj post_norm q_proj up_proj v_proj and the groups attn mlp norm qkv"
    );
    assert_eq!(Model::mixture().error("bias"), "`bias` matches nothing: there are only weights");
    assert!(model.error("q_proj & k_proj").starts_with("`q_proj & k_proj` selects nothing"));
}

#[test]
fn a_range_that_reaches_past_the_end_gives_a_note() {
    assert_eq!(
        Model::qwen2().resolve("layers 1..30").notes,
        ["`layers 1..30` reaches past the last layer, which is 1"]
    );
}

#[test]
fn modules_of_extra_layers_keep_to_themselves() {
    let config = r#"{"model_type": "deepseek_v3", "num_hidden_layers": 1}"#;
    let tensors: [(&str, &[u64]); 4] = [
        ("model.layers.0.self_attn.o_proj.weight", &[4, 4]),
        ("model.layers.1.self_attn.o_proj.weight", &[4, 4]),
        ("model.layers.1.enorm.weight", &[4]),
        ("model.norm.weight", &[4]),
    ];
    let model = Model::new(config, &tensors);
    assert_eq!(model.names("o_proj"), "0.o_proj");
    assert_eq!(model.names("mtp"), "1.o_proj 1.enorm");
    assert_eq!(model.names("attn"), "0.o_proj 1.o_proj");
    assert_eq!(model.names("norm"), "1.enorm norm");
}

fn atoms() -> impl Strategy<Value = Selection> {
    let numbers = || (0_u64..3, 1_u64..3).prop_map(|(first, length)| Numbers { first, end: first + length });
    prop_oneof![
        prop::sample::select(vec!["q_proj", "o_proj", "norm", "qkv", "mlp", "embed", "head"])
            .prop_map(|role| Atom::Role(role.to_owned())),
        numbers().prop_filter("there are two layers", |numbers| numbers.first < 2).prop_map(Atom::Layers),
        numbers().prop_map(Atom::Heads),
        prop::sample::select(vec![r"*.0.*", "*bias", r#"a\*\"b\\"#])
            .prop_map(|glob| Atom::Name(NamePattern::glob(glob).unwrap())),
        prop::sample::select(vec![r"layers\.1", "k_proj|norm", r"a/b\\\d"])
            .prop_map(|regex| Atom::Name(NamePattern::regex(regex).unwrap())),
        Just(Atom::Weight),
        Just(Atom::Bias),
        Just(Atom::All),
    ]
    .prop_map(Selection::Atom)
}

fn selections() -> impl Strategy<Value = Selection> {
    atoms().prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Selection::Union),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Selection::Intersection),
            inner.prop_map(|item| Selection::Not(Box::new(item))),
        ]
    })
}

fn not(selection: &Selection) -> Selection {
    Selection::Not(Box::new(selection.clone()))
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        if let Err(error) = Selection::parse(&text) {
            let _ = error.to_string();
        }
    }

    #[test]
    fn no_text_of_the_languages_own_words_makes_the_parser_panic(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "layers", "heads", "experts", "all", "norm", "+", "&", "!", "(", ")", "..", "..=", "7", "4294967295", "\"",
                "/", "\\", "*", " ", "\n", "é",
            ]),
            0..20,
        ),
    ) {
        let text = words.concat();
        match Selection::parse(&text) {
            Ok(selection) => prop_assert_eq!(Selection::parse(&selection.to_string()), Ok(selection)),
            Err(error) => prop_assert!(text.is_char_boundary(error.at)),
        }
    }

    #[test]
    fn a_selection_reads_back_as_it_is_written(selection in selections()) {
        prop_assert_eq!(Selection::parse(&selection.to_string()), Ok(selection));
    }

    #[test]
    fn selections_are_sets_of_elements(a in selections(), b in selections()) {
        let model = Model::qwen2();
        let (Ok(in_a), Ok(in_b)) = (model.elements(&a), model.elements(&b)) else { return Ok(()) };
        let all = model.elements(&Selection::ALL).unwrap();
        let both = Selection::Intersection(vec![a.clone(), b.clone()]);
        let any = Selection::Union(vec![a.clone(), b.clone()]);
        prop_assert_eq!(model.elements(&both), Ok(&in_a & &in_b));
        prop_assert_eq!(model.elements(&any), Ok(&in_a | &in_b));
        prop_assert_eq!(model.elements(&not(&a)), Ok(&all - &in_a));
        prop_assert_eq!(model.elements(&not(&not(&a))), Ok(in_a));
        let by_de_morgan = Selection::Intersection(vec![not(&a), not(&b)]);
        prop_assert_eq!(model.elements(&not(&any)), model.elements(&by_de_morgan));
        let by_de_morgan = Selection::Union(vec![not(&a), not(&b)]);
        prop_assert_eq!(model.elements(&not(&both)), model.elements(&by_de_morgan));
    }
}
