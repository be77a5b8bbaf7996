//! Log and messages on standard error.

use std::io::{IsTerminal, Write};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::server::ServeError;

/// Prints a line to stderr. Unlike `eprintln!`, it does not panic if stderr is closed.
pub(super) fn print_line(line: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Sends the log to standard error, unless the program has set up its own log.
pub(super) fn log_to_stderr(filter: Option<&str>) -> Result<(), ServeError> {
    let filter: Targets = filter.unwrap_or("info").parse().map_err(|error| {
        ServeError::BadSetting(format!("the log level cannot be read: {error}"))
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    // Fails if the program has already set a global subscriber, which then stays in use.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init();
    Ok(())
}
