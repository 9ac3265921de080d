//! Timing a program from outside.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// The fastest of several runs of one command.
pub struct Measured {
    /// From its start to its end.
    pub seconds: f64,
    /// From its start to the end of the first line on stdout.
    pub first_line: Option<f64>,
    /// The most memory that was its own, not a file's, in any run; where the system tells.
    pub anonymous_bytes: Option<u64>,
    /// The last run's stdout, if it is JSON.
    pub json: Option<Value>,
}

impl Measured {
    /// How fast it went through so many bytes.
    pub fn bytes_per_second(&self, bytes: u64) -> f64 {
        bytes as f64 / self.seconds
    }

    /// Keeps the better of two runs.
    pub fn and(&mut self, run: Self) {
        self.seconds = self.seconds.min(run.seconds);
        self.first_line = self.first_line.zip(run.first_line).map(|(before, now)| before.min(now));
        self.anonymous_bytes = self.anonymous_bytes.max(run.anonymous_bytes);
        self.json = run.json;
    }

    /// For the report. `own_seconds` is what the program says itself, without starting and printing.
    pub fn describe(&self, bytes: u64) -> Value {
        json!({
            "seconds": self.seconds,
            "bytes_per_second": self.bytes_per_second(bytes),
            "anonymous_bytes": self.anonymous_bytes,
            "own_seconds": self.json.as_ref().map(|json| &json["seconds"]),
            "compute": self.json.as_ref().map(|json| &json["compute"]),
        })
    }
}

/// Runs a command `runs` times.
pub fn measure(binary: &Path, arguments: &[&OsStr], runs: u32) -> anyhow::Result<Measured> {
    let mut measured = measure_in_turn(binary, &[arguments], runs)?;
    measured.pop().context("no command")
}

/// Runs several commands in turn, `runs` times, so that a machine that slows down slows them all.
pub fn measure_in_turn(binary: &Path, commands: &[&[&OsStr]], runs: u32) -> anyhow::Result<Vec<Measured>> {
    let mut fastest: Vec<Measured> = commands.iter().map(|command| once(binary, command)).collect::<Result<_, _>>()?;
    for _ in 1..runs {
        for (before, command) in fastest.iter_mut().zip(commands) {
            before.and(once(binary, command)?);
        }
    }
    Ok(fastest)
}

/// Runs a command once.
pub fn once(binary: &Path, arguments: &[&OsStr]) -> anyhow::Result<Measured> {
    let started = Instant::now();
    let mut child = Command::new(binary)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", binary.display()))?;
    let mut stdout = child.stdout.take().context("the program has no stdout")?;
    let status_file = format!("/proc/{}/status", child.id());
    let ended = AtomicBool::new(false);
    let mut text = Vec::new();
    let mut first_line = None;
    let (anonymous_bytes, status, seconds) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| highest_anonymous(&status_file, &ended));
        let mut buffer = [0; 64 << 10];
        let read = loop {
            match stdout.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(count) => {
                    if first_line.is_none() && buffer[..count].contains(&b'\n') {
                        first_line = Some(started.elapsed().as_secs_f64());
                    }
                    text.extend_from_slice(&buffer[..count]);
                }
                Err(error) => break Err(error),
            }
        };
        let status = child.wait();
        let seconds = started.elapsed().as_secs_f64();
        ended.store(true, Ordering::Relaxed);
        (watcher.join().ok().flatten(), read.and(status), seconds)
    });
    let status = status.context("waiting for the program")?;
    if !status.success() {
        // Its own message is on stderr; what it printed may say more.
        let _ = std::io::stderr().write_all(&text);
        bail!("{} failed ({status})", binary.display());
    }
    Ok(Measured { seconds, first_line, anonymous_bytes, json: serde_json::from_slice(&text).ok() })
}

/// Looks at a process again and again until it has ended; returns the most anonymous memory seen, in bytes.
fn highest_anonymous(status_file: &str, ended: &AtomicBool) -> Option<u64> {
    let mut highest = None;
    while !ended.load(Ordering::Relaxed) {
        let now = fs::read_to_string(status_file).ok().and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        });
        highest = highest.max(now.map(|kibibytes| kibibytes * 1024));
        std::thread::sleep(Duration::from_millis(5));
    }
    highest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> anyhow::Result<Measured> {
        measure(Path::new("sh"), &["-c".as_ref(), script.as_ref()], 1)
    }

    #[test]
    fn the_first_line_is_timed_apart_from_the_end() {
        let measured = shell("echo first; sleep 0.1").expect("a shell");
        assert!(measured.first_line.expect("a line") + 0.05 < measured.seconds);
    }

    #[test]
    fn json_on_stdout_is_kept() {
        let measured = shell(r#"echo '{"seconds": 2}'"#).expect("a shell");
        assert_eq!(measured.describe(8)["own_seconds"], 2);
    }

    #[test]
    fn a_program_that_fails_is_not_measured() {
        assert!(shell("exit 3").is_err());
    }
}
