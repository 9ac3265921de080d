//! The Hub as this person's environment has it, by the same variables and files that the Hub's own tools obey.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// Where the Hub is, unless `HF_ENDPOINT` says otherwise.
const ENDPOINT: &str = "https://huggingface.co";

/// The Hub, and who asks it.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// Its address.
    pub endpoint: String,
    /// The person's access token.
    pub token: Option<Token>,
    /// The Hub is not asked; what its tools have downloaded is all there is.
    pub offline: bool,
}

/// An access token: a secret, which is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// What a variable of this process's environment holds; none if it is not set, or empty.
    pub fn from_variable(name: &str) -> Option<Self> {
        let value = std::env::var(name).ok()?;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty()).map(Self)
    }

    /// The secret.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl HubSettings {
    /// What this process's environment says.
    pub fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name| variable(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty());
        let is_on = |value: String| matches!(value.to_lowercase().as_str(), "1" | "on" | "yes" | "true");
        let given = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN"));
        let kept = || std::fs::read_to_string(token_file(&variable)?).ok();
        let token = given.or_else(kept).map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        Self {
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()),
            token: token.map(Token),
            offline: text("HF_HUB_OFFLINE").is_some_and(is_on),
        }
    }
}

/// Where `hf auth login` keeps the token.
fn token_file(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    path("HF_TOKEN_PATH")
        .or_else(|| Some(path("HF_HOME")?.join("token")))
        .or_else(|| Some(path("XDG_CACHE_HOME")?.join("huggingface/token")))
        .or_else(|| Some(path("HOME").or_else(|| path("USERPROFILE"))?.join(".cache/huggingface/token")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(set: &[(&str, &str)]) -> HubSettings {
        let find = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        HubSettings::from_variables(find)
    }

    fn token(set: &[(&str, &str)]) -> Option<String> {
        settings(set).token.map(|token| token.reveal().to_owned())
    }

    #[test]
    fn a_token_comes_from_the_environment_before_the_file() {
        let home = tempfile::tempdir().unwrap();
        let home_path = home.path().to_str().unwrap();
        assert_eq!(token(&[("HOME", home_path)]), None);
        let folder = home.path().join(".cache/huggingface");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("token"), "kept\n").unwrap();
        assert_eq!(token(&[("HOME", home_path)]).as_deref(), Some("kept"));
        assert_eq!(token(&[("HOME", home_path), ("HUGGING_FACE_HUB_TOKEN", "old")]).as_deref(), Some("old"));
        let both = [("HOME", home_path), ("HUGGING_FACE_HUB_TOKEN", "old"), ("HF_TOKEN", " new ")];
        assert_eq!(token(&both).as_deref(), Some("new"));
        let moved = folder.join("token");
        assert_eq!(token(&[("HF_TOKEN", ""), ("HF_TOKEN_PATH", moved.to_str().unwrap())]).as_deref(), Some("kept"));
    }

    #[test]
    fn a_token_is_not_shown() {
        assert!(!format!("{:?}", settings(&[("HF_TOKEN", "secret")])).contains("secret"));
    }

    #[test]
    fn the_hub_is_where_the_environment_says_and_may_be_off() {
        assert_eq!(settings(&[]).endpoint, "https://huggingface.co");
        assert_eq!(settings(&[("HF_ENDPOINT", "http://x:1")]).endpoint, "http://x:1");
        assert!(settings(&[("HF_HUB_OFFLINE", "1")]).offline && settings(&[("HF_HUB_OFFLINE", "True")]).offline);
        assert!(!settings(&[("HF_HUB_OFFLINE", "0")]).offline && !settings(&[]).offline);
    }
}
