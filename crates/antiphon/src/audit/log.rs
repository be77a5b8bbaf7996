//! The queue of an audit log, and the thread that writes it.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use std::{fmt, io, thread};

use antiphon_proto::ErrorCode;

use super::file::{self, Target};
use super::line::{self, Line};
use crate::call_origin::CallerId;
use crate::files::line_output::LineOutput;
use crate::files::line_queue::{LineQueue, Taken};
use crate::identity::AuthenticationError;

/// The most bytes that wait to be written. As many again may be with the thread that writes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The most lines that wait to be written.
const MAX_LINES: usize = 32 * 1024;

/// How long lines gather before they are written together, unless half of the queue is full.
const GATHER: Duration = Duration::from_millis(20);

/// A buffer larger than this is freed after use.
const KEPT: usize = 256 * 1024;

/// How often the log of the program tells of lines that were dropped.
const TELL: Duration = Duration::from_secs(1);

/// How long the last lines may take at the end.
const LAST_LINES: Duration = Duration::from_secs(1);

/// A log with one line of JSON for each call, in a file or a pipe.
///
/// [`Server::audit_log`](crate::Server::audit_log) and `--audit-log` make one. For a mounted service
/// pass it to [`HttpService::audit_log`](crate::HttpService::audit_log). Clones write to the same
/// file.
///
/// ```json
/// {"time":"2026-11-30T12:05:28.428780Z","subject":"alice","admin":false,"address":"192.0.2.1","transport":"http","connection":17,"method":"calc.add","code":0,"microseconds":42,"bytesIn":5,"bytesOut":38,"traceId":null}
/// ```
///
/// | member | value |
/// |---|---|
/// | `time` | when the call ended, in UTC |
/// | `subject` | the caller's identity when the call began; `null` for an anonymous one |
/// | `admin` | whether the caller has shown the admin token |
/// | `address` | the client's IP address; `null` if the transport has none |
/// | `transport`, `connection` | how the call came, and the number of its connection in the log |
/// | `method` | the name as the caller wrote it, also of a method that does not exist |
/// | `code` | 0 for a result, or the code of the error; −32800 if the caller has gone before |
/// | `microseconds` | from the start of the call to its outcome |
/// | `bytesIn`, `bytesOut` | the length of the parameters, and of the response |
/// | `traceId` | that of the caller's `traceparent` |
///
/// Each call of a batch has a line, each notification, and each call that is refused before it runs.
/// Credentials that are refused have one, too, without a method: −32006, or −32005 after too many. Messages that are no
/// calls have none. A line never has parameters, results, or credentials. Texts are cut after
/// 1 KiB.
///
/// # Bounds
///
/// No call waits for the log. A thread of its own writes the lines, within 20 milliseconds. At most
/// 32,768 lines and 4 MiB wait for it, and as many again are with it. What does not fit, and what the
/// system does not take, is dropped and counted: in the log of the program, in the metric
/// `antiphon_audit_missing_total`, and in the file itself as `{"time":…,"missingLines":3}`.
///
/// When the last clone is dropped, the thread writes the last lines, in at most a second. Nobody waits for
/// it: a program that ends then calls [`flush`](Self::flush) before. A server does so when it stops.
#[derive(Clone)]
pub struct AuditLog(Arc<Handle>);

/// Ends the thread with the last clone.
struct Handle(Arc<Shared>);

/// What the thread shares with those that make lines.
struct Shared {
    queue: LineQueue,
    path: PathBuf,
    /// A file that was opened to take the place of the current one.
    next: Mutex<Option<LineOutput<Target>>>,
    /// Lines that were dropped, or could not be written.
    missing: Arc<AtomicU64>,
    /// When the thread has to stop trying.
    end: OnceLock<Instant>,
}

