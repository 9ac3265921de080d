//! How a state space carries something from one token to another: Mamba (Gu and Dao, arXiv 2312.00752).

use super::settings::Settings;
use super::{Activation, ConfigError, activation};

/// The sizes of a selective state space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateSpaceConfig {
    /// Channels, each with states of its own.
    pub channels: usize,
    /// States of a channel.
    pub states: usize,
    /// Tokens that the convolution sees, the last one included.
    pub taps: usize,
    /// Rank of what makes the step sizes.
    pub step_rank: usize,
    /// Whether the projections in and out have biases.
    pub has_biases: bool,
    /// Whether the convolution has.
    pub has_convolution_bias: bool,
    /// What the convolution's numbers go through.
    pub activation: Activation,
}

impl StateSpaceConfig {
    pub(super) fn parse(settings: &Settings<'_>, hidden: usize) -> Result<Self, ConfigError> {
        let taps = settings.size_or("conv_kernel", 4)?;
        if taps < 2 {
            return Err(ConfigError::unsupported("conv_kernel", taps.to_string(), "2 and more"));
        }
        let step_rank = match settings.get("time_step_rank").and_then(serde_json::Value::as_str) {
            Some("auto") => hidden.div_ceil(16),
            _ => settings.size_or("time_step_rank", hidden.div_ceil(16))?,
        };
        let expand = settings.size_or("expand", 2)?;
        let channels = expand.checked_mul(hidden).filter(|&channels| channels < 1 << 24);
        let channels = channels.ok_or_else(|| {
            ConfigError::unsupported("expand", expand.to_string(), "factors that make fewer than 2^24 channels")
        })?;
        Ok(Self {
            channels,
            states: settings.size_or("state_size", 16)?,
            taps,
            step_rank,
            has_biases: settings.flag_or("use_bias", false)?,
            has_convolution_bias: settings.flag_or("use_conv_bias", true)?,
            activation: activation(settings, false)?,
        })
    }
}
