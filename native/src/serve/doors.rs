//! Who may come in: the right name, the right page, and somebody who has opened the link.
//!
//! A page of another site can make a browser ask this server, and a name of that site can be made to point here. So a request must
//! name this server as a person does (`Host`), what changes anything must come from this server's own page (`Origin`), and all
//! must bring a cookie that no other site's request carries (`SameSite=Strict`).

use std::collections::VecDeque;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::ServeError;

/// Random bytes of a token, and of a cookie.
const SECRET_BYTES: usize = 32;

/// Browsers that are remembered; with one more, the oldest has to open the link again.
const SESSIONS_KEPT: usize = 64;

/// The file that says which cookies are good, by their hashes: whoever reads it has none of them.
const SESSIONS_FILE: &str = "sessions";

/// Who may come in.
pub struct Doors {
    /// What a request may call this server: `127.0.0.1:8642`.
    names: Vec<String>,
    /// The hash of the token in the printed link.
    token: Hash,
    cookie: String,
    /// Where the page is: `/`, or `/lab/`.
    base_path: String,
    sessions: Mutex<VecDeque<Hash>>,
    file: PathBuf,
}

type Hash = [u8; 32];

/// A request that is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl Doors {
    /// The doors of a server at a port, under the loopback's names and some others; and the token for the link.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn new(
        port: u16,
        other_names: &[String],
        base_path: &str,
        folder: &Path,
    ) -> Result<(Self, String), ServeError> {
        let token = secret()?;
        let loopback = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
        let others = other_names.iter().map(|name| name.to_ascii_lowercase());
        let file = folder.join(SESSIONS_FILE);
        let doors = Self {
            names: loopback.into_iter().chain(others).collect(),
            token: hash(&token),
            // Cookies are shared by all ports of a host.
            cookie: format!("stethoscope-{port}"),
            base_path: base_path.to_owned(),
            sessions: Mutex::new(read_sessions(&file)),
            file,
        };
        Ok((doors, token))
    }

    /// Refuses a request that calls this server by a name that is not its own, or comes from another site.
    ///
    /// # Errors
    /// If so.
    pub fn check_name(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let name = self.name(headers)?;
        // Browsers say where a request comes from; what opens the link comes from nowhere, or from where the link stood.
        match only(headers, &ORIGIN)? {
            Some(origin) if !is_origin_of(origin, name) => Err(Refused),
            _ => Ok(()),
        }
    }

    /// Refuses a request that may change something and does not come from this server's own page.
    ///
    /// # Errors
    /// If so.
    pub fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let name = self.name(headers)?;
        let origin = only(headers, &ORIGIN)?.ok_or(Refused)?;
        if is_origin_of(origin, name) { Ok(()) } else { Err(Refused) }
    }

    /// Refuses whoever has not opened the link.
    ///
    /// # Errors
    /// If there is no cookie, or one that this server did not give.
    pub fn check_cookie(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let given = cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .filter(|(name, _)| *name == self.cookie)
            .map(|(_, value)| hash(value));
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        // What is compared are hashes, so that how long it takes says nothing of the secret.
        let is_known = |given: Hash| sessions.iter().any(|session| bool::from(session.ct_eq(&given)));
        if given.into_iter().any(is_known) { Ok(()) } else { Err(Refused) }
    }

    /// Exchanges the link's token for a cookie: the value of `Set-Cookie`.
    ///
    /// # Errors
    /// If it is another token.
    pub fn exchange(&self, token: &str) -> Result<HeaderValue, Refused> {
        if !bool::from(self.token.ct_eq(&hash(token))) {
            return Err(Refused);
        }
        let session = secret().map_err(|_| Refused)?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.push_back(hash(&session));
        while sessions.len() > SESSIONS_KEPT {
            sessions.pop_front();
        }
        // A cookie that is not written down is good until the server is started again.
        let _ = write_sessions(&self.file, &sessions);
        let Self { cookie, base_path, .. } = self;
        let text = format!("{cookie}={session}; Path={base_path}; HttpOnly; SameSite=Strict");
        HeaderValue::from_str(&text).map_err(|_| Refused)
    }

    fn name<'h>(&self, headers: &'h HeaderMap) -> Result<&'h str, Refused> {
        let name = only(headers, &HOST)?.ok_or(Refused)?;
        if self.names.iter().any(|own| own.eq_ignore_ascii_case(name)) { Ok(name) } else { Err(Refused) }
    }
}

