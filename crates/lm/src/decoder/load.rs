//! A decoder out of a checkpoint or a recipe, module by module.

use std::borrow::Cow;
use std::collections::BTreeSet;

use candle_core::{DType, Device};
use serde_json::Value;
use stethoscope_core::anatomy::Part;
use stethoscope_core::model::Model;
use stethoscope_core::work::Cancelled;

use super::Decoder;
use super::attention::SelfAttention;
use super::block::{Block, Mixer, SecondHalf};
use super::embedding::Embedding;
use super::feed_forward::{FeedForward, Mixture, Mlp};
use super::state_space::StateSpace;
use crate::config::{
    AttentionConfig, ConfigError, DecoderConfig, Family, FeedForwardConfig, MixerConfig, MixtureConfig,
    StateSpaceConfig,
};
use crate::error::LmError;
use crate::linear::Linear;
use crate::ops::attention::Attention;
use crate::ops::convolution::Convolution;
use crate::ops::norm::RmsNorm;
use crate::training::Trainables;
use crate::weights::{Parameter, SharedTensors, Weights};

impl Decoder {
    /// Reads all weights of a model but those that are among the `shared`; `observe` is told of the layers read and of how many
    /// there are, and may stop it.
    pub async fn load(
        model: &Model,
        device: &Device,
        shared: &SharedTensors,
        observe: impl AsyncFnMut(u64, u64) -> Result<(), Cancelled>,
    ) -> Result<Self, LmError> {
        Self::read(model, &Weights::new(model, device, shared), device, observe).await
    }

    /// As [`load`](Self::load), to train some of the parameters: those are variables of this decoder alone, F32 whatever they
    /// are stored in, and all others stay what they are. Of a tensor that holds several modules, such as Phi-3's `qkv_proj` or a
    /// stack of experts, each is a parameter of its own. A parameter that the model does not use, or none at all, is refused.
    pub async fn load_to_train(
        model: &Model,
        device: &Device,
        shared: &SharedTensors,
        trained: &BTreeSet<Parameter>,
        observe: impl AsyncFnMut(u64, u64) -> Result<(), Cancelled>,
    ) -> Result<(Self, Trainables), LmError> {
        if trained.is_empty() {
            return Err(LmError::NothingToTrain);
        }
        let weights = Weights::new(model, device, shared).training(trained);
        let decoder = Self::read(model, &weights, device, observe).await?;
        let variables = weights.into_variables();
        match trained.iter().find(|parameter| !variables.contains_key(parameter)) {
            Some(unused) => Err(LmError::NotTrainable {
                reference: model.checkpoint.reference.clone(),
                what: unused.to_string(),
                family: model.family().to_owned(),
            }),
            None => Ok((decoder, Trainables::new(variables))),
        }
    }

    async fn read(
        model: &Model,
        weights: &Weights<'_>,
        device: &Device,
        mut observe: impl AsyncFnMut(u64, u64) -> Result<(), Cancelled>,
    ) -> Result<Self, LmError> {
        let reference = || model.checkpoint.reference.clone();
        let json = model.checkpoint.config.as_ref().ok_or(ConfigError::NoConfig);
        let config = json.and_then(DecoderConfig::parse);
        let mut config = config.map_err(|source| LmError::Config { reference: reference(), source })?;
        config.end_ids.extend(end_ids_of_generation(model));
        let reading = Reading { weights, config: &config };
        let steps = config.layers as u64 + 1;
        let mut blocks = Vec::with_capacity(config.layers);
        for layer in 0..config.layers {
            observe(layer as u64, steps).await?;
            blocks.push(reading.block(layer).await?);
        }
        observe(config.layers as u64, steps).await?;
        let embed = parameter(At::END, "embed", Part::Weight);
        let embedding =
            Embedding::new(weights.read(&embed, &[config.vocabulary, config.hidden]).await?, weights.products(&embed));
        let is_narrow = !device.is_cpu() || weights.is_narrow(&embed);
        let embedding_scale = rounded(config.embedding_scale, if is_narrow { DType::BF16 } else { DType::F32 });
        let final_norm = reading.norm(At::END, "final_norm", config.hidden).await?;
        let head = match config.is_tied {
            true => embedding.as_head(),
            false => reading.linear(At::END, "head", config.vocabulary, config.hidden).await?,
        };
        observe(steps, steps).await?;
        Ok(Self { device: device.clone(), embedding, embedding_scale, blocks, final_norm, head, config })
    }
}

