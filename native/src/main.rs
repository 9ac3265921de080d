//! The `stethoscope` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    stethoscope_native::command_line::run()
}
