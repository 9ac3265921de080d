//! What is where, and who may see it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use crate::answer::{Answer, Body};
use crate::faults::{Fault, Kind};
use crate::request::Request;
use crate::{Origin, State, lock};

/// Number of spaces of [`Kind::HugeBody`].
const HUGE_BODY: u64 = 300_000_000;

/// A repository at a revision.
struct Repository {
    id: String,
    folder: PathBuf,
    commit: String,
}

/// The answer to a request, and whether the request was to the server's controls.
pub(crate) fn answer(state: &State, origin: Origin, request: &Request, fault: Option<Kind>) -> (Answer, bool) {
    if request.method == "OPTIONS" {
        let answer = Answer::text(204, "")
            .with("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
            .with("Access-Control-Allow-Headers", "authorization, range");
        return (answer, true);
    }
    let path = request.path();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    if let [first, ..] = path.as_slice()
        && first.starts_with('_')
    {
        return (control(state, first, request), true);
    }
    let whole = match fault {
        Some(Kind::Status(status)) => Answer::text(status, "as was asked"),
        Some(Kind::TooMany(seconds)) => Answer::text(429, "slowly").with("Retry-After", seconds.to_string()),
        Some(Kind::RedirectLoop) => Answer::text(302, "round").with("Location", request.target.clone()),
        Some(Kind::RedirectAway) => {
            Answer::text(302, "away").with("Location", format!("http://{}{}", state.cdn, request.target))
        }
        Some(Kind::WebPage) => Answer::text(200, "<!DOCTYPE html><html><body>Welcome</body></html>"),
        Some(Kind::HugeBody) => Answer { status: 200, headers: Vec::new(), body: Body::Spaces(HUGE_BODY) },
        _ => match origin {
            Origin::Hub => hub(state, request, &path, fault),
            Origin::Cdn => cdn(state, request, &path, fault),
        },
    };
    (whole, false)
}

fn hub(state: &State, request: &Request, path: &[&str], fault: Option<Kind>) -> Answer {
    match *path {
        ["api", "models", organisation, name, "revision", revision] => {
            match open(state, request, organisation, name, revision) {
                Ok(repository) => Answer::json(&listing(&repository)).with("X-Repo-Commit", repository.commit),
                Err(refusal) => refusal,
            }
        }
        ["api", "resolve-cache", "models", organisation, name, commit, ref file @ ..] => {
            match open(state, request, organisation, name, commit) {
                Ok(repository) => file_answer(request, &repository.folder.join(file.join("/")), "git", fault),
                Err(refusal) => refusal,
            }
        }
        [organisation, name, "resolve", revision, ref file @ ..] => {
            match open(state, request, organisation, name, revision) {
                Ok(repository) => resolve(state, &repository, &file.join("/"), fault),
                Err(refusal) => refusal,
            }
        }
        _ => refusal(404, "", "Not found"),
    }
}

fn cdn(state: &State, request: &Request, path: &[&str], fault: Option<Kind>) -> Answer {
    if let ["plain", file @ ..] = path {
        return file_answer(request, &state.root.join(file.join("/")), "plain", fault);
    }
    match *path {
        ["s3", bucket] => {
            return bucket_listing(&state.root.join(bucket), &request.query("prefix").unwrap_or_default());
        }
        ["s3", ref object @ ..] => {
            let answer = file_answer(request, &state.root.join(object.join("/")), "s3", fault);
            return answer.with("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT");
        }
        _ => {}
    }
    let signature = request.query("signature").and_then(|number| number.parse().ok());
    if signature != Some(state.signature.load(Ordering::Relaxed)) {
        return Answer::text(403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>");
    }
    file_answer(request, &state.root.join(path.join("/")), "cdn", fault)
}

/// What S3 says of the objects right below a prefix.
fn bucket_listing(bucket: &Path, prefix: &str) -> Answer {
    let mut files = Vec::new();
    list(&bucket.join(prefix), prefix, &mut files);
    files.sort();
    let objects: String = files
        .iter()
        .filter(|file| !file[prefix.len()..].contains('/'))
        .map(|file| {
            let size = fs::metadata(bucket.join(file)).map_or(0, |metadata| metadata.len());
            format!(
                "<Contents><Key>{file}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>\
                 <ETag>&quot;1&quot;</ETag><Size>{size}</Size></Contents>"
            )
        })
        .collect();
    Answer::text(200, &format!("<ListBucketResult><IsTruncated>false</IsTruncated>{objects}</ListBucketResult>"))
}

/// A repository that may be seen; else the Hub's refusal.
fn open(
    state: &State,
    request: &Request,
    organisation: &str,
    name: &str,
    revision: &str,
) -> Result<Repository, Answer> {
    let id = format!("{organisation}/{name}");
    let main = state.root.join(&id);
    let token = fs::read_to_string(main.join(".token")).ok();
    let is_known = token.as_deref().is_none_or(|token| {
        request.header("authorization").is_some_and(|given| given == format!("Bearer {}", token.trim()))
    });
    if !main.is_dir() || !is_known && !main.join(".gated").exists() {
        // Without the right token, the Hub does not say whether there is such a repository.
        let status = if request.header("authorization").is_some() { 404 } else { 401 };
        return Err(refusal(status, "RepoNotFound", "Repository not found"));
    }
    if !is_known {
        return Err(refusal(403, "GatedRepo", &format!("Access to model {id} is restricted.")));
    }
    let other = state.root.join(format!("{id}@{revision}"));
    let folder = if other.is_dir() { other } else { main };
    let commit = commit_of(&folder);
    if folder.ends_with(&id) && revision != "main" && revision != commit {
        let by_commit = fs::read_dir(state.root.join(organisation)).into_iter().flatten().flatten();
        let found = by_commit.map(|entry| entry.path()).find(|path| commit_of(path) == revision);
        return match found {
            Some(folder) => Ok(Repository { id, folder, commit: revision.to_owned() }),
            None => Err(refusal(404, "RevisionNotFound", &format!("Invalid rev id: {revision}"))),
        };
    }
    Ok(Repository { id, folder, commit })
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let answer = Answer::json(&json!({ "error": message })).with("X-Error-Code", code).with("X-Error-Message", message);
    Answer { status, ..answer }
}

/// What the API says of a repository.
fn listing(repository: &Repository) -> serde_json::Value {
    let mut files = Vec::new();
    list(&repository.folder, "", &mut files);
    files.sort();
    let siblings: Vec<_> = files.iter().map(|file| json!({ "rfilename": file })).collect();
    json!({ "id": repository.id, "modelId": repository.id, "sha": repository.commit, "siblings": siblings })
}

fn list(folder: &Path, prefix: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match entry.path().is_dir() {
            true => list(&entry.path(), &format!("{name}/"), files),
            false if name.starts_with('.') => {}
            false => files.push(name),
        }
    }
}

/// Where a file of a repository really is.
fn resolve(state: &State, repository: &Repository, file: &str, fault: Option<Kind>) -> Answer {
    let path = repository.folder.join(file);
    let Ok(metadata) = fs::metadata(&path) else { return refusal(404, "EntryNotFound", "Entry not found") };
    let changed = if fault == Some(Kind::OtherEtag) { "changed" } else { "" };
    let answer = Answer::text(302, "Found. Redirecting")
        .with("X-Repo-Commit", repository.commit.clone())
        .with("X-Linked-Size", metadata.len().to_string());
    if !file.ends_with(".safetensors") {
        let place = format!("/api/resolve-cache/models/{}/{}/{}", repository.id, repository.commit, encoded(file));
        return Answer { status: 307, ..answer }.with("Location", place);
    }
    let below_root = path.strip_prefix(&state.root).unwrap_or(&path).to_string_lossy().into_owned();
    let signature = state.signature.load(Ordering::Relaxed);
    let place = format!("http://{}/{}?signature={signature}", state.cdn, encoded(&below_root));
    answer.with("X-Linked-Etag", etag(&path, &format!("linked{changed}"))).with("Location", place)
}

/// A file or a part of it.
fn file_answer(request: &Request, path: &Path, kind: &str, fault: Option<Kind>) -> Answer {
    let Ok(metadata) = fs::metadata(path)
        .and_then(|found| if found.is_file() { Ok(found) } else { Err(std::io::ErrorKind::NotFound.into()) })
    else {
        return refusal(404, "EntryNotFound", "Entry not found");
    };
    let length = metadata.len();
    let said = if fault == Some(Kind::HugeLength) { u64::MAX } else { length };
    let mut answer = Answer { status: 200, headers: Vec::new(), body: Body::File(path.to_owned(), 0..length) }
        .with("Accept-Ranges", "bytes")
        .with("Content-Type", "application/octet-stream");
    if fault != Some(Kind::NoEtag) {
        let changed = if fault == Some(Kind::OtherEtag) { "changed" } else { "" };
        answer = answer.with("ETag", etag(path, &format!("{kind}{changed}")));
    }
    let range = if fault == Some(Kind::IgnoreRange) { None } else { request.range(length) };
    let mut range = match range {
        None => return answer,
        Some(Ok(range)) => range,
        Some(Err(())) => return Answer::text(416, "").with("Content-Range", format!("bytes */{length}")),
    };
    let shift = u64::from(fault == Some(Kind::WrongContentRange));
    if fault != Some(Kind::NoContentRange) {
        let content_range = format!("bytes {}-{}/{said}", range.start + shift, range.end - 1 + shift);
        answer = answer.with("Content-Range", content_range);
    }
    match fault {
        Some(Kind::ShortLength) => range.end = range.end.saturating_sub(10).max(range.start),
        Some(Kind::LongLength) => range.end += 10,
        _ => {}
    }
    Answer { status: 206, body: Body::File(path.to_owned(), range), ..answer }
}

/// What a server calls this version of a file: another one after it was written to.
fn etag(path: &Path, kind: &str) -> String {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap_or(UNIX_EPOCH);
    let age = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("\"{kind}-{}\"", hash(&format!("{} {age}", path.display())))
}

/// The commit of a folder: 40 digits that its path decides.
fn commit_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    format!("{}{}{}", hash(&name), hash(&format!("{name}/")), hash(&format!("{name}//"))).chars().take(40).collect()
}

