//! Return of memory to the system.
//!
//! The C library of Linux takes large buffers from the system and returns them when they are freed.
//! What counts as large grows with each buffer that is freed, up to 32 MiB; so after large messages
//! the memory of the next ones stays with the process. Only the environment at the start can fix the
//! size, so the program executes itself once more with it. The process stays the same.

/// The variable of the C library.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MMAP_THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";

/// Buffers of this size and above are returned when they are freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const BYTES: &str = "262144";

/// Executes this program again with a fixed size of large buffers, unless the environment has one.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn return_memory() {
    use std::os::unix::process::CommandExt as _;

    if std::env::var_os(MMAP_THRESHOLD).is_some() {
        return;
    }
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // It only returns if it fails; then this process serves as it is.
    let _ = again.args(arguments).env(MMAP_THRESHOLD, BYTES).exec();
}

/// Other systems need nothing.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn return_memory() {}
