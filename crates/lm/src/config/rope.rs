//! Rotary positions (Su et al., arXiv 2104.09864): by how much each pair of features turns from one position to the next.

use std::f64::consts::PI;

use super::ConfigError;
use super::settings::Settings;

/// How positions turn queries and keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Radians for each position, of each pair of features: feature i and i + half of those that are turned.
    pub frequencies: Vec<f32>,
    /// What sines and cosines are multiplied by.
    pub factor: f32,
    /// The second set of models that have two, for long sequences.
    pub beyond: Option<Beyond>,
}

/// What all positions of a sequence turn by once it is longer than so many tokens. So what was computed of it before holds no
/// longer, and is to be computed again.
#[derive(Clone, Debug, PartialEq)]
pub struct Beyond {
    /// Tokens, up to which a sequence turns as others do.
    pub length: usize,
    /// Radians for each position, in place of those of [`Rope`].
    pub frequencies: Vec<f32>,
}

/// How the turning is slowed for models that see more positions than they were first trained on.
#[derive(Clone, Debug, PartialEq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// All frequencies divided by the factor (Chen et al., arXiv 2306.15595).
    Linear {
        /// How many times as many positions.
        factor: f64,
    },
    /// Llama 3.1's: slow frequencies divided, fast ones kept, those between in between.
    Llama3 {
        /// How many times as many positions.
        factor: f64,
        /// Turns over the original positions, below which a frequency is slow.
        low: f64,
        /// Turns, above which it is fast.
        high: f64,
        /// Positions of the first training.
        original: f64,
    },
    /// YaRN (Peng et al., arXiv 2309.00071).
    Yarn {
        /// How many times as many positions.
        factor: f64,
        /// Turns over the original positions, above which a frequency is kept.
        fast: f64,
        /// Turns, below which it is divided.
        slow: f64,
        /// Positions of the first training.
        original: f64,
        /// Whether the bounds are rounded to whole pairs.
        is_truncated: bool,
        /// What sines and cosines are multiplied by.
        attention: f64,
    },
    /// Two sets of divisors, one for each frequency (Ding et al., arXiv 2402.13753), which transformers calls longrope.
    Long {
        /// Divisors for sequences as long as those of the first training.
        short: Vec<f64>,
        /// Divisors for longer ones.
        long: Vec<f64>,
        /// Positions of the first training.
        original: usize,
        /// What sines and cosines are multiplied by, in both.
        attention: f64,
    },
}

impl Rope {
    /// The frequencies for `turned` features (an even number) of base `theta`.
    pub fn new(turned: usize, theta: f64, scaling: Scaling) -> Self {
        let frequency = |pair: usize| theta.powf(-((2 * pair) as f64) / turned as f64);
        let plain = (0..turned / 2).map(frequency);
        let divided = |divisors: &[f64]| -> Vec<f32> {
            plain.clone().zip(divisors).map(|(frequency, divisor)| (frequency / divisor) as f32).collect()
        };
        let mut rope = Self { frequencies: Vec::new(), factor: 1.0, beyond: None };
        rope.frequencies = match scaling {
            Scaling::None => plain.map(|frequency| frequency as f32).collect(),
            Scaling::Linear { factor } => plain.map(|frequency| (frequency / factor) as f32).collect(),
            Scaling::Llama3 { factor, low, high, original } => {
                let slowed = |frequency: f64| {
                    let turns = original * frequency / (2.0 * PI);
                    let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                    ((1.0 - kept) * frequency / factor + kept * frequency) as f32
                };
                plain.map(slowed).collect()
            }
            Scaling::Yarn { factor, fast, slow, original, is_truncated, attention } => {
                rope.factor = attention as f32;
                // The pair that makes so many turns over the original positions.
                let pair = |turns: f64| turned as f64 * (original / (turns * 2.0 * PI)).ln() / (2.0 * theta.ln());
                let (from, to) = (pair(fast), pair(slow));
                let (from, to) = if is_truncated { (from.floor(), to.ceil()) } else { (from, to) };
                let (from, to) = (from.max(0.0), to.min(turned as f64 - 1.0));
                // As in the authors' code, which keeps the ramp from being a step.
                let width = if from == to { 0.001 } else { to - from };
                let slowed = |(pair, frequency): (usize, f64)| {
                    let divided = ((pair as f64 - from) / width).clamp(0.0, 1.0);
                    (frequency / factor * divided + frequency * (1.0 - divided)) as f32
                };
                plain.enumerate().map(slowed).collect()
            }
            Scaling::Long { short, long, original, attention } => {
                rope.factor = attention as f32;
                rope.beyond = Some(Beyond { length: original, frequencies: divided(&long) });
                divided(&short)
            }
        };
        rope
    }

    /// Whether a sequence of so many tokens turns by the frequencies [beyond](Self::beyond).
    pub fn is_long(&self, length: usize) -> bool {
        self.beyond.as_ref().is_some_and(|beyond| length > beyond.length)
    }

    /// The frequencies for a sequence of so many tokens.
    pub fn frequencies_for(&self, length: usize) -> &[f32] {
        match &self.beyond {
            Some(beyond) if self.is_long(length) => &beyond.frequencies,
            _ => &self.frequencies,
        }
    }