/// The one value of a header; none if it is not there. Two of them are one too many.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refused> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Refused),
        (Some(_), Some(_)) => Err(Refused),
    }
}

/// Whether a page of this origin was served under this name. In front of a server of `https` stands one that takes it off.
fn is_origin_of(origin: &str, name: &str) -> bool {
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.is_some_and(|host| host.eq_ignore_ascii_case(name))
}

/// A random text that nobody can guess.
fn secret() -> Result<String, ServeError> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| ServeError::Random { why: error.to_string() })?;
    Ok(hexadecimal(&bytes))
}

/// Bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

fn read_sessions(file: &Path) -> VecDeque<Hash> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let read = |line: &str| {
        let byte = |index: usize| u8::from_str_radix(line.get(2 * index..2 * index + 2)?, 16).ok();
        let mut hash = Hash::default();
        for (index, place) in hash.iter_mut().enumerate() {
            *place = byte(index)?;
        }
        Some(hash)
    };
    text.lines().filter_map(read).take(SESSIONS_KEPT).collect()
}

fn write_sessions(file: &Path, sessions: &VecDeque<Hash>) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut part = tempfile::NamedTempFile::new_in(folder)?;
    for session in sessions {
        writeln!(part, "{}", hexadecimal(session))?;
    }
    part.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(folder: &Path) -> (Doors, String) {
        Doors::new(8642, &["Lab.example".to_owned()], "/lab/", folder).unwrap()
    }

    fn headers(all: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn only_this_server_s_own_names_are_let_in_and_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let (doors, _) = doors(folder.path());
        for name in ["127.0.0.1:8642", "localhost:8642", "LOCALHOST:8642", "[::1]:8642", "lab.example"] {
            assert_eq!(doors.check_name(&headers(&[(HOST, name)])), Ok(()), "{name}");
        }
        for name in ["", "localhost", "127.0.0.1:80", "evil.example:8642", "localhost:8642.evil.example", "127.1:8642"]
        {
            assert_eq!(doors.check_name(&headers(&[(HOST, name)])), Err(Refused), "{name}");
        }
        assert_eq!(doors.check_name(&headers(&[])), Err(Refused));
        assert_eq!(doors.check_name(&headers(&[(HOST, "localhost:8642"), (HOST, "localhost:8642")])), Err(Refused));
    }

    #[test]
    fn what_changes_something_comes_from_the_page_of_the_same_name() {
        let folder = tempfile::tempdir().unwrap();
        let (doors, _) = doors(folder.path());
        let check = |origin: &str| doors.check_origin(&headers(&[(HOST, "localhost:8642"), (ORIGIN, origin)]));
        assert_eq!(check("http://localhost:8642"), Ok(()));
        for origin in
            ["null", "", "http://127.0.0.1:8642", "http://localhost:8643", "http://localhost:8642.evil.example"]
        {
            assert_eq!(check(origin), Err(Refused), "{origin}");
        }
        assert_eq!(doors.check_origin(&headers(&[(HOST, "localhost:8642")])), Err(Refused), "no origin");
    }

    #[test]
    fn the_token_gives_a_cookie_that_outlives_the_server_and_is_nowhere_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let (first, token) = doors(folder.path());
        assert_eq!(token.len(), 64);
        for wrong in ["", "0", &token[1..], &token.replace(&token[..1], "x")] {
            assert_eq!(first.exchange(wrong), Err(Refused));
        }
        let given = first.exchange(&token).unwrap();
        let (cookie, attributes) = given.to_str().unwrap().split_once(';').unwrap();
        assert_eq!(attributes, " Path=/lab/; HttpOnly; SameSite=Strict");
        let bring = |doors: &Doors, cookie: &str| doors.check_cookie(&headers(&[(COOKIE, cookie)]));
        assert_eq!(bring(&first, cookie), Ok(()));
        assert_eq!(bring(&first, &format!("other=1; {cookie}")), Ok(()));
        assert_eq!(bring(&first, &cookie[..cookie.len() - 1]), Err(Refused));
        assert_eq!(first.check_cookie(&HeaderMap::new()), Err(Refused));
        let (again, new_token) = doors(folder.path());
        assert_eq!(bring(&again, cookie), Ok(()));
        assert_eq!(again.exchange(&token), Err(Refused), "a link is good for one run of the server");
        let value = cookie.split_once('=').unwrap().1;
        let kept = fs::read_to_string(folder.path().join(SESSIONS_FILE)).unwrap();
        assert!(!kept.contains(value) && !kept.contains(&token) && !kept.contains(&new_token));
    }
}
