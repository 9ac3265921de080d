//! Writing a model into a folder of the browser's: one that a person picked, or the page's own storage.
//!
//! Every file has another name until it is whole, and as long as the model is not, a file beside them says so; by it, writing the
//! same model there again goes on where it was. A few megabytes of a file are made at a time.

use std::collections::BTreeSet;

use js_sys::{Array, Uint8Array};
use serde_json::{Value, json};
use stethoscope_core::recipe::Folder;
use stethoscope_core::source::ReadError;
use stethoscope_core::work::{Cancelled, Event};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::DomException;

use crate::blob::said;

/// What says that a model is not whole.
const UNFINISHED: &str = "stethoscope-unfinished.json";

/// Bytes of a file that are made and written at once.
const PIECE: u64 = 4 << 20;

#[wasm_bindgen]
extern "C" {
    /// A folder, as the worker's script has hold of it (`out.js`).
    pub type OutFolder;

    /// Whether it is the page's own storage, from which the person gets the files as downloads.
    #[wasm_bindgen(method, getter)]
    fn is_own(this: &OutFolder) -> bool;

    #[wasm_bindgen(method, catch)]
    async fn names(this: &OutFolder) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn text(this: &OutFolder, name: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn length(this: &OutFolder, name: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn room(this: &OutFolder) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn begin(this: &OutFolder, name: &str, bytes: f64) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn write(this: &OutFolder, bytes: Uint8Array) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn finish(this: &OutFolder, name: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn remove(this: &OutFolder, name: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn deliver(this: &OutFolder, names: Vec<String>) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method)]
    fn abandon(this: &OutFolder);
}

/// A model was not written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum WriteError {
    #[error("there is no folder {out} to write to; press Write and choose one")]
    NoFolder { out: String },
    #[error("{out} holds {example} and was not touched; choose an empty folder, which the browser's dialogue can make")]
    NotEmpty { out: String, example: String },
    #[error(
        "the browser keeps {available} bytes for this page and {needed} are needed; make room on the disk, or use a browser \
         that writes to a folder of yours, or the command line"
    )]
    NoSpace { needed: u64, available: u64 },
    #[error(
        "the browser has no room for {name} of {bytes} bytes; make room on the disk, or use a browser that writes to a folder \
         of yours, or the command line"
    )]
    Full { name: String, bytes: u64 },
    #[error("{doing} {name}: the browser says “{said}”; writing to the same folder goes on from here")]
    Browser { doing: &'static str, name: String, said: String },
    /// What the model is made of could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nobody listens any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// What went wrong while something was done to a file.
fn failed(doing: &'static str, name: &str) -> impl FnOnce(JsValue) -> WriteError {
    move |error| WriteError::Browser { doing, name: name.to_owned(), said: said(&error) }
}

/// A file under its other name; when it is dropped before its end, nothing of it stays.
struct Begun<'a> {
    place: &'a OutFolder,
    name: &'a str,
    bytes: u64,
}

impl<'a> Begun<'a> {
    async fn new(place: &'a OutFolder, name: &'a str, bytes: u64) -> Result<Self, WriteError> {
        // From here on: the browser may be about to make it when nobody waits for it any more.
        let begun = Self { place, name, bytes };
        place.begin(name, bytes as f64).await.map_err(|error| begun.failed("making", &error))?;
        Ok(begun)
    }

    fn failed(&self, doing: &'static str, error: &JsValue) -> WriteError {
        let name = self.name.to_owned();
        match error.dyn_ref::<DomException>().map(DomException::name).as_deref() {
            Some("QuotaExceededError") => WriteError::Full { name, bytes: self.bytes },
            _ => WriteError::Browser { doing, name, said: said(error) },
        }
    }

    async fn write(&self, bytes: &[u8]) -> Result<(), WriteError> {
        // A copy: while the browser writes, the module's memory may grow, and so move.
        self.place.write(Uint8Array::from(bytes)).await.map_err(|error| self.failed("writing", &error))?;
        Ok(())
    }

    async fn finish(self) -> Result<(), WriteError> {
        self.place.finish(self.name).await.map_err(|error| self.failed("naming", &error))?;
        Ok(())
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        // After its end this finds nothing to do.
        self.place.abandon();
    }
}

