//! What a server's refusal means to a person, and what to do about it.

use crate::client::Hub;
use crate::http::Response;

/// Longest sentence of a server that is passed on, in characters.
const LONGEST_SENTENCE: usize = 200;

/// Explains an answer whose status is neither 200 nor 206.
pub(crate) fn explain(hub: &Hub, response: &Response) -> String {
    let own = if hub.is_at(&response.url) { explain_hub(hub, response) } else { None };
    let explanation = own.unwrap_or_else(|| explain_any(response.status).to_owned());
    let sentence = response.header("x-error-message").map(|sentence| {
        // A server may send anything; what shows is one line of plain text.
        let plain: String = sentence.chars().filter(|character| !character.is_control()).collect();
        plain.chars().take(LONGEST_SENTENCE).collect::<String>()
    });
    match sentence.filter(|sentence| !sentence.is_empty()) {
        Some(sentence) => format!("{explanation} (it says: {sentence})"),
        None => explanation,
    }
}

/// What the Hub means: it says which of its refusals this is in a header.
fn explain_hub(hub: &Hub, response: &Response) -> Option<String> {
    let how = &hub.how_to_give_a_token;
    let has_token = hub.token.is_some();
    let code = response.header("x-error-code").unwrap_or_default();
    Some(match (response.status, code) {
        (_, "GatedRepo") if has_token => {
            "this repository is gated, and your token's owner may not read it yet; ask for access on its page"
                .to_owned()
        }
        (_, "GatedRepo") => {
            format!("this repository is gated; ask for access on its page, then give your access token: {how}")
        }
        (_, "RevisionNotFound") => {
            "the repository has no such revision; a branch, a tag or a commit was expected after the @".to_owned()
        }
        (_, "EntryNotFound") => "the repository has no such file at this revision".to_owned(),
        (401 | 404, "RepoNotFound" | "") if has_token => {
            "there is no such repository, or your token may not see it; check the spelling and the token".to_owned()
        }
        (401 | 404, "RepoNotFound" | "") => format!(
            "there is no such public repository; check the spelling, or if it is private or gated, give an access token: \
             {how}"
        ),
        (401, _) if has_token => format!("your access token is not accepted; to use another, {how}"),
        (401, _) => format!("it wants an access token; to give one, {how}"),
        (403, _) if has_token => "your access token may not read this; check what it is allowed".to_owned(),
        (403, _) => format!("it is not for everybody; to give an access token, {how}"),
        (429, _) if !has_token => {
            format!("too many requests; wait a while, or give an access token, which may ask more: {how}")
        }
        _ => return None,
    })
}

/// What any server means.
const fn explain_any(status: u16) -> &'static str {
    match status {
        401 => {
            "it wants to know who asks; if it takes a name and a password, write them as https://name:password@host/…"
        }
        403 => "it is not for you, or a signed link has expired; get a new link",
        404 => "there is no such file; check the address",
        410 => "the file is gone",
        416 => "the file has no such bytes any more; it became shorter",
        429 => "too many requests; wait a while",
        408 | 504 => "the server waited too long",
        500..=599 => "the server is in trouble; try again later",
        _ => "200 or 206 was expected; check the address",
    }
}