/// A number as the embedding's dtype has it: transformers makes the scale a tensor of the model's dtype.
fn rounded(number: f64, dtype: DType) -> f64 {
    match dtype {
        DType::BF16 => half::bf16::from_f64(number).to_f64(),
        _ => f64::from(number as f32),
    }
}

/// The tokens at which a chat model ends an answer stand in `generation_config.json`, too. What cannot be read there is as if
/// it were not there: it says nothing of how the model computes.
fn end_ids_of_generation(model: &Model) -> Vec<u32> {
    let bytes = model.checkpoint.side_files.get("generation_config.json");
    let Some(Ok(json)) = bytes.map(|bytes| serde_json::from_slice::<Value>(bytes)) else { return Vec::new() };
    match &json["eos_token_id"] {
        Value::Array(ids) => ids.iter().filter_map(id).collect(),
        one => id(one).into_iter().collect(),
    }
}

fn id(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok())
}

struct Reading<'r, 'm> {
    weights: &'r Weights<'m>,
    config: &'r DecoderConfig,
}

impl Reading<'_, '_> {
    async fn block(&self, layer: usize) -> Result<Block, LmError> {
        let DecoderConfig { hidden, is_normed_after: after, .. } = *self.config;
        let at = At::layer(layer as u32);
        let input_norm = self.norm(at, "input_norm", hidden).await?;
        let mixer = match &self.config.mixer {
            MixerConfig::Attention(attention) => {
                Mixer::Attention(self.attention(at, attention, attention.windows[layer]).await?)
            }
            MixerConfig::StateSpace(space) => Mixer::StateSpace(self.state_space(at, space).await?),
        };
        let second = match self.config.feed_forward[layer] {
            Some(feed_forward) => {
                let norm = if after { "pre_feedforward_norm" } else { "post_norm" };
                Some(SecondHalf {
                    norm: self.norm(at, norm, hidden).await?,
                    feed_forward: self.feed_forward(at, feed_forward).await?,
                    output_norm: self.norm_if(after, at, "post_feedforward_norm", hidden).await?,
                })
            }
            None => None,
        };
        Ok(Block { input_norm, mixer, mixed_norm: self.norm_if(after, at, "post_norm", hidden).await?, second })
    }

    async fn attention(
        &self,
        at: At,
        config: &AttentionConfig,
        window: Option<usize>,
    ) -> Result<SelfAttention, LmError> {
        let hidden = self.config.hidden;
        let AttentionConfig { heads, key_value_heads, head_features, has_head_norms, .. } = *config;
        let (wide, narrow) = (heads * head_features, key_value_heads * head_features);
        Ok(SelfAttention {
            queries: self.linear(at, "q_proj", wide, hidden).await?,
            keys: self.linear(at, "k_proj", narrow, hidden).await?,
            values: self.linear(at, "v_proj", narrow, hidden).await?,
            query_norm: self.norm_if(has_head_norms, at, "q_norm", head_features).await?,
            key_norm: self.norm_if(has_head_norms, at, "k_norm", head_features).await?,
            output: self.linear(at, "o_proj", hidden, wide).await?,
            head_features,
            attention: Attention { scale: config.scale as f32, window, cap: config.cap.map(|cap| cap as f32) },
        })
    }

