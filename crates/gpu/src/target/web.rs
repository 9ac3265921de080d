//! WebGPU.

use std::any::Any;

use futures_channel::oneshot::Receiver;
use js_sys::Uint8Array;
use send_wrapper::SendWrapper;
use stethoscope_core::source::{Block, ForeignBytes};

/// What adapters are looked for in.
pub const BACKENDS: wgpu::Backends = wgpu::Backends::BROWSER_WEBGPU;

/// Bytes in a JavaScript `ArrayBuffer`: a slice of a dropped file, the answer of a server. They reach the GPU without a
/// copy in wasm memory. To be used on the thread that made them.
pub struct JsBytes(SendWrapper<Uint8Array>);

impl JsBytes {
    /// The bytes that `array` views.
    pub fn new(array: Uint8Array) -> Self {
        Self(SendWrapper::new(array))
    }
}

impl ForeignBytes for JsBytes {
    fn length(&self) -> usize {
        self.0.length() as usize
    }

    fn copy_to(&self, start: usize, out: &mut [u8]) {
        // An array buffer has fewer than 2^32 bytes where pointers have 32 bits.
        self.0.subarray(start as u32, (start + out.len()) as u32).copy_to(out);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Writes as many of the block's bytes as make whole words to `buffer` from `offset` on; says how many.
pub fn write_whole_words(queue: &wgpu::Queue, buffer: &wgpu::Buffer, offset: u64, block: &Block) -> usize {
    let whole = block.length() / 4 * 4;
    let foreign =
        block.as_foreign().and_then(|(bytes, range)| Some((bytes.as_any().downcast_ref::<JsBytes>()?, range)));
    match (foreign, queue.as_webgpu(), buffer.as_webgpu()) {
        (Some((bytes, range)), Some(queue), Some(buffer)) => {
            let (start, length) = (range.start as f64, whole as f64);
            let written = queue.write_buffer_with_f64_and_u8_array_and_f64_and_f64(
                buffer,
                offset as f64,
                &bytes.0,
                start,
                length,
            );
            // It throws where sizes do not fit, which they do; a lost device takes everything.
            debug_assert!(written.is_ok());
        }
        _ => queue.write_buffer(buffer, offset, &block.bytes()[..whole]),
    }
    whole
}

/// What a callback sends, once the event loop has come to it; none if it never will.
pub async fn answer<T>(_: &wgpu::Device, _: wgpu::SubmissionIndex, callback: &mut Receiver<T>) -> Option<T> {
    callback.await.ok()
}

/// Nothing: the browser calls back when its event loop turns.
pub fn wait(_: &wgpu::Device, _: wgpu::SubmissionIndex) {}

/// Nothing, likewise.
pub fn listen(_: &wgpu::Device) {}
