//! Numbers of a training as `TensorBoard` reads them: an event file, which is a sequence of records (`TFRecord`: a length and bytes,
//! each with a masked CRC-32C), each a protocol buffer of type `Event`.
//!
//! Only what scalars need is written: `wall_time` (1, double), `step` (2, int64), `file_version` (3, string) and `summary` (5), whose
//! values (1) have a `tag` (1, string) and a `simple_value` (2, float).

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use stethoscope_core::freezing::TrainingStep;

/// An event file that grows.
pub struct EventFile(File);

impl EventFile {
    /// Makes one in `folder`, with all steps that were made before, so that each run is whole in its own file. What another
    /// run left there is removed: it holds no more than that.
    pub fn begin(folder: &Path, before: &[TrainingStep]) -> io::Result<Self> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                std::fs::remove_file(entry.path())?;
            }
        }
        let mut file = Self(File::create(folder.join(format!("{PREFIX}{:010}.stethoscope", now() as u64)))?);
        let mut event = Vec::new();
        double(&mut event, 1, now());
        bytes(&mut event, 3, b"brain.Event:2");
        file.record(&event)?;
        before.iter().try_for_each(|step| file.step(step))?;
        Ok(file)
    }

    /// Adds what was seen of a step.
    pub fn step(&mut self, step: &TrainingStep) -> io::Result<()> {
        let mut summary = Vec::new();
        let mut scalar = |tag: &str, value: f64| {
            let mut one = Vec::new();
            bytes(&mut one, 1, tag.as_bytes());
            float(&mut one, 2, value as f32);
            bytes(&mut summary, 1, &one);
        };
        scalar("train/loss", step.loss);
        scalar("train/gradient_norm", step.gradient_norm);
        scalar("train/rate", step.rate);
        scalar("train/epoch", step.epoch);
        if step.seconds > 0.0 {
            scalar("speed/tokens_per_second", step.tokens as f64 / step.seconds);
        }
        if let Some(held_out) = step.held_out {
            scalar("eval/loss", held_out);
        }
        if let Some(bytes) = step.peak_bytes {
            scalar("memory/peak_bytes", bytes as f64);
        }
        for (role, norm) in &step.gradient_norms {
            scalar(&format!("gradient_norm/{}", role.name()), *norm);
        }
        let mut event = Vec::new();
        double(&mut event, 1, now());
        integer(&mut event, 2, step.step);
        bytes(&mut event, 5, &summary);
        self.record(&event)
    }

    fn record(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(&record(bytes))
    }
}

/// What `TensorBoard` takes for an event file begins so.
const PREFIX: &str = "events.out.tfevents.";

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), bytes, &masked(bytes).to_le_bytes()].concat()
}

/// A check sum that is not mistaken for one where check sums themselves are summed.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Castagnoli's CRC, bit by bit: records are short.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn integer(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    varint(out, field << 3 | 1);
    out.extend(value.to_le_bytes());
}

fn float(out: &mut Vec<u8>, field: u64, value: f32) {
    varint(out, field << 3 | 5);
    out.extend(value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of RFC 3720, B.4, and that of the nine digits, which every catalogue of CRCs gives.
    #[test]
    fn check_sums_are_castagnolis() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    /// As protobuf's documentation encodes it.
    #[test]
    fn numbers_are_encoded_as_protocol_buffers_are() {
        let mut out = Vec::new();
        integer(&mut out, 1, 150);
        bytes(&mut out, 2, b"testing");
        assert_eq!(out, [b"\x08\x96\x01\x12\x07".as_slice(), b"testing"].concat());
    }
}
