//! Seeds: tests/data/fuzz-seeds/recipe.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stethoscope_core::fuzzing::recipe(bytes));
