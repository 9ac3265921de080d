//! Names, shapes and settings of the public models whose form a synthetic pair can take.

use serde_json::{Value, json};

use super::Side;
use crate::anatomy::Part;

/// What distinguishes the model families, as far as their stored tensors go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// `Qwen2ForCausalLM`: biases on q, k and v.
    Qwen2,
    /// `Qwen3ForCausalLM`: no biases, a norm on the queries and one on the keys of each head.
    Qwen3,
    /// `LlamaForCausalLM`: neither.
    Llama,
}

/// The form of a decoder: everything that decides the names and shapes of its tensors and its `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// What a person calls it: `qwen2.5-1.5b`.
    pub name: &'static str,
    /// The family.
    pub architecture: Architecture,
    /// Number of blocks.
    pub layers: u32,
    /// Width of the residual stream.
    pub hidden: u64,
    /// Width inside the MLP.
    pub intermediate: u64,
    /// Query heads.
    pub heads: u64,
    /// Heads of keys and values.
    pub kv_heads: u64,
    /// Width of one head.
    pub head_dim: u64,
    /// Rows of the embedding.
    pub vocab: u64,
    /// Whether the head is the embedding, and so not stored.
    pub tied: bool,
    /// Longest context, in tokens.
    pub context: u64,
    /// Base of the rotary embedding.
    pub rope_theta: f64,
    /// What norms add to the variance.
    pub norm_epsilon: f64,
    /// The token that begins a text.
    pub bos: u64,
    /// The tokens that end one.
    pub eos: &'static [u64],
    /// The most bytes of tensors that one shard of the public release holds.
    pub shard_bytes: u64,
}

/// One tensor of a [`Shape`].
#[derive(Clone, Debug, PartialEq)]
pub struct TensorShape {
    /// Its name in the checkpoint.
    pub name: String,
    /// Its dimensions, rows first.
    pub shape: Vec<u64>,
    /// The block it belongs to.
    pub layer: Option<u32>,
    /// What it does there, in the words of the selection language.
    pub role: &'static str,
    /// Weight or bias.
    pub part: Part,
}

const QWEN2: Shape = Shape {
    name: "qwen2.5-1.5b",
    architecture: Architecture::Qwen2,
    layers: 28,
    hidden: 1536,
    intermediate: 8960,
    heads: 12,
    kv_heads: 2,
    head_dim: 128,
    vocab: 151_936,
    tied: true,
    context: 131_072,
    rope_theta: 1e6,
    norm_epsilon: 1e-6,
    bos: 151_643,
    eos: &[151_643],
    shard_bytes: 4_000_000_000,
};

const LLAMA: Shape = Shape {
    name: "llama-3.1-8b",
    architecture: Architecture::Llama,
    layers: 32,
    hidden: 4096,
    intermediate: 14_336,
    heads: 32,
    kv_heads: 8,
    vocab: 128_256,
    tied: false,
    rope_theta: 5e5,
    norm_epsilon: 1e-5,
    bos: 128_000,
    eos: &[128_001],
    shard_bytes: 5_000_000_000,
    ..QWEN2
};

/// Every shape with a name, smallest first. From the models' public `config.json`.
static SHAPES: [Shape; 9] = [
    Shape {
        name: "tiny",
        layers: 4,
        hidden: 64,
        intermediate: 160,
        heads: 4,
        kv_heads: 2,
        head_dim: 16,
        vocab: 256,
        context: 2048,
        bos: 0,
        eos: &[0],
        ..QWEN2
    },
    Shape {
        name: "qwen2.5-0.5b",
        layers: 24,
        hidden: 896,
        intermediate: 4864,
        heads: 14,
        head_dim: 64,
        context: 32_768,
        ..QWEN2
    },
    QWEN2,
    Shape {
        name: "qwen2.5-7b",
        hidden: 3584,
        intermediate: 18_944,
        heads: 28,
        kv_heads: 4,
        vocab: 152_064,
        tied: false,
        ..QWEN2
    },
    LLAMA,
    Shape {
        name: "qwen3-8b",
        architecture: Architecture::Qwen3,
        layers: 36,
        hidden: 4096,
        intermediate: 12_288,
        heads: 32,
        kv_heads: 8,
        tied: false,
        context: 40_960,
        eos: &[151_645],
        ..QWEN2
    },
    Shape {
        name: "qwen2.5-14b",
        layers: 48,
        hidden: 5120,
        intermediate: 13_824,
        heads: 40,
        kv_heads: 8,
        vocab: 152_064,
        tied: false,
        norm_epsilon: 1e-5,
        ..QWEN2
    },
    Shape {
        name: "qwen2.5-32b",
        layers: 64,
        hidden: 5120,
        intermediate: 27_648,
        heads: 40,
        kv_heads: 8,
        vocab: 152_064,
        tied: false,
        norm_epsilon: 1e-5,
        ..QWEN2
    },
    Shape {
        name: "llama-3.3-70b",
        layers: 80,
        hidden: 8192,
        intermediate: 28_672,
        heads: 64,
        eos: &[128_001, 128_008, 128_009],
        ..LLAMA
    },
];

