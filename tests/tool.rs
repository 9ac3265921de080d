//! A run of the binary: its arguments, what it said, and how it ended, within a time limit.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Generous: what takes this long hangs.
pub const TIME_LIMIT: Duration = Duration::from_secs(60);

/// How a run ended and what it said.
#[derive(Debug)]
pub struct Answer {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A run under way.
pub struct Run {
    pub child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("native lies in the project's folder")
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path of UTF-8")
}

/// The binary with these arguments, in an environment that says nothing of this machine's models and terminal.
pub fn command<Word: AsRef<OsStr>>(arguments: &[Word]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stethoscope"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for variable in
        ["HF_HOME", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "CLICOLOR_FORCE", "COLUMNS", "RUST_BACKTRACE"]
    {
        command.env_remove(variable);
    }
    for variable in
        ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    {
        command.env_remove(variable);
    }
    for key in ["STETHOSCOPE_ENDPOINT_KEY", "OPENAI_API_KEY"] {
        command.env_remove(key);
    }
    // Tests ask no server but their own.
    command
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_TOKEN_PATH", PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-such-token"));
    command.env("HF_HUB_CACHE", PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-such-cache"));
    command
}

/// Starts a command and listens to what it says.
pub fn start(mut command: Command) -> Run {
    let mut child = command.spawn().expect("the binary can be started");
    let stdout = child.stdout.take().map(listen);
    let stderr = child.stderr.take().map(listen);
    Run { child, stdout, stderr }
}

fn listen(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        String::from_utf8(bytes).expect("what is said is UTF-8")
    })
}

impl Run {
    /// Waits for the end.
    pub fn finish(self) -> Answer {
        self.finish_within(TIME_LIMIT)
    }

    /// Waits for the end of what may take longer than others.
    pub fn finish_within(mut self, limit: Duration) -> Answer {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if start.elapsed() > limit {
                self.child.kill().expect("a child can be killed");
                panic!("it did not end within {limit:?}");
            }
            thread::sleep(Duration::from_millis(2));
        };
        let said = |pipe: Option<JoinHandle<String>>| {
            pipe.map_or_else(String::new, |pipe| pipe.join().expect("what was said could be read"))
        };
        let answer = Answer { status, stdout: said(self.stdout), stderr: said(self.stderr) };
        assert!(!answer.stderr.contains("panicked"), "{answer:#?}");
        answer
    }
}

/// Runs the binary to its end.
pub fn stethoscope<Word: AsRef<OsStr>>(arguments: &[Word]) -> Answer {
    start(command(arguments)).finish()
}

/// Runs the binary, which must do what it is asked; what it wrote to standard output.
#[track_caller]
pub fn succeed<Word: AsRef<OsStr>>(arguments: &[Word]) -> String {
    let answer = stethoscope(arguments);
    assert_eq!(answer.status.code(), Some(0), "{}", answer.stderr);
    assert_eq!(answer.stderr, "", "results go to standard output, and there is no bar without a terminal");
    answer.stdout
}

/// Runs the binary, which must refuse with this exit code; what it said. Nothing may have been written to standard output.
#[track_caller]
pub fn refuse<Word: AsRef<OsStr>>(code: i32, arguments: &[Word]) -> String {
    let answer = stethoscope(arguments);
    assert_eq!(answer.status.code(), Some(code), "{answer:#?}");
    assert_eq!(answer.stdout, "", "{}", answer.stderr);
    answer.stderr
}

/// All of `words` are in `message`.
#[track_caller]
pub fn assert_mentions(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}

/// `delta --json -` of two checkpoints, with further arguments.
#[track_caller]
pub fn delta(a: &Path, b: &Path, more: &[&str]) -> Value {
    let json = succeed(&[&["delta", text(a), text(b), "--json", "-"], more].concat());
    serde_json::from_str(&json).expect("the report is JSON")
}

/// Waits until a file that the system keeps about a process (`/proc/ID/…`) says so, or where there is none, for a second.
#[cfg(unix)]
#[track_caller]
pub fn wait_until(what: &str, process: u32, file: &str, is_so: impl Fn(&str) -> bool) {
    let path = PathBuf::from(format!("/proc/{process}")).join(file);
    let start = Instant::now();
    while start.elapsed() < TIME_LIMIT {
        match std::fs::read_to_string(&path) {
            Ok(text) if is_so(&text) => return,
            Ok(_) => thread::sleep(Duration::from_millis(2)),
            Err(_) => return thread::sleep(Duration::from_secs(1)),
        }
    }
    panic!("{what} did not come");
}