/// Writes a model, telling `observe` how many bytes of weights are done.
///
/// # Errors
/// If the folder holds anything else, there is too little room, or the browser refuses.
pub async fn write(
    folder: &Folder,
    out: &str,
    place: &OutFolder,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<(), WriteError> {
    let there = prepare(folder, out, place).await?;
    let mut finished = BTreeSet::new();
    for shard in folder.shards.iter().filter(|shard| there.contains(&shard.name)) {
        let length = place.length(&shard.name).await.map_err(failed("reading", &shard.name))?;
        if length.as_f64() == Some(shard.source.length() as f64) {
            finished.insert(shard.name.as_str());
        }
    }
    let to_write = folder.shards.iter().filter(|shard| !finished.contains(shard.name.as_str()));
    let needed = to_write.map(|shard| shard.source.length()).chain(folder.files.values().map(|file| file.len() as u64));
    check_room(place, out, needed.fold(0, u64::saturating_add)).await?;
    write_whole(place, UNFINISHED, journal(folder).as_bytes()).await?;
    let mut bytes_done = 0;
    for shard in &folder.shards {
        let length = shard.source.length();
        if finished.contains(shard.name.as_str()) {
            bytes_done += length;
            continue;
        }
        let file = Begun::new(place, &shard.name, length).await?;
        let mut start = 0;
        while start < length {
            let end = length.min(start + PIECE);
            file.write(&shard.source.read(start..end).await?.bytes()).await?;
            bytes_done += end - start;
            observe(Event::Progress { bytes_done }).await?;
            start = end;
        }
        file.finish().await?;
    }
    for (name, bytes) in &folder.files {
        write_whole(place, name, bytes).await?;
    }
    place.remove(UNFINISHED).await.map_err(failed("removing", UNFINISHED))?;
    place.deliver(names(folder).map(str::to_owned).collect()).await.map_err(failed("handing over", out))?;
    Ok(())
}

/// Makes sure that the folder holds nothing but what an unfinished run of the same model left; the names of that.
async fn prepare(folder: &Folder, out: &str, place: &OutFolder) -> Result<BTreeSet<String>, WriteError> {
    let listed = place.names().await.map_err(failed("listing", out))?;
    let there: BTreeSet<String> = Array::from(&listed).iter().filter_map(|name| name.as_string()).collect();
    let left = place.text(UNFINISHED).await.map_err(failed("reading", UNFINISHED))?;
    let left = left.as_string().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    if left.as_ref().is_some_and(|left| left["key"] == folder.key.as_str()) {
        return Ok(there);
    }
    let files = left.as_ref().and_then(|left| left["files"].as_array()).into_iter().flatten();
    let of_another: BTreeSet<&str> =
        files.filter_map(Value::as_str).chain(left.is_some().then_some(UNFINISHED)).collect();
    let is_ours = |name: &str| place.is_own() || of_another.contains(name.strip_suffix(".part").unwrap_or(name));
    // Systems keep files of their own in folders, whose names begin so.
    let strange = there.iter().find(|name| !is_ours(name) && !name.starts_with('.'));
    if let Some(example) = strange {
        return Err(WriteError::NotEmpty { out: out.to_owned(), example: example.clone() });
    }
    for name in there.iter().filter(|name| is_ours(name)) {
        place.remove(name).await.map_err(failed("removing", name))?;
    }
    Ok(BTreeSet::new())
}

async fn check_room(place: &OutFolder, out: &str, needed: u64) -> Result<(), WriteError> {
    let room = place.room().await.map_err(failed("asking for room for", out))?;
    match room.as_f64().map(|room| room as u64) {
        Some(available) if available < needed => Err(WriteError::NoSpace { needed, available }),
        _ => Ok(()),
    }
}

async fn write_whole(place: &OutFolder, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
    let file = Begun::new(place, name, bytes.len() as u64).await?;
    file.write(bytes).await?;
    file.finish().await
}

/// The names of all files, weights first.
fn names(folder: &Folder) -> impl Iterator<Item = &str> {
    folder.shards.iter().map(|shard| shard.name.as_str()).chain(folder.files.keys().map(String::as_str))
}

/// What stands in the file that says that a model is not whole.
fn journal(folder: &Folder) -> String {
    let note = "This model is not complete. Writing the same one to this folder goes on where it was.";
    let files: Vec<&str> = names(folder).collect();
    json!({ "schema": "stethoscope.journal/1", "note": note, "key": folder.key, "files": files }).to_string()
}
