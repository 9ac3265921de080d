//! Seeds: tests/data/fuzz-seeds/shard_header.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stethoscope_core::fuzzing::shard_header(bytes));