    async fn state_space(&self, at: At, config: &StateSpaceConfig) -> Result<StateSpace, LmError> {
        let hidden = self.config.hidden;
        let StateSpaceConfig { channels, states, taps, step_rank, has_convolution_bias, activation, .. } = *config;
        let kernel = self.weights.read(&parameter(at, "conv1d", Part::Weight), &[channels, 1, taps]).await?;
        let bias = match has_convolution_bias {
            true => Some(self.weights.read(&parameter(at, "conv1d", Part::Bias), &[channels]).await?),
            false => None,
        };
        Ok(StateSpace {
            channels: self.linear(at, "in_proj_x", channels, hidden).await?,
            gate: self.linear(at, "in_proj_z", channels, hidden).await?,
            convolution: Convolution { kernel, bias },
            activation,
            step_features: self.linear(at, "x_proj_dt", step_rank, channels).await?,
            steps: self.linear(at, "dt_proj", channels, step_rank).await?,
            written: self.linear(at, "x_proj_b", states, channels).await?,
            read: self.linear(at, "x_proj_c", states, channels).await?,
            log_decay: self.weights.read(&parameter(at, "a_log", Part::Weight), &[channels, states]).await?,
            skip: self.weights.read(&parameter(at, "d", Part::Weight), &[channels]).await?,
            output: self.linear(at, "out_proj", hidden, channels).await?,
        })
    }

    async fn feed_forward(&self, at: At, config: FeedForwardConfig) -> Result<FeedForward, LmError> {
        let MixtureConfig { experts: count, picked, intermediate, is_renormalised } = match config {
            FeedForwardConfig::Dense { intermediate } => {
                return self.mlp(at, intermediate).await.map(FeedForward::Dense);
            }
            FeedForwardConfig::Mixture(mixture) => mixture,
        };
        let router = self.linear(at, "router", count, self.config.hidden).await?;
        let mut experts = Vec::new();
        for expert in 0..count {
            experts.push(self.mlp(At { expert: Some(expert as u32), ..at }, intermediate).await?);
        }
        Ok(FeedForward::Mixture(Mixture { router, experts, picked, is_renormalised }))
    }

    async fn mlp(&self, at: At, intermediate: usize) -> Result<Mlp, LmError> {
        let hidden = self.config.hidden;
        Ok(Mlp {
            gate: self.linear(at, "gate_proj", intermediate, hidden).await?,
            up: self.linear(at, "up_proj", intermediate, hidden).await?,
            down: self.linear(at, "down_proj", hidden, intermediate).await?,
        })
    }

    async fn norm(&self, at: At, role: &'static str, features: usize) -> Result<RmsNorm, LmError> {
        let weight = self.weights.read(&parameter(at, role, Part::Weight), &[features]).await?;
        Ok(RmsNorm { weight, epsilon: self.config.epsilon, is_one_plus: self.config.gains_are_one_plus })
    }

    async fn norm_if(
        &self,
        is_there: bool,
        at: At,
        role: &'static str,
        features: usize,
    ) -> Result<Option<RmsNorm>, LmError> {
        if is_there { self.norm(at, role, features).await.map(Some) } else { Ok(None) }
    }

    /// A bias is used where there is one.
    async fn linear(&self, at: At, role: &'static str, out: usize, columns: usize) -> Result<Linear, LmError> {
        let weight_of = parameter(at, role, Part::Weight);
        let weight = self.weights.read(&weight_of, &[out, columns]).await?;
        let bias = parameter(at, role, Part::Bias);
        let bias = match self.must_have_bias(role) || self.weights.has(&bias) {
            true => Some(self.weights.read(&bias, &[out]).await?),
            false => None,
        };
        Ok(Linear { weight, bias, products: self.weights.products(&weight_of) })
    }

    /// Without which the model would be another one.
    fn must_have_bias(&self, role: &str) -> bool {
        match &self.config.mixer {
            MixerConfig::Attention(_) => {
                self.config.family == Family::Qwen2 && ["q_proj", "k_proj", "v_proj"].contains(&role)
            }
            MixerConfig::StateSpace(space) => {
                role == "dt_proj" || space.has_biases && ["in_proj_x", "in_proj_z", "out_proj"].contains(&role)
            }
        }
    }
}

fn parameter(At { layer, expert }: At, role: &'static str, part: Part) -> Parameter {
    Parameter { layer, role: Cow::Borrowed(role), part, expert }
}

/// Where a module stands.
#[derive(Clone, Copy)]
struct At {
    layer: Option<u32>,
    expert: Option<u32>,
}

impl At {
    /// Before the first block or behind the last.
    const END: Self = Self { layer: None, expert: None };

    const fn layer(layer: u32) -> Self {
        Self { layer: Some(layer), expert: None }
    }
}
