//! What is built in, by name: a pair that this tool trained, and one whose every weight was planted.
//!
//! The trained pair is for people: two tiny models that can be heard, examined and compared. Its files are with whoever opens
//! checkpoints. The planted pair is for checking what an instrument says against what was put in; it is made by [`crate::synthetic`].

/// Names the base of the trained pair.
pub const DEMO_BASE: &str = "demo:base";
/// Names what was trained from it to write its steps first.
pub const DEMO_REASONER: &str = "demo:reasoner";
/// Names the base of the planted pair.
pub const PLANTED_BASE: &str = "planted:base";
/// Names what was made from it. No training did: differences were planted.
pub const PLANTED_TUNED: &str = "planted:tuned";

/// Whether a reference is of something built in, be there one of its name or not.
pub fn is_built_in(reference: &str) -> bool {
    is_demo(reference) || is_planted(reference)
}

/// Whether it is of what this tool trained. A recipe is of what it begins with.
pub fn is_demo(reference: &str) -> bool {
    reference.starts_with("demo:")
}

/// Whether it is of what was planted, and so says nothing of any trained model.
pub fn is_planted(reference: &str) -> bool {
    reference.starts_with("planted:")
}

/// Nothing of this name is built in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{reference}: nothing of that name is built in; {DEMO_BASE} or {DEMO_REASONER}, {PLANTED_BASE} or {PLANTED_TUNED} was expected"
)]
pub struct NotBuiltIn {
    /// The name.
    pub reference: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planted_is_told_from_what_was_trained_in_recipes_too() {
        assert!(is_planted(PLANTED_TUNED) && is_planted("planted:base; destroy zero o_proj"));
        assert!(is_demo(DEMO_BASE) && !is_planted(DEMO_BASE) && !is_demo(PLANTED_BASE));
        assert!(["demo:nobody", "planted:nobody"].iter().all(|name| is_built_in(name)));
        assert!(!is_built_in("org/demo"));
    }
}
