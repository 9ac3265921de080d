//! Where a server is.

use stethoscope_remote::shown;
use url::Url;

use super::error::EndpointError;

/// The address of a server's API, under which `completions` and `models` lie.
#[derive(Clone, Debug)]
pub struct Address(Url);

impl Address {
    /// Reads what a person gives: `http://host:8000`, `http://host:8000/v1`, or the whole `…/v1/completions`.
    ///
    /// # Errors
    /// If it is no URL of the web, or holds a password: a key comes from the environment, where no list of processes shows it.
    pub fn parse(given: &str) -> Result<Self, EndpointError> {
        let refused =
            |url: &str, problem: &str| EndpointError::Address { url: url.to_owned(), problem: problem.into() };
        // What cannot be parsed cannot be cleared of secrets either.
        let mut url = Url::parse(given).map_err(|error| EndpointError::Address {
            url: "URL".to_owned(),
            problem: format!("{error}; an address such as http://localhost:8000/v1 was expected"),
        })?;
        let name = shown(&url);
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused(&name, "http:// or https:// was expected"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(&name, "leave name and password out; set the key as STETHOSCOPE_ENDPOINT_KEY"));
        }
        let path = url.path().trim_end_matches('/');
        let base = path.strip_suffix("/completions").map_or(path, |base| base.strip_suffix("/chat").unwrap_or(base));
        let base = if base.is_empty() { "/v1".to_owned() } else { base.to_owned() };
        url.set_path(&base);
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// The address of something under it, with the query that was given.
    pub fn at(&self, name: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{name}", self.0.path()));
        url
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completions(given: &str) -> String {
        Address::parse(given).unwrap().at("completions").to_string()
    }

    #[test]
    fn an_address_is_understood_in_full_and_in_short() {
        for given in ["http://h:8000", "http://h:8000/", "http://h:8000/v1/", "http://h:8000/v1/completions"] {
            assert_eq!(completions(given), "http://h:8000/v1/completions");
        }
        assert_eq!(completions("https://h/openai/v1?a=b#c"), "https://h/openai/v1/completions?a=b");
        assert_eq!(Address::parse("https://H:443/x").unwrap().origin(), "https://h");
    }

    #[test]
    fn what_is_no_address_or_holds_a_secret_is_refused_without_showing_it() {
        for given in ["h:8000", "nonsense", "file:///x", "http://me:secret@h", "http://secret@h/v1?k=secret"] {
            let error = Address::parse(given).unwrap_err();
            assert!(error.is_misuse() && !error.to_string().contains("secret"), "{error}");
        }
    }
}
