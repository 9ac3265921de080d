//! Seeds: tests/data/fuzz-seeds/shard_index.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stethoscope_core::fuzzing::shard_index(bytes));
