//! A folder on any web server: its files have names, but nobody lists them.

use url::Url;

use crate::client::Client;
use crate::error::{FetchError, shown};
use crate::folder::{OpenedFile, RemoteFolder, fetch_at, open_at};
use crate::http::LocalFuture;

/// What is below a URL.
pub struct UrlFolder {
    client: Client,
    /// Its query is kept for every file: a signature may be for all of a folder.
    url: Url,
    name: String,
}

impl UrlFolder {
    /// The folder at `url`, whether or not a slash ends its path.
    pub fn new(client: &Client, mut url: Url) -> Self {
        url.set_fragment(None);
        let name = shown(&url).trim_end_matches('/').to_owned();
        Self { client: client.clone(), url, name }
    }

    /// The folder that a file is in, and the file's name.
    pub fn of_file(client: &Client, mut url: Url) -> (Self, String) {
        let path = url.path().to_owned();
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", &path));
        url.set_path(folder);
        (Self::new(client, url), decoded(file))
    }

    fn url(&self, file: &str) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(file.split('/'));
        }
        url
    }
}

/// Text whose `%20` and the like have been put back; bytes that are not UTF-8 then are left as they came.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

impl RemoteFolder for UrlFolder {
    fn name(&self) -> &str {
        &self.name
    }

    fn files(&self) -> Option<&[String]> {
        None
    }

    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<OpenedFile, FetchError>> {
        open_at(&self.client, format!("{}/{file}", self.name), self.url(file))
    }

    fn fetch<'a>(&'a self, file: &'a str, limit: u64) -> LocalFuture<'a, Result<Vec<u8>, FetchError>> {
        fetch_at(&self.client, format!("{}/{file}", self.name), self.url(file), limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_codes_are_put_back_where_they_make_text() {
        for (coded, text) in [
            ("a%20b.safetensors", "a b.safetensors"),
            ("%E2%82%AC", "€"),
            ("100%", "100%"),
            ("%zz%2", "%zz%2"),
            ("%ff", "%ff"),
        ] {
            assert_eq!(decoded(coded), text);
        }
    }
}
