//! Memory that is let go of and wanted again a moment later, in every step.

/// While this lives, what the program lets go of stays its own. The C library's allocator otherwise gives large blocks back to the
/// system at once and asks for new ones, of which every page is made and cleared again: half of the time of a step.
pub struct RecycledMemory(());

impl RecycledMemory {
    /// From now on. Other systems' allocators are left as they are.
    pub fn new() -> Self {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        // SAFETY: `mallopt` may be called at any time, by any thread; refused settings change nothing.
        unsafe {
            libc::mallopt(libc::M_MMAP_MAX, 0);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
        Self(())
    }
}

impl Drop for RecycledMemory {
    fn drop(&mut self) {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        // SAFETY: as above; these are the settings that the C library begins with. Trimming gives back what nothing lives in.
        unsafe {
            libc::mallopt(libc::M_MMAP_MAX, 1 << 16);
            libc::mallopt(libc::M_TRIM_THRESHOLD, 128 << 10);
            libc::mallopt(libc::M_ARENA_MAX, 0);
            libc::malloc_trim(0);
        }
    }
}
