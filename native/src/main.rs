//! The `stethoscope` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    // candle has threads of its own for sums and the like, which wait for each other by spinning: beside ours, they cost more than
    // they save, and where others compute, too, most of the time.
    if std::env::var_os("CANDLE_NUM_THREADS").is_none() {
        // SAFETY: no other thread has been started.
        unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    }
    stethoscope_native::command_line::run()
}
