//! Which colour and marker a module has: the same ones in every figure and every panel, whatever else was measured with it.

use std::collections::BTreeMap;

use stethoscope_core::anatomy::{Part, Role};

/// No two of this many categories have the same colour and the same marker.
const DISTINCT: usize = 64;

/// The weights that families share, in the order of their styles. The first eight have a colour each, and so have the next
/// eight: what is drawn together stands together here.
const WEIGHTS: [&str; 40] = [
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
    "router",
    "input_norm",
    "post_norm",
    "q_norm",
    "k_norm",
    "pre_feedforward_norm",
    "post_feedforward_norm",
    "final_norm",
    "ssm_norm",
    "embed",
    "head",
    "shared_gate_proj",
    "shared_up_proj",
    "shared_down_proj",
    "shared_expert_gate",
    "conv1d",
    "out_proj",
    "in_proj_x",
    "in_proj_z",
    "in_proj_b",
    "in_proj_c",
    "in_proj_dt",
    "a_log",
    "d",
    "dt_proj",
    "q_a_proj",
    "q_b_proj",
    "kv_a_proj",
    "kv_b_proj",
    "q_a_norm",
    "kv_a_norm",
    "sinks",
    "position_embed",
];

/// Likewise the biases, after the weights.
const BIASES: [&str; 8] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "dt_bias"];

/// The styles of the modules met so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Styles(BTreeMap<(Role, Part), usize>);

impl Styles {
    /// The style of a module, for [`category`](crate::colors::category) and [`shape`](crate::colors::shape).
    ///
    /// A role that families share always has the same. Any other has one that its name leads to, or the next that no module
    /// met before has.
    pub fn of(&mut self, role: &Role, part: &Part) -> usize {
        let key = (role.clone(), part.clone());
        if let Some(style) = self.0.get(&key) {
            return *style;
        }
        let style = known(role.name(), part).unwrap_or_else(|| self.free(role.name(), part));
        self.0.insert(key, style);
        style
    }

    /// A style for a role that is in no table, among those that are kept for such; when these are used up, any.
    fn free(&self, name: &str, part: &Part) -> usize {
        let kept = WEIGHTS.len() + BIASES.len();
        let first = hash(name, part) % (DISTINCT - kept);
        let others = (0..DISTINCT - kept).map(|step| kept + (first + step) % (DISTINCT - kept));
        let is_free = |style: &usize| !self.0.values().any(|taken| taken == style);
        others.chain((0..kept).rev()).find(is_free).unwrap_or(kept + first)
    }
}

/// The style of a role that families share.
fn known(name: &str, part: &Part) -> Option<usize> {
    let place = |names: &[&str]| names.iter().position(|known| *known == name);
    match part {
        Part::Weight => place(&WEIGHTS),
        Part::Bias => Some(WEIGHTS.len() + place(&BIASES)?),
    }
}

/// FNV-1a (Fowler, Noll and Vo): the same in every build and on every machine.
fn hash(name: &str, part: &Part) -> usize {
    let bytes = name.bytes().chain([u8::from(*part == Part::Bias)]);
    let hash = bytes.fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn styles_of(modules: &[(&'static str, Part)]) -> Vec<usize> {
        let mut styles = Styles::default();
        modules.iter().map(|(role, part)| styles.of(&Role::new(*role), part)).collect()
    }

    #[test]
    fn a_module_looks_the_same_whatever_was_measured_with_it() {
        let all = styles_of(&[("embed", Part::Weight), ("q_proj", Part::Weight), ("gadget", Part::Weight)]);
        assert_eq!(styles_of(&[("q_proj", Part::Weight)]), all[1..2]);
        assert_eq!(styles_of(&[("gadget", Part::Weight), ("embed", Part::Weight)]), [all[2], all[0]]);
    }

    #[test]
    fn no_two_of_sixty_four_modules_look_the_same() {
        let names: Vec<&'static str> = (0..16).map(|n| &*format!("gadget{n}").leak()).collect();
        let weights = WEIGHTS.into_iter().chain(names).map(|name| (name, Part::Weight));
        let modules: Vec<_> = weights.chain(BIASES.map(|name| (name, Part::Bias))).collect();
        let styles: BTreeSet<usize> = styles_of(&modules).into_iter().collect();
        assert_eq!((modules.len(), styles.len(), styles.last()), (64, 64, Some(&63)));
    }

    #[test]
    fn more_modules_than_there_are_looks_have_one_all_the_same() {
        let names: Vec<_> = (0..100).map(|n| (&*format!("gadget{n}").leak(), Part::Weight)).collect();
        let names: Vec<(&'static str, Part)> = names.into_iter().collect();
        assert!(styles_of(&names).into_iter().all(|style| style < DISTINCT));
    }
}