    /// For a family whose base is `theta` where none is said.
    pub(super) fn parse(
        settings: &Settings<'_>,
        head_features: usize,
        positions: usize,
        theta: f64,
    ) -> Result<Self, ConfigError> {
        // transformers 5 puts everything into one object; before, the base stood beside a scaling that most did not have.
        let newer = settings.nested("rope_parameters")?;
        let scaling = if newer.is_some() { newer } else { settings.nested("rope_scaling")? };
        let theta = match newer {
            Some(newer) => newer.number("rope_theta")?,
            None => settings.number_or("rope_theta", theta)?,
        };
        if theta <= 1.0 {
            return Err(ConfigError::unsupported("rope_theta", theta.to_string(), "numbers above 1"));
        }
        let share = match newer.map(|newer| newer.optional_number("partial_rotary_factor")).transpose()?.flatten() {
            Some(share) => share,
            None => settings.number_or("partial_rotary_factor", 1.0)?,
        };
        let turned = (head_features as f64 * share) as usize;
        if !(0.0..=1.0).contains(&share) || turned < 2 || !turned.is_multiple_of(2) {
            let found = format!("{share} of {head_features} features");
            return Err(ConfigError::unsupported("partial_rotary_factor", found, "shares that leave an even number"));
        }
        let scaling = match scaling {
            Some(scaling) => parse_scaling(settings, &scaling, positions, turned / 2)?,
            None => Scaling::None,
        };
        Ok(Self::new(turned, theta, scaling))
    }
}

/// From the settings of the rope, and where those of the whole model have something to say, from them; for so many `pairs`.
fn parse_scaling(
    of_model: &Settings<'_>,
    settings: &Settings<'_>,
    positions: usize,
    pairs: usize,
) -> Result<Scaling, ConfigError> {
    let kind = match settings.text("rope_type")? {
        Some(kind) => Some(kind),
        None => settings.text("type")?,
    };
    let positive = |key: &'static str, default: Option<f64>| {
        let number = match default {
            Some(default) => settings.number_or(key, default)?,
            None => settings.number(key)?,
        };
        let is_usable = number > 0.0;
        is_usable.then_some(number).ok_or_else(|| ConfigError::unsupported(key, number.to_string(), "numbers above 0"))
    };
    match kind.unwrap_or("default") {
        "default" => Ok(Scaling::None),
        "linear" => Ok(Scaling::Linear { factor: positive("factor", None)? }),
        "llama3" => Ok(Scaling::Llama3 {
            factor: positive("factor", None)?,
            low: positive("low_freq_factor", None)?,
            high: positive("high_freq_factor", None)?,
            original: positive("original_max_position_embeddings", None)?,
        }),
        "yarn" => {
            let factor = positive("factor", None)?;
            Ok(Scaling::Yarn {
                factor,
                fast: positive("beta_fast", Some(32.0))?,
                slow: positive("beta_slow", Some(1.0))?,
                original: positive("original_max_position_embeddings", Some(positions as f64))?,
                is_truncated: settings.flag_or("truncate", true)?,
                attention: yarn_attention(settings, factor)?,
            })
        }
        // The second is what Phi-3 called it first.
        "longrope" | "su" => parse_long(of_model, settings, positions, pairs),
        other => Err(ConfigError::unsupported("rope_type", other, "default, linear, llama3, longrope and yarn")),
    }
}

fn parse_long(
    of_model: &Settings<'_>,
    settings: &Settings<'_>,
    positions: usize,
    pairs: usize,
) -> Result<Scaling, ConfigError> {
    const ORIGINAL: &str = "original_max_position_embeddings";
    let divisors = |key: &'static str| {
        let divisors = settings.numbers(key)?.ok_or(ConfigError::Missing { key })?;
        if divisors.len() != pairs || divisors.iter().any(|&divisor| divisor <= 0.0) {
            let found = format!("{} numbers", divisors.len());
            return Err(ConfigError::unsupported(
                key,
                found,
                "as many numbers above 0 as pairs of features are turned",
            ));
        }
        Ok(divisors)
    };
    // transformers lets the model's own setting go before the rope's.
    let original = match of_model.optional_size(ORIGINAL)? {
        Some(original) => original,
        None => settings.size(ORIGINAL)?,
    };
    let factor = settings.number_or("factor", positions as f64 / original as f64)?;
    let attention = match settings.optional_number("attention_factor")? {
        Some(said) => said,
        None if factor <= 1.0 => 1.0,
        None if original < 2 => return Err(ConfigError::unsupported(ORIGINAL, original.to_string(), "2 and more")),
        None => (1.0 + factor.ln() / (original as f64).ln()).sqrt(),
    };
    Ok(Scaling::Long { short: divisors("short_factor")?, long: divisors("long_factor")?, original, attention })
}

/// The temperature of YaRN's section 3.4, in the spellings of transformers.
fn yarn_attention(settings: &Settings<'_>, factor: f64) -> Result<f64, ConfigError> {
    let scale = |weight: f64| if factor <= 1.0 { 1.0 } else { 0.1 * weight * factor.ln() + 1.0 };
    let said = settings.optional_number("attention_factor")?;
    let weights = (settings.optional_number("mscale")?, settings.optional_number("mscale_all_dim")?);
    Ok(match (said, weights) {
        (Some(said), _) => said,
        (None, (Some(one), Some(all))) if one != 0.0 && all != 0.0 => scale(one) / scale(all),
        _ => scale(1.0),
    })
}
