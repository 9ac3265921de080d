//! Copying a stretch of one file into another without its bytes passing through this program.

use std::fs::File;
use std::io;

/// Copies as much of `length` bytes as the system does at once; 0 where it cannot copy so between these files.
///
/// Where the file system can share blocks between files, no byte is copied at all.
#[cfg(target_os = "linux")]
pub fn copy_range(from: &File, from_start: u64, to: &File, to_start: u64, length: u64) -> io::Result<u64> {
    use std::os::fd::AsRawFd as _;

    let offset = |at: u64| libc::off64_t::try_from(at).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge));
    let (mut from_at, mut to_at) = (offset(from_start)?, offset(to_start)?);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    // SAFETY: Both descriptors are open as long as their files are borrowed, and the offsets outlive the call.
    let copied =
        unsafe { libc::copy_file_range(from.as_raw_fd(), &raw mut from_at, to.as_raw_fd(), &raw mut to_at, length, 0) };
    match u64::try_from(copied) {
        Ok(copied) => Ok(copied),
        Err(_) => {
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                // Between two file systems, on an old kernel, or forbidden in a sandbox: bytes are then read and written.
                Some(libc::EXDEV | libc::ENOSYS | libc::EINVAL | libc::EOPNOTSUPP | libc::EPERM | libc::EBADF) => Ok(0),
                Some(libc::EINTR) => copy_range(from, from_start, to, to_start, length as u64),
                _ => Err(error),
            }
        }
    }
}

/// Other systems have no such call.
#[cfg(not(target_os = "linux"))]
pub const fn copy_range(_from: &File, _from_start: u64, _to: &File, _to_start: u64, _length: u64) -> io::Result<u64> {
    Ok(0)
}

/// Has two files share blocks, if their file system can; says whether they do. Places and length are multiples of its blocks.
#[cfg(target_os = "linux")]
pub fn share_range(from: &File, from_start: u64, to: &File, to_start: u64, length: u64) -> bool {
    use std::os::fd::AsRawFd as _;

    let range = libc::file_clone_range {
        src_fd: from.as_raw_fd().into(),
        src_offset: from_start,
        src_length: length,
        dest_offset: to_start,
    };
    // SAFETY: Both descriptors are open as long as their files are borrowed, and the struct outlives the call.
    unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONERANGE as _, &raw const range) == 0 }
}

/// Other systems share blocks in ways of their own.
#[cfg(not(target_os = "linux"))]
pub const fn share_range(_from: &File, _from_start: u64, _to: &File, _to_start: u64, _length: u64) -> bool {
    false
}

/// Has the system begin to bring bytes that were written to the disk, so that waiting for them takes less in the end.
#[cfg(target_os = "linux")]
pub fn start_writing(file: &File, at: u64, length: u64) {
    use std::os::fd::AsRawFd as _;

    if let (Ok(at), Ok(length)) = (libc::off64_t::try_from(at), libc::off64_t::try_from(length)) {
        // SAFETY: The descriptor is open as long as its file is borrowed. It is a hint: what it says does not matter.
        let _ = unsafe { libc::sync_file_range(file.as_raw_fd(), at, length, libc::SYNC_FILE_RANGE_WRITE) };
    }
}

/// Other systems have no such hint.
#[cfg(not(target_os = "linux"))]
pub const fn start_writing(_file: &File, _at: u64, _length: u64) {}

/// Writes all of some bytes at a place in a file.
#[cfg(unix)]
pub fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

/// Writes all of some bytes at a place in a file.
#[cfg(windows)]
pub fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, at)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => {
                bytes = &bytes[count..];
                at += count as u64;
            }
        }
    }
    Ok(())
}
