//! What a job has said: a file with an event a line, written by one and read by any number, each at a pace of its own.
//!
//! Who reads remembers a place in the file and no events, so a slow reader costs no memory, and one that comes late, or comes back,
//! misses nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stethoscope_core::work::Event;
use tokio::sync::watch;

/// What a job has said so far.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    /// Whether the file goes with whoever asked.
    is_passing: bool,
    seen: watch::Sender<Seen>,
}

/// How far a job is.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Bytes of whole events in the file.
    pub bytes: u64,
    /// How far it is, as the last such event (JSON); those before are of no use.
    pub progress: Option<Arc<str>>,
    /// How it ended.
    pub end: Option<End>,
}

/// How a job ended: well, or why not, for a person.
pub type End = Result<(), Arc<str>>;

/// The one who writes.
pub struct Writer {
    log: Arc<Log>,
    file: File,
    bytes: u64,
}

impl Log {
    /// A log that is a file, which may be there already: its whole lines are what was said before, and it ended with `end`.
    pub fn new(path: PathBuf, is_passing: bool, end: Option<End>) -> Self {
        let bytes = whole_lines(&path).unwrap_or_default();
        let (seen, _) = watch::channel(Seen { bytes, progress: None, end });
        Self { path, is_passing, seen }
    }

    /// To be told whenever there is more.
    pub fn watch(&self) -> watch::Receiver<Seen> {
        self.seen.subscribe()
    }

    /// Says how it ended, if nobody has.
    pub fn end(&self, end: End) {
        self.seen.send_modify(|seen| {
            seen.end.get_or_insert(end);
        });
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.seen.borrow().end.is_some()
    }

    /// Begins to write.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn writer(self: &Arc<Self>) -> io::Result<Writer> {
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(&self.path)?;
        Ok(Writer { log: Arc::clone(self), file, bytes: 0 })
    }

    /// Reads from a place in the file, which is the start of a line.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn reader(&self, from: u64) -> io::Result<Lines> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(from))?;
        Ok(Lines { file: BufReader::with_capacity(READ_AT_ONCE, file), at: from })
    }

    /// Whether a line begins at a place, as far as the file goes.
    pub fn is_start(&self, at: u64) -> bool {
        if at == 0 {
            return true;
        }
        let before = || -> io::Result<u8> {
            let mut byte = [0];
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(at - 1))?;
            io::Read::read_exact(&mut file, &mut byte)?;
            Ok(byte[0])
        };
        at <= self.seen.borrow().bytes && before().is_ok_and(|byte| byte == b'\n')
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if self.is_passing {
            // What is left is removed when the server starts again.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Writer {
    /// Writes an event down. How far a job is is told, and not kept.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_string(event)?;
        if matches!(event, Event::Progress { .. } | Event::Rows { .. }) {
            self.log.seen.send_modify(|seen| seen.progress = Some(line.into()));
            return Ok(());
        }
        line.push('\n');
        self.file.write_all(line.as_bytes())?;
        self.bytes += line.len() as u64;
        self.log.seen.send_modify(|seen| seen.bytes = self.bytes);
        Ok(())
    }
}

/// Bytes that are read at once.
const READ_AT_ONCE: usize = 64 << 10;

/// The events of a log, as the lines that they are.
pub struct Lines {
    file: BufReader<File>,
    at: u64,
}

impl Lines {
    /// Appends the next line, without its end, to a text; the place behind it, or none where the log ends for now.
    ///
    /// # Errors
    /// If the system refuses, or the file is not text.
    pub fn next(&mut self, text: &mut String) -> io::Result<Option<u64>> {
        let read = self.file.read_line(text)?;
        if text.pop() != Some('\n') {
            return Ok(None);
        }
        self.at += read as u64;
        Ok(Some(self.at))
    }
}

/// Bytes of a file up to the end of its last whole line: the last one may have been cut when the server was.
fn whole_lines(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut end = file.metadata()?.len();
    let mut bytes = vec![0; READ_AT_ONCE];
    while end > 0 {
        let start = end.saturating_sub(READ_AT_ONCE as u64);
        let part = &mut bytes[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        io::Read::read_exact(&mut file, part)?;
        if let Some(last) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_whole_events_from_wherever_it_left_off_and_a_cut_one_never() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let log = Arc::new(Log::new(path.clone(), false, None));
        let mut writer = log.writer().unwrap();
        writer.event(&Event::Planned { rows: 1, bytes: 2 }).unwrap();
        writer.event(&Event::Progress { bytes_done: 1 }).unwrap();
        writer.event(&Event::Warning("a\nb".to_owned())).unwrap();
        let seen = log.watch().borrow().clone();
        assert_eq!(seen.progress.as_deref(), Some(r#"{"progress":{"bytes_done":1}}"#));
        let mut first = String::new();
        let at = log.reader(0).unwrap().next(&mut first).unwrap().unwrap();
        assert_eq!(first, r#"{"planned":{"rows":1,"bytes":2}}"#);
        assert!(log.is_start(0) && log.is_start(at) && !log.is_start(1) && !log.is_start(seen.bytes + 1));
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"warn").unwrap();
        let again = Log::new(path, false, None);
        assert_eq!(again.watch().borrow().bytes, seen.bytes);
    }
}
