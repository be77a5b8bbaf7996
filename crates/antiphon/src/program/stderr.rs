//! Writer of standard error, on a thread of its own.
//!
//! The threads of the runtime must not wait for whoever reads standard error: a pipe that nobody
//! reads would stop the server. So lines are queued within bounds, and a thread writes them. What
//! does not fit is dropped and counted, and a line says so as soon as something can be written again.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::files::line_output::LineOutput;
use crate::files::line_queue::{LineQueue, Taken};
use crate::program::{line_rate, log_line};

/// The most bytes that wait. As many again may be with the thread that writes.
const MAX_BYTES: usize = 512 * 1024;

/// The most lines that wait.
const MAX_LINES: usize = 8192;

/// A buffer larger than this is freed after use.
const KEPT: usize = 64 * 1024;

static QUEUE: LineQueue = LineQueue::new(MAX_BYTES, MAX_LINES, KEPT);

static HAS_THREAD: AtomicBool = AtomicBool::new(false);

/// Starts the thread, unless it runs.
///
/// # Errors
///
/// The error of the system if it cannot be started. Then lines are written where they are made.
pub(super) fn start() -> io::Result<()> {
    if HAS_THREAD.swap(true, Ordering::AcqRel) {
        return Ok(());
    }
    let thread = thread::Builder::new().name("antiphon-log".to_owned());
    let started = thread.spawn(write_lines);
    if started.is_err() {
        HAS_THREAD.store(false, Ordering::Release);
    }
    started.map(drop)
}

/// Writes a line of the log, or as much of it as the longest one may have.
pub(super) struct LogWriter;

impl Write for LogWriter {
    /// The formatter of the log writes a line at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        push(&log_line::clean(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints a message of the program, which may have several lines. It ends up among the lines of the
/// log, in order.
pub(super) fn print_line(message: &dyn std::fmt::Display) {
    push(format!("{message}\n").as_bytes());
}

fn push(line: &[u8]) {
    if HAS_THREAD.load(Ordering::Acquire) {
        QUEUE.push(line);
    } else {
        let _ = io::stderr().write_all(line);
    }
}

/// Has the thread tell, a second from now, how many lines were left out.
pub(super) fn tell_later() {
    QUEUE.wake_after(line_rate::PERIOD);
}

/// Waits until everything is written, but no longer than this. For the end of the program.
pub(super) fn flush(limit: Duration) {
    line_rate::tell_all();
    if HAS_THREAD.load(Ordering::Acquire) {
        QUEUE.flush(limit);
    }
}

/// The thread that writes.
fn write_lines() {
    let mut output = LineOutput::new(io::stderr(), false);
    let mut block = Vec::new();
    let mut lost = 0;
    loop {
        match QUEUE.take(&mut block, Duration::ZERO) {
            Taken::Lines { dropped } => lost += dropped,
            Taken::Wakeup => {
                line_rate::tell_all();
                continue;
            }
            Taken::Closed => return,
        }
        lost += output.write(&block, || true).count;
        if lost > 0 && output.write(notice(lost).as_bytes(), || true).count == 0 {
            lost = 0;
        }
    }
}

/// Says that lines are missing here.
fn notice(lost: u64) -> String {
    format!(
        "antiphon: {lost} lines of the log were dropped, standard error did not take them in time\n"
    )
}