impl Shape {
    /// The built-in pair's: too small to say anything, large enough for every figure to have something in it.
    pub(super) const PLANTED: Self = Self {
        name: "planted",
        layers: 12,
        hidden: 128,
        intermediate: 384,
        heads: 4,
        head_dim: 32,
        vocab: 512,
        context: 2048,
        bos: 0,
        eos: &[0],
        ..QWEN2
    };

    /// The shape called `name`, if there is one.
    pub fn named(name: &str) -> Option<&'static Self> {
        SHAPES.iter().find(|shape| shape.name == name)
    }

    /// The names that [`named`](Self::named) knows, smallest model first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHAPES.iter().map(|shape| shape.name)
    }

    /// Every stored tensor, in the order in which the public release was saved.
    pub fn tensors(&self) -> Vec<TensorShape> {
        let mut tensors = Vec::new();
        let mut push = |name: String, shape: &[u64], layer, role, part| {
            tensors.push(TensorShape { name, shape: shape.to_vec(), layer, role, part });
        };
        push("model.embed_tokens.weight".into(), &[self.vocab, self.hidden], None, "embed", Part::Weight);
        for layer in 0..self.layers {
            for (module, role, shape, part) in self.block() {
                push(format!("model.layers.{layer}.{module}.{part}"), &shape, Some(layer), role, part);
            }
        }
        push("model.norm.weight".into(), &[self.hidden], None, "final_norm", Part::Weight);
        if !self.tied {
            push("lm_head.weight".into(), &[self.vocab, self.hidden], None, "head", Part::Weight);
        }
        tensors
    }

    /// The parameters of one block: module, role, shape and part.
    fn block(&self) -> Vec<(&'static str, &'static str, Vec<u64>, Part)> {
        let queries = self.heads * self.head_dim;
        let keys = self.kv_heads * self.head_dim;
        let norms = [("input_layernorm", "input_norm"), ("post_attention_layernorm", "post_norm")]
            .map(|(module, role)| (module, role, vec![self.hidden], Part::Weight));
        let mut block = Vec::new();
        // The order decides where a release is cut. Qwen's begin a block with its norms, the transformers library ends it so.
        let norms_first = self.architecture == Architecture::Qwen2;
        if norms_first {
            block.extend(norms.clone());
        }
        for (module, role, rows) in [
            ("self_attn.q_proj", "q_proj", queries),
            ("self_attn.k_proj", "k_proj", keys),
            ("self_attn.v_proj", "v_proj", keys),
        ] {
            block.push((module, role, vec![rows, self.hidden], Part::Weight));
            if self.architecture == Architecture::Qwen2 {
                block.push((module, role, vec![rows], Part::Bias));
            }
        }
        block.push(("self_attn.o_proj", "o_proj", vec![self.hidden, queries], Part::Weight));
        if self.architecture == Architecture::Qwen3 {
            block.push(("self_attn.q_norm", "q_norm", vec![self.head_dim], Part::Weight));
            block.push(("self_attn.k_norm", "k_norm", vec![self.head_dim], Part::Weight));
        }
        block.push(("mlp.gate_proj", "gate_proj", vec![self.intermediate, self.hidden], Part::Weight));
        block.push(("mlp.up_proj", "up_proj", vec![self.intermediate, self.hidden], Part::Weight));
        block.push(("mlp.down_proj", "down_proj", vec![self.hidden, self.intermediate], Part::Weight));
        if !norms_first {
            block.extend(norms);
        }
        block
    }

    /// `config.json`, with the public model's fields and the mark `_synthetic`.
    pub fn config(&self) -> Vec<u8> {
        let (class, model_type) = match self.architecture {
            Architecture::Qwen2 => ("Qwen2ForCausalLM", "qwen2"),
            Architecture::Qwen3 => ("Qwen3ForCausalLM", "qwen3"),
            Architecture::Llama => ("LlamaForCausalLM", "llama"),
        };
        let eos = if let [only] = self.eos { json!(only) } else { json!(self.eos) };
        let mut config = json!({
            "_synthetic": true,
            "architectures": [class],
            "attention_dropout": 0.0,
            "bos_token_id": self.bos,
            "eos_token_id": eos,
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "initializer_range": 0.02,
            "intermediate_size": self.intermediate,
            "max_position_embeddings": self.context,
            "model_type": model_type,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.kv_heads,
            "rms_norm_eps": self.norm_epsilon,
            "rope_theta": self.rope_theta,
            "tie_word_embeddings": self.tied,
            "torch_dtype": "bfloat16",
            "use_cache": true,
            "vocab_size": self.vocab,
        });
        for (key, value) in self.family_settings() {
            config[key] = value;
        }
        pretty(&config)
    }

    fn family_settings(&self) -> Vec<(&'static str, Value)> {
        match self.architecture {
            Architecture::Qwen2 => vec![
                ("max_window_layers", json!(self.layers)),
                ("sliding_window", json!(self.context)),
                ("use_sliding_window", json!(false)),
            ],
            Architecture::Qwen3 => vec![
                ("attention_bias", json!(false)),
                ("head_dim", json!(self.head_dim)),
                ("max_window_layers", json!(self.layers)),
                ("rope_scaling", Value::Null),
                ("sliding_window", Value::Null),
                ("use_sliding_window", json!(false)),
            ],
            Architecture::Llama => vec![
                ("attention_bias", json!(false)),
                ("head_dim", json!(self.head_dim)),
                ("mlp_bias", json!(false)),
                ("pretraining_tp", json!(1)),
                (
                    "rope_scaling",
                    json!({
                        "factor": 8.0,
                        "high_freq_factor": 4.0,
                        "low_freq_factor": 1.0,
                        "original_max_position_embeddings": 8192,
                        "rope_type": "llama3",
                    }),
                ),
            ],
        }
    }

    /// `generation_config.json`: A decodes greedily, B samples, as base models and the reasoners made from them ask to.
    pub fn generation_config(&self, side: Side) -> Vec<u8> {
        let eos = if let [only] = self.eos { json!(only) } else { json!(self.eos) };
        let mut config = json!({ "bos_token_id": self.bos, "eos_token_id": eos, "do_sample": side == Side::B });
        match side {
            Side::A => config["max_new_tokens"] = json!(2048),
            Side::B => {
                config["temperature"] = json!(0.6);
                config["top_p"] = json!(0.95);
            }
        }
        pretty(&config)
    }
}

