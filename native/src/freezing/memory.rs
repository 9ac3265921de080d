//! How much memory the program holds, at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// How often it is looked at: a layer takes longer.
const EVERY: Duration = Duration::from_millis(10);

/// Looks at the program's own memory until it is dropped.
pub struct PeakMemory(Arc<AtomicU64>);

impl PeakMemory {
    /// Begins to look; none where the system does not tell.
    pub fn watch() -> Option<Self> {
        let first = anonymous_bytes()?;
        let peak = Arc::new(AtomicU64::new(first));
        let watched = Arc::downgrade(&peak);
        thread::spawn(move || {
            while let Some(peak) = watched.upgrade() {
                peak.fetch_max(anonymous_bytes().unwrap_or(0), Ordering::Relaxed);
                drop(peak);
                thread::sleep(EVERY);
            }
        });
        Some(Self(peak))
    }

    /// The most that was seen so far, in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes that are in memory and in no file: mapped weights can be read again, and are not counted.
#[cfg(target_os = "linux")]
fn anonymous_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    kibibytes(&status, "RssAnon:")
}

/// Bytes that could be had without swapping.
#[cfg(target_os = "linux")]
pub fn available_bytes() -> Option<u64> {
    let memory = std::fs::read_to_string("/proc/meminfo").ok()?;
    kibibytes(&memory, "MemAvailable:")
}

#[cfg(target_os = "linux")]
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(not(target_os = "linux"))]
const fn anonymous_bytes() -> Option<u64> {
    None
}

/// Bytes that could be had without swapping.
#[cfg(not(target_os = "linux"))]
pub const fn available_bytes() -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_for_a_while_is_seen() {
        let watch = PeakMemory::watch().unwrap();
        let before = watch.bytes();
        let held = vec![1_u8; 64 << 20];
        thread::sleep(10 * EVERY);
        assert!(held.iter().step_by(4096).all(|byte| *byte == 1));
        drop(held);
        assert!(watch.bytes() >= before + (60 << 20));
        assert!(available_bytes().unwrap() > 0);
    }
}
