//! A file that a person gave to the page, read slice by slice.

use std::ops::Range;

use futures_util::lock::Mutex;
use js_sys::{ArrayBuffer, Uint8Array};
use send_wrapper::SendWrapper;
use stethoscope_core::source::{Block, ByteSource, ReadError, ReadFuture};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DomException, File};

/// A slice costs a message to the browser's own process and back: so many bytes make that cheap, and stall nobody.
const READ_SIZE: u64 = 16 << 20;

/// Reads of more than this wait for each other: a browser that is asked for several large slices at a time takes longer for all
/// of them together.
const LARGE: u64 = 1 << 20;

/// A `File`, whose bytes stay in the browser until a slice is asked for.
pub struct BlobSource {
    name: String,
    file: SendWrapper<File>,
    length: u64,
    large_reads: Mutex<()>,
}

impl BlobSource {
    /// A file, under the name that messages call it by.
    pub fn new(name: impl Into<String>, file: File) -> Self {
        let length = length(&file);
        Self { name: name.into(), file: SendWrapper::new(file), length, large_reads: Mutex::new(()) }
    }

    async fn slice(&self, Range { start, end }: Range<u64>) -> Result<Block, ReadError> {
        let name = || self.name.clone();
        if start > end || end > self.length {
            return Err(ReadError::Shrank { name: name(), start, end, available: self.length });
        }
        let _turn = if end - start > LARGE { Some(self.large_reads.lock().await) } else { None };
        // Offsets of files are exact in f64 up to 2^53 bytes, which no file reaches.
        let slice = self.file.slice_with_f64_and_f64(start as f64, end as f64);
        let buffer = match slice {
            Ok(slice) => JsFuture::from(slice.array_buffer()).await,
            Err(error) => Err(error),
        };
        let buffer: ArrayBuffer = buffer.map_err(|error| self.refused(start..end, &error))?.unchecked_into();
        let bytes = Uint8Array::new(&buffer);
        let available = u64::from(bytes.length());
        if available != end - start {
            return Err(ReadError::Shrank { name: name(), start, end, available: start + available });
        }
        Ok(block(bytes))
    }

    /// What a browser's refusal means. It looks at a file's size and time of modification before it gives bytes of it.
    fn refused(&self, Range { start, end }: Range<u64>, error: &JsValue) -> ReadError {
        let (name, said) = (self.name.clone(), said(error));
        match error.dyn_ref::<DomException>().map(DomException::name).as_deref() {
            Some("NotReadableError") => ReadError::Changed { name, what: format!("the browser says “{said}”") },
            Some("NotFoundError") => ReadError::Changed { name, what: "it is no longer where it was".into() },
            _ => ReadError::Remote { name, start, end, source: said.into() },
        }
    }
}

impl ByteSource for BlobSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn read(&self, range: Range<u64>) -> ReadFuture<'_> {
        Box::pin(self.slice(range))
    }

    fn read_size(&self) -> u64 {
        READ_SIZE
    }
}

/// Bytes of the browser's. Where there is a GPU to hand them on to, they stay in its memory until somebody else wants them.
#[cfg(feature = "page")]
pub fn block(bytes: Uint8Array) -> Block {
    Block::foreign(std::sync::Arc::new(stethoscope_gpu::JsBytes::new(bytes)))
}

/// Bytes of the browser's, in the module's memory.
#[cfg(not(feature = "page"))]
pub fn block(bytes: Uint8Array) -> Block {
    bytes.to_vec().into()
}

/// How many bytes a file has.
pub fn length(file: &File) -> u64 {
    // Whole, and not negative.
    file.size() as u64
}

/// What an exception says.
pub fn said(error: &JsValue) -> String {
    match error.dyn_ref::<DomException>() {
        Some(exception) => exception.message(),
        None => error.as_string().unwrap_or_else(|| format!("{error:?}")),
    }
}