/// FNV-1a, as 16 digits: nobody has to be kept from making another text of the same hash.
fn hash(text: &str) -> String {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
}

fn encoded(path: &str) -> String {
    path.bytes().fold(String::new(), |text, byte| match byte {
        b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => text + &char::from(byte).to_string(),
        byte => text + &format!("%{byte:02X}"),
    })
}

/// The server's own controls.
fn control(state: &State, what: &str, request: &Request) -> Answer {
    let number = |key: &str| request.query(key).and_then(|value| value.parse::<u64>().ok());
    match what {
        "_faults" => {
            let Some(kind) = request.query("kind").and_then(|name| Kind::named(&name)) else {
                return Answer::text(404, "no such kind");
            };
            let count = |key: &str| number(key).and_then(|count| usize::try_from(count).ok());
            lock(&state.faults).push(Fault {
                kind,
                part: request.query("where").unwrap_or_default(),
                skip: count("skip").unwrap_or(0),
                times: count("times").unwrap_or(usize::MAX),
            });
        }
        "_latency" => *lock(&state.latency) = Duration::from_millis(number("milliseconds").unwrap_or(0)),
        "_expire" => drop(state.signature.fetch_add(1, Ordering::Relaxed)),
        "_reset" => state.reset(),
        "_log" => return Answer::json(&json!(*lock(&state.log))),
        _ => return Answer::text(404, "no such control"),
    }
    Answer::json(&json!({}))
}
