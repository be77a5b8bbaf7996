//! Log on standard error.

use std::io::IsTerminal;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::program::line_rate::RateLimit;
use crate::program::stderr::{self, LogWriter};
use crate::server::ServeError;

/// What is in the log. The NATS library tells of each connection what this program tells, too.
const DEFAULT: &str = "info,async_nats=warn";

/// Sends the log to standard error, without waiting for its reader, unless the program has set up its own log.
pub(super) fn log_to_stderr(filter: Option<&str>) -> Result<(), ServeError> {
    let filter: Targets = filter.unwrap_or(DEFAULT).parse().map_err(|error| {
        ServeError::BadSetting(format!("the log level cannot be read: {error}"))
    })?;
    stderr::start()?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| LogWriter)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    // Fails if the program has already set a global subscriber, which then stays in use.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(RateLimit {
            tell_later: stderr::tell_later,
        })
        .with(lines)
        .try_init();
    Ok(())
}
