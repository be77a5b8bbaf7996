//! Runtime of a program.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::server::ServeError;

/// How long blocking work may go on when everything else has ended.
const LAST_BLOCKING: Duration = Duration::from_millis(200);

/// Runs a future to its end on a runtime of its own.
pub(super) fn block_on(
    threads: usize,
    future: impl Future<Output = Result<(), ServeError>>,
) -> Result<(), ServeError> {
    let runtime = runtime(threads)?;
    let served = runtime.block_on(future);
    runtime.shutdown_timeout(LAST_BLOCKING);
    served
}

/// One thread needs no scheduler that steals work between threads.
fn runtime(threads: usize) -> std::io::Result<Runtime> {
    let mut builder = match threads {
        0 | 1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()
}
