//! How the numbers are looked at.

use serde::{Deserialize, Serialize};
use stethoscope_core::anatomy::Part;

/// Which number of a change is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quantity {
    /// ‖ΔW‖ / ‖W‖.
    #[default]
    Relative,
    /// ‖ΔW‖.
    Norm,
}

impl Quantity {
    /// Its formula.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Relative => "‖ΔW‖ / ‖W‖",
            Self::Norm => "‖ΔW‖",
        }
    }

    /// A round value of it, beside a scale, without digits that say nothing.
    pub fn tick(self, value: f64) -> String {
        match self {
            Self::Relative => percent_tick(value),
            Self::Norm => shortest(&self.text(Some(value))),
        }
    }

    /// A value of it, with its unit.
    pub fn text(self, value: Option<f64>) -> String {
        match self {
            Self::Relative => stethoscope_show::numbers::percent(value),
            Self::Norm => stethoscope_show::numbers::significant_or_dash(value),
        }
    }
}

/// A round ratio as a percentage, without digits that say nothing: `5 %`.
pub fn percent_tick(ratio: f64) -> String {
    let text = stethoscope_show::numbers::percent(Some(ratio));
    match text.strip_suffix(" %") {
        Some(number) => format!("{} %", shortest(number)),
        None => text,
    }
}

/// A number without zeros at the end of its fraction: `5.00` is `5`, `1.00e-3` is `1e-3`.
fn shortest(number: &str) -> String {
    let (mantissa, exponent) = number.split_once('e').map_or((number, None), |(one, other)| (one, Some(other)));
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    exponent.map_or_else(|| mantissa.to_owned(), |exponent| format!("{mantissa}e{exponent}"))
}

/// Which parameters are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parts {
    /// Matrices, gains, tables.
    Weights,
    /// What is added afterwards.
    Biases,
    /// All.
    #[default]
    Both,
}

impl Parts {
    /// Whether a part is among them.
    pub const fn has(self, part: &Part) -> bool {
        matches!((self, part), (Self::Both, _) | (Self::Weights, Part::Weight) | (Self::Biases, Part::Bias))
    }
}

/// How the numbers are looked at; remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct View {
    /// Which number.
    pub quantity: Quantity,
    /// Logarithmic scales.
    pub is_logarithmic: bool,
    /// Of which parameters.
    pub parts: Parts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_have_no_digits_that_say_nothing() {
        let ticks = [0.0, 0.05, 0.125, 2.0, 1e-8].map(|ratio| Quantity::Relative.tick(ratio));
        assert_eq!(ticks, ["0 %", "5 %", "12.5 %", "200 %", "1e-6 %"]);
        assert_eq!([0.0, 20.0, 0.5, 1e-5].map(|norm| Quantity::Norm.tick(norm)), ["0", "20", "0.5", "1e-5"]);
    }
}
