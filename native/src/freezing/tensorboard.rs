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
        file.0.write_all(&record(&version(now())))?;
        before.iter().try_for_each(|step| file.step(step))?;
        Ok(file)
    }

    /// Adds what was seen of a step.
    pub fn step(&mut self, step: &TrainingStep) -> io::Result<()> {
        self.0.write_all(&record(&event(now(), step.step, &scalars(step))))
    }
}

/// What a step is told as, by name.
fn scalars(step: &TrainingStep) -> Vec<(String, f64)> {
    let mut scalars = vec![
        ("train/loss".to_owned(), step.loss),
        ("train/gradient_norm".to_owned(), step.gradient_norm),
        ("train/rate".to_owned(), step.rate),
        ("train/epoch".to_owned(), step.epoch),
    ];
    let speed = (step.seconds > 0.0).then(|| step.tokens as f64 / step.seconds);
    scalars.extend(speed.map(|speed| ("speed/tokens_per_second".to_owned(), speed)));
    scalars.extend(step.held_out.map(|loss| ("eval/loss".to_owned(), loss)));
    scalars.extend(step.peak_bytes.map(|bytes| ("memory/peak_bytes".to_owned(), bytes as f64)));
    scalars.extend(step.gradient_norms.iter().map(|(role, norm)| (format!("gradient_norm/{}", role.name()), *norm)));
    scalars
}

/// The event that a file begins with.
fn version(time: f64) -> Vec<u8> {
    let mut event = Vec::new();
    double(&mut event, 1, time);
    bytes(&mut event, 3, b"brain.Event:2");
    event
}

/// Some numbers of one step.
fn event(time: f64, step: u64, scalars: &[(String, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in scalars {
        let mut one = Vec::new();
        bytes(&mut one, 1, tag.as_bytes());
        float(&mut one, 2, *value as f32);
        bytes(&mut summary, 1, &one);
    }
    let mut event = Vec::new();
    double(&mut event, 1, time);
    integer(&mut event, 2, step);
    bytes(&mut event, 5, &summary);
    event
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

    /// What `TensorBoard`'s own writer makes of the same (`tests/goldens/event_file.py`).
    #[test]
    fn files_are_those_that_tensorboard_writes() {
        let scalars = [("train/loss".to_owned(), 2.5), ("gradient_norm/o_proj".to_owned(), 0.1)];
        let ours = [record(&version(1_700_000_000.25)), record(&event(1_700_000_001.5, 300, &scalars))].concat();
        let golden = include_bytes!("../../../tests/data/training/tensorboard.tfevents");
        assert_eq!(ours, golden);
    }

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
