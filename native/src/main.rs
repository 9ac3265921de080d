//! The `stethoscope` binary.
fn main() {}
