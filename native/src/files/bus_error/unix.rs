//! A SIGBUS handler, and the table of mappings that it looks the faulting address up in.
//!
//! A handler may only do what is async-signal-safe: it loads atomics, calls write and _exit, and takes no lock and no
//! memory. Entries belong to live mappings, and the thread that faults in one keeps it alive, so the name that goes with
//! the address cannot be freed meanwhile.

use std::mem::MaybeUninit;
use std::ptr::{null_mut, slice_from_raw_parts};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Once, OnceLock};

/// Mappings that can be told by name. More than any checkpoint has shards; a fault in one beyond is the system's to deal
/// with.
const SLOTS: usize = 4096;

/// One mapping: its addresses and the message for it. Free where `message` is null.
struct Slot {
    start: AtomicUsize,
    end: AtomicUsize,
    message: AtomicPtr<u8>,
    message_length: AtomicUsize,
}

static TABLE: [Slot; SLOTS] = [const {
    Slot {
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        message: AtomicPtr::new(null_mut()),
        message_length: AtomicUsize::new(0),
    }
}; SLOTS];

/// What SIGBUS did before.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// Says whose bytes a mapping holds, for as long as it lives.
pub(in crate::files) struct Registration {
    slot: Option<&'static Slot>,
    // A vector rather than a box: the table points into it while it moves with its owner.
    _message: Vec<u8>,
}

impl Registration {
    /// Enters a mapping, and installs the handler if this is the first.
    pub fn new(mapping: &[u8], name: &str) -> Self {
        static INSTALL: Once = Once::new();
        INSTALL.call_once(install);
        let mut message = format!(
            "\nerror: {name} was cut short, or its disk failed, while it was being read; is something still writing it? \
             With --no-mmap such a file is read without being mapped.\n"
        )
        .into_bytes();
        let pointer = message.as_mut_ptr();
        let free = |slot: &&Slot| {
            slot.message.compare_exchange(null_mut(), pointer, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        let slot = TABLE.iter().find(free);
        if let Some(slot) = slot {
            slot.message_length.store(message.len(), Ordering::Relaxed);
            let start = mapping.as_ptr() as usize;
            slot.start.store(start, Ordering::Relaxed);
            slot.end.store(start + mapping.len(), Ordering::Release);
        }
        Self { slot, _message: message }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            slot.end.store(0, Ordering::Relaxed);
            slot.start.store(0, Ordering::Relaxed);
            slot.message.store(null_mut(), Ordering::Release);
        }
    }
}

/// Takes SIGBUS over. If the system refuses, a fault ends the process without a message, as it would have.
fn install() {
    let mut previous = MaybeUninit::uninit();
    // SAFETY: An action of zeros is valid, and both pointers are to actions that live through the call. The alternate
    // stack that std gives every thread is used, so that a fault on a full stack still has room.
    let installed = unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = on_bus_error as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &raw const action, previous.as_mut_ptr()) == 0
    };
    if installed {
        // SAFETY: The call has succeeded, so it has written the previous action.
        PREVIOUS.get_or_init(|| unsafe { previous.assume_init() });
    }
}

/// Ends the process with a message if the fault lies in one of our mappings; else does what was done before.
extern "C" fn on_bus_error(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: The system passes a valid siginfo to a handler that asked for one.
    let address = unsafe { (*info).si_addr() } as usize;
    for slot in &TABLE {
        let end = slot.end.load(Ordering::Acquire);
        if !(slot.start.load(Ordering::Relaxed)..end).contains(&address) {
            continue;
        }
        let (message, length) = (slot.message.load(Ordering::Acquire), slot.message_length.load(Ordering::Relaxed));
        let message = slice_from_raw_parts(message, length);
        // SAFETY: write and _exit are async-signal-safe; the message lives as long as the mapping does.
        unsafe {
            libc::write(libc::STDERR_FILENO, message.cast(), message.len());
            libc::_exit(1);
        }
    }
    // SAFETY: These are the actions that the process had before, called as it would have been.
    unsafe { act_as_before(signal, info, context) }
}

/// # Safety
/// To be called from a handler of `signal` only, with what the system passed to it.
unsafe fn act_as_before(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    type Plain = extern "C" fn(libc::c_int);
    type Informed = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
    match PREVIOUS.get() {
        Some(previous) if !matches!(previous.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN) => {
            // SAFETY: A previous action that is not one of the two above is a handler, of the kind its flags say.
            unsafe {
                if previous.sa_flags & libc::SA_SIGINFO == 0 {
                    std::mem::transmute::<usize, Plain>(previous.sa_sigaction)(signal);
                } else {
                    std::mem::transmute::<usize, Informed>(previous.sa_sigaction)(signal, info, context);
                }
            }
        }
        // The instruction runs again when this returns, and this time the system ends the process.
        // SAFETY: signal is async-signal-safe, and the default action is always valid.
        _ => unsafe {
            libc::signal(signal, libc::SIG_DFL);
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Output};

    use stethoscope_core::source::ByteSource;

    use crate::files::MappedFile;

    const CHILD: &str = "STETHOSCOPE_TEST_TO_BE_KILLED";

    /// Runs one test of this binary again, as a process of its own that may die.
    fn run_as_child(test: &str) -> Output {
        let module = module_path!().split_once("::").unwrap().1;
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("{module}::{test}"), "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap()
    }

    #[test]
    fn a_mapped_file_that_is_cut_short_ends_in_a_message_and_exit_code_1() {
        if std::env::var_os(CHILD).is_none() {
            let output = run_as_child("a_mapped_file_that_is_cut_short_ends_in_a_message_and_exit_code_1");
            let message = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{message}");
            assert!(message.contains("cut.safetensors was cut short"), "{message}");
            assert!(!message.contains("panicked"), "{message}");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let [first, cut, last] = ["first", "cut", "last"].map(|name| {
            let path = folder.path().join(format!("{name}.safetensors"));
            std::fs::write(&path, vec![1_u8; 1 << 20]).unwrap();
            (MappedFile::open(&path).unwrap(), path)
        });
        let block = pollster::block_on(cut.0.read(0..1 << 20)).unwrap();
        File::options().write(true).open(&cut.1).unwrap().set_len(4096).unwrap();
        let sum: u64 = block.bytes().iter().map(|&byte| u64::from(byte)).sum();
        panic!("read {sum} bytes that are gone; {} {}", first.0.name(), last.0.name());
    }

    #[test]
    fn a_fault_elsewhere_is_left_to_the_system() {
        if std::env::var_os(CHILD).is_none() {
            let output = run_as_child("a_fault_elsewhere_is_left_to_the_system");
            assert_eq!(output.status.signal(), Some(libc::SIGBUS), "{output:?}");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ours.safetensors");
        std::fs::write(&path, vec![1_u8; 1 << 20]).unwrap();
        let ours = MappedFile::open(&path).unwrap();
        // SAFETY: The file is cut short on purpose, and the read is the fault under test.
        let theirs = unsafe { memmap2::Mmap::map(&File::open(&path).unwrap()).unwrap() };
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        panic!("read {} of {}", theirs[0], ours.name());
    }
}