/// Two spaces and sorted keys, as the transformers library writes its files.
pub(super) fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(name: &str) -> u64 {
        let shape = Shape::named(name).expect("a known shape");
        shape.tensors().iter().map(|tensor| tensor.shape.iter().product::<u64>()).sum()
    }

    /// The sizes that the models' own pages state.
    #[test]
    fn parameter_counts_are_those_of_the_public_models() {
        for (name, expected) in [
            ("qwen2.5-0.5b", 494_032_768),
            ("qwen2.5-1.5b", 1_543_714_304),
            ("qwen2.5-7b", 7_615_616_512),
            ("qwen2.5-14b", 14_770_033_664),
            ("qwen2.5-32b", 32_763_876_352),
            ("llama-3.1-8b", 8_030_261_248),
            ("llama-3.3-70b", 70_553_706_496),
            ("qwen3-8b", 8_190_735_360),
        ] {
            assert_eq!(parameters(name), expected, "{name}");
        }
    }

    #[test]
    fn names_find_their_shapes_and_no_two_are_alike() {
        let names: Vec<_> = Shape::names().collect();
        for (at, name) in names.iter().enumerate() {
            assert_eq!(Shape::named(name).map(|shape| shape.name), Some(*name));
            assert!(!names[..at].contains(name));
        }
        assert_eq!(Shape::named("gpt-5"), None);
    }

    #[test]
    fn every_config_says_that_it_is_synthetic() {
        for shape in SHAPES.iter().chain([&Shape::PLANTED]) {
            let config: Value = serde_json::from_slice(&shape.config()).expect("JSON");
            assert_eq!(config["_synthetic"], json!(true));
            assert_eq!(config["num_hidden_layers"], json!(shape.layers));
        }
    }
}
