//! Bytes that JavaScript owns.

use std::any::Any;

use js_sys::Uint8Array;
use send_wrapper::SendWrapper;
use stethoscope_core::source::ForeignBytes;

/// The bytes of an `ArrayBuffer`, which only those who need them here copy into this program's memory.
pub struct JsBytes(SendWrapper<Uint8Array>);

impl JsBytes {
    /// All bytes of an array. Nobody may write to it any more.
    pub fn new(bytes: Uint8Array) -> Self {
        Self(SendWrapper::new(bytes))
    }

    /// The array, for those who hand it on to JavaScript.
    pub fn array(&self) -> &Uint8Array {
        &self.0
    }
}

impl ForeignBytes for JsBytes {
    fn length(&self) -> usize {
        self.0.length() as usize
    }

    fn copy_to(&self, start: usize, out: &mut [u8]) {
        // An array that JavaScript can make in a 32-bit program's reach has a 32-bit length.
        let (start, end) = (start as u32, (start + out.len()) as u32);
        self.0.subarray(start, end).copy_to(out);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
