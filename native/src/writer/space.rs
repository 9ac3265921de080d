//! How much a disk still holds.

use std::path::Path;

use super::WriteError;

/// Refuses to begin what would fill the disk that `folder` is on.
pub fn check(folder: &Path, needed: u64) -> Result<(), WriteError> {
    match available(folder) {
        Some(available) if available < needed => {
            Err(WriteError::NoSpace { folder: folder.to_owned(), needed, available })
        }
        _ => Ok(()),
    }
}

/// Bytes that this user may still write there; none where the system does not say.
#[cfg(unix)]
fn available(folder: &Path) -> Option<u64> {
    use std::ffi::CString;
    use std::mem::MaybeUninit;
    use std::os::unix::ffi::OsStrExt as _;

    let path = CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut found = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: The path ends in a NUL, and the struct is written before it is read, if the call says so.
    let found = unsafe { (libc::statvfs(path.as_ptr(), found.as_mut_ptr()) == 0).then(|| found.assume_init()) }?;
    (found.f_bavail as u64).checked_mul(found.f_frsize as u64)
}

#[cfg(not(unix))]
const fn available(_folder: &Path) -> Option<u64> {
    None
}