impl AuditLog {
    /// Opens a file to append to, and starts the thread. `-` stands for standard output.
    ///
    /// A new file can be read by its owner only. A link is not followed. A named pipe needs a reader, also
    /// when a worker process starts later. It may stop reading, which only costs lines.
    ///
    /// # Errors
    ///
    /// The error of the system if the file cannot be opened, or is a directory or a socket.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let output = file::open(&path)?;
        let shared = Arc::new(Shared {
            queue: LineQueue::new(MAX_BYTES, MAX_LINES, KEPT),
            path,
            next: Mutex::default(),
            missing: Arc::default(),
            end: OnceLock::new(),
        });
        let thread = thread::Builder::new().name("antiphon-audit".to_owned());
        let written = Arc::clone(&shared);
        thread.spawn(move || written.write_lines(output))?;
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// Opens the file again, for a program that moves full ones away. A server does so on every reload.
    ///
    /// # Errors
    ///
    /// The error of the system. Then the file stays that is open.
    pub fn reopen(&self) -> io::Result<()> {
        let shared = &self.0.0;
        let output = file::open(&shared.path)?;
        *lock(&shared.next) = Some(output);
        Ok(())
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.0.path
    }

    /// How many lines were dropped.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.0.0.missing.load(Ordering::Relaxed)
    }

    /// The counter of lines that were dropped.
    pub(crate) fn missing_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0.0.missing)
    }

    /// Waits until everything is written, but no longer than this. It blocks the thread.
    pub fn flush(&self, limit: Duration) {
        self.0.0.queue.flush(limit);
    }

    /// Queues a line.
    pub(super) fn push(&self, line: &str) {
        let shared = &self.0.0;
        if !shared.queue.push(line.as_bytes()) {
            shared.missing.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes that credentials were refused, unless they could not be checked.
    pub(crate) fn refused_credentials(&self, caller: CallerId, error: &AuthenticationError) {
        let code = match error.retry_after() {
            Some(_) => ErrorCode::LIMIT_EXCEEDED,
            None if error.is_unavailable() => return,
            None => ErrorCode::UNAUTHENTICATED,
        };
        let line = Line {
            time: SystemTime::now(),
            subject: None,
            admin: false,
            address: caller.client,
            transport: caller.transport,
            connection: caller.connection,
            method: None,
            code: code.0,
            microseconds: 0,
            received: 0,
            sent: 0,
            traceparent: None,
        };
        self.push(&line.to_json());
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.end.get_or_init(|| Instant::now() + LAST_LINES);
        self.0.queue.close();
    }
}

impl Shared {
    /// The thread that writes.
    fn write_lines(&self, mut output: LineOutput<Target>) {
        let mut block = Vec::new();
        // Lines that are missing at this point of the file, and were not told there.
        let missing = Cell::new(0);
        let told = Cell::new(None);
        // A full pipe is tried again until there is another file, or no time left.
        let waits = || {
            if told.get().is_none_or(|at: Instant| at.elapsed() >= TELL) {
                told.set(Some(Instant::now()));
                missing.set(missing.get() + tell_dropped(self.queue.take_dropped()));
            }
            lock(&self.next).is_none() && self.end.get().is_none_or(|end| Instant::now() < *end)
        };
        loop {
            let dropped = match self.queue.take(&mut block, GATHER) {
                Taken::Lines { dropped } => dropped,
                Taken::Wakeup => 0,
                Taken::Closed => return,
            };
            if let Some(next) = lock(&self.next).take() {
                output = next;
            }
            let lost = output.write(&block, waits);
            if let Some(error) = lost.error {
                let lines = lost.count;
                self.missing.fetch_add(lines, Ordering::Relaxed);
                tracing::error!("{lines} lines of the audit log could not be written: {error}");
            }
            let untold = missing.get() + tell_dropped(dropped) + lost.count;
            let is_told =
                untold == 0 || output.write(line::missing(untold).as_bytes(), waits).count == 0;
            missing.set(if is_told { 0 } else { untold });
        }
    }
}

/// Tells the log of the program how many lines were dropped, and returns it.
fn tell_dropped(lines: u64) -> u64 {
    if lines > 0 {
        tracing::error!("{lines} lines of the audit log were dropped: it is not written in time");
    }
    lines
}

/// No code that holds one of these locks can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog")
            .field("path", &self.path())
            .field("missing", &self.missing())
            .finish_non_exhaustive()
    }
}
