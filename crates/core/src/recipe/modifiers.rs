//! What may be done to modules on their way from a donor.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::merge::control;

/// What is done to the change that a donor brings, so that it is as large as before and means nothing. With the elements A
/// before the step and B in the donor, the result is A + control(B − A), except for [`Control::Gauge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// The elements of B − A in another order, within every selected module.
    Shuffle,
    /// Gaussian noise with the Frobenius norm of B − A.
    Noise,
    /// Every element of B − A with a random sign.
    Sign,
    /// The rows and the columns of B − A in another order, with random signs, so that the singular values stay.
    Rotate,
    /// Another basis for the values of every attention head: `R·W_v`, `R·b_v`, `W_o·Rᵀ` with an orthogonal R for each key-value
    /// head, of A's own weights. It changes them all and does nothing; the donor's values are not used.
    Gauge,
}

impl Control {
    /// Every control, in the order in which they are told.
    pub const ALL: [Self; 5] = [Self::Shuffle, Self::Noise, Self::Sign, Self::Rotate, Self::Gauge];

    /// Its word in a recipe.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shuffle => "shuffle",
            Self::Noise => "noise",
            Self::Sign => "sign",
            Self::Rotate => "rotate",
            Self::Gauge => "gauge",
        }
    }

    /// The control that a word names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|control| control.name() == name)
    }

    /// What it does to a delta; none where it needs no delta.
    pub(super) const fn of_delta(self) -> Option<control::Control> {
        match self {
            Self::Shuffle => Some(control::Control::Shuffle),
            Self::Noise => Some(control::Control::Noise),
            Self::Sign => Some(control::Control::Sign),
            Self::Rotate => Some(control::Control::Rotate),
            Self::Gauge => None,
        }
    }
}

/// How a donor's modules are fitted to their new place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// What reads a norm gives under the result's norm what it gave under the norm that it was made for
    /// ([`crate::merge::align`]).
    Fold,
    /// Matrices get the Frobenius norm of those that they replace, module by module; values and outputs of a layer, where both
    /// are taken, the product of the two.
    Scale,
    /// Least squares on the layers' outputs. It needs the model to run, which it does not yet: refused.
    Calibrate,
}

impl Align {
    /// Every way, in the order in which they are told.
    pub const ALL: [Self; 3] = [Self::Fold, Self::Scale, Self::Calibrate];

    /// Its word in a recipe.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fold => "fold",
            Self::Scale => "scale",
            Self::Calibrate => "calibrate",
        }
    }

    /// The way that a word names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|align| align.name() == name)
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Align {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// `` `a`, `b` or `c` ``: the words that may stand in a place.
pub(super) fn words(known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
