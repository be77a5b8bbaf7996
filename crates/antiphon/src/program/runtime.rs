//! Tokio runtime of a program.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::server::ServeError;

/// How long blocking tasks may continue when the server has stopped.
const BLOCKING_GRACE: Duration = Duration::from_millis(200);

/// Runs a future to completion on a new runtime.
pub(super) fn block_on(
    threads: usize,
    future: impl Future<Output = Result<(), ServeError>>,
) -> Result<(), ServeError> {
    let runtime = runtime(threads)?;
    let served = runtime.block_on(future);
    runtime.shutdown_timeout(BLOCKING_GRACE);
    served
}

/// Builds the runtime. For one thread, the current-thread scheduler avoids the cost of work
/// stealing.
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
