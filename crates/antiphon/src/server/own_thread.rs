//! Work that blocks, on a thread of its own.
//!
//! The threads that the runtime has for such work may all be with methods that do not return.

use std::io;
use std::thread;

use tokio::sync::oneshot;

/// Runs it, and waits for it.
///
/// # Errors
///
/// The error of the system if there can be no thread, or `Other` if the work has panicked.
pub(crate) async fn on_own_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // Whoever waits may have gone.
            let _ = done.send(work());
        })?;
    result.await.map_err(io::Error::other)
}
