//! Writer of standard error, on a thread of its own.
//!
//! The threads of the runtime must not wait for whoever reads standard error: a pipe that nobody
//! reads would stop the server. So lines are queued within bounds, and a thread writes them. What
//! does not fit is dropped and counted, and a line says so as soon as something can be written again.

use std::borrow::Cow;
use std::io::{self, Write};
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{line_rate, log_line};

/// The most bytes that wait. As many again may be with the thread that writes.
const MAX_BYTES: usize = 512 * 1024;

/// The most lines that wait.
const MAX_LINES: usize = 8192;

/// The most bytes of one write, unless a line is longer. Several processes may share a pipe, which
/// keeps writes up to this size whole.
const WRITE: usize = 4096;

/// A buffer larger than this is freed after use.
const KEPT: usize = 64 * 1024;

/// The pause before another attempt, if standard error does not wait for its reader.
const RETRY: Duration = Duration::from_millis(10);

static QUEUE: Queue = Queue {
    state: Mutex::new(State {
        lines: Vec::new(),
        count: 0,
        dropped: 0,
        wakeup: None,
        is_writing: false,
        has_thread: false,
    }),
    filled: Condvar::new(),
    written: Condvar::new(),
};

struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    written: Condvar,
}

struct State {
    /// Whole lines.
    lines: Vec<u8>,
    count: usize,
    dropped: u64,
    /// When to tell how many lines were left out because there were too many of their kind.
    wakeup: Option<Instant>,
    is_writing: bool,
    has_thread: bool,
}

impl State {
    /// Queues a line, or counts it if there is no room.
    fn push(&mut self, line: &[u8]) {
        if self.lines.len() + line.len() > MAX_BYTES || self.count >= MAX_LINES {
            self.dropped += 1;
        } else {
            self.lines.extend_from_slice(line);
            self.count += 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.dropped == 0
    }
}

impl Queue {
    /// No code that holds the lock can panic, but a panic hook must not depend on that.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the thread, unless it runs.
///
/// # Errors
///
/// The error of the system if it cannot be started. Then lines are written where they are made.
pub(super) fn start() -> io::Result<()> {
    let mut state = QUEUE.lock();
    if !state.has_thread {
        let thread = thread::Builder::new().name("antiphon-log".to_owned());
        thread.spawn(write_lines)?;
        state.has_thread = true;
    }
    Ok(())
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
    let mut state = QUEUE.lock();
    if !state.has_thread {
        drop(state);
        let _ = io::stderr().write_all(line);
        return;
    }
    state.push(line);
    drop(state);
    QUEUE.filled.notify_one();
}

/// Has the thread tell, a second from now, how many lines were left out.
pub(super) fn tell_later() {
    let mut state = QUEUE.lock();
    state.wakeup = state
        .wakeup
        .or_else(|| Instant::now().checked_add(line_rate::PERIOD));
    drop(state);
    QUEUE.filled.notify_one();
}

/// Waits until everything is written, but no longer than this. For the end of the program.
pub(super) fn flush(limit: Duration) {
    let began = Instant::now();
    line_rate::tell_all();
    let mut state = QUEUE.lock();
    while state.has_thread && (state.is_writing || !state.is_empty()) {
        let Some(left) = limit.checked_sub(began.elapsed()).filter(|l| !l.is_zero()) else {
            return;
        };
        let waited = QUEUE.written.wait_timeout(state, left);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// The thread that writes.
fn write_lines() {
    let mut output = Output {
        inner: io::stderr(),
        is_torn: false,
    };
    let mut block = Vec::new();
    let mut dropped = 0;
    loop {
        let mut state = QUEUE.lock();
        state.is_writing = false;
        QUEUE.written.notify_all();
        while state.is_empty() && !is_due(state.wakeup) {
            state = match state.wakeup {
                None => QUEUE
                    .filled
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(at) => {
                    let left = at.saturating_duration_since(Instant::now());
                    let waited = QUEUE.filled.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        if is_due(state.wakeup) {
            state.wakeup = None;
            drop(state);
            line_rate::tell_all();
            continue;
        }
        mem::swap(&mut block, &mut state.lines);
        state.count = 0;
        dropped += mem::take(&mut state.dropped);
        state.is_writing = true;
        drop(state);
        dropped += output.write(&block);
        if dropped > 0 && output.write_notice(dropped) {
            dropped = 0;
        }
        match block.capacity() > KEPT {
            true => block = Vec::new(),
            false => block.clear(),
        }
    }
}

fn is_due(wakeup: Option<Instant>) -> bool {
    wakeup.is_some_and(|at| at <= Instant::now())
}

/// Standard error, or what takes its place in a test.
struct Output<W> {
    inner: W,
    /// Whether a line was begun and not ended.
    is_torn: bool,
}

impl<W: Write> Output<W> {
    /// Writes whole lines. Returns how many could not be written.
    fn write(&mut self, lines: &[u8]) -> u64 {
        let mut lost = 0;
        for whole in pieces(lines) {
            let piece = match self.is_torn {
                true => Cow::Owned([b"\n", whole].concat()),
                false => Cow::Borrowed(whole),
            };
            if self.write_piece(&piece).is_err() {
                lost += whole.iter().filter(|&&byte| byte == b'\n').count() as u64;
            }
        }
        lost
    }

    fn write_piece(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut rest = piece;
        while !rest.is_empty() {
            match self.inner.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    self.is_torn = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says that lines are missing here.
    fn write_notice(&mut self, dropped: u64) -> bool {
        let notice = format!(
            "antiphon: {dropped} lines of the log were dropped, standard error did not take them in time\n"
        );
        self.write(notice.as_bytes()) == 0
    }
}

/// Cuts a text into pieces of whole lines, each at most as long as one write, or a single line.
fn pieces(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let ends = |text: &[u8]| text.iter().rposition(|&byte| byte == b'\n');
        let first = text.get(..WRITE).and_then(ends);
        let end = match text.len() <= WRITE {
            true => None,
            false => first.or_else(|| text.iter().position(|&byte| byte == b'\n')),
        };
        let (piece, rest) = text.split_at(end.map_or(text.len(), |end| end + 1));
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at most this many bytes at a time, and fails when it has taken some.
    struct Sink {
        taken: Vec<u8>,
        at_once: usize,
        fails_at: usize,
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.taken.len() >= self.fails_at {
                self.fails_at = usize::MAX;
                return Err(io::ErrorKind::StorageFull.into());
            }
            let taken = &bytes[..bytes.len().min(self.at_once)];
            self.taken.extend_from_slice(taken);
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn output(at_once: usize, fails_at: usize) -> Output<Sink> {
        Output {
            inner: Sink {
                taken: Vec::new(),
                at_once,
                fails_at,
            },
            is_torn: false,
        }
    }

    #[test]
    fn a_queue_has_bounds_and_counts_what_it_drops() {
        for (line, fits) in [
            ("x\n".repeat(512), MAX_BYTES / 1024),
            ("\n".to_owned(), MAX_LINES),
        ] {
            let mut state = State {
                lines: Vec::new(),
                count: 0,
                dropped: 0,
                wakeup: None,
                is_writing: false,
                has_thread: true,
            };
            for _ in 0..fits + 7 {
                state.push(line.as_bytes());
            }
            assert_eq!((state.count, state.dropped), (fits, 7));
            assert_eq!(state.lines.len(), fits * line.len());
        }
    }

    #[test]
    fn a_write_has_whole_lines_and_never_parts_of_them() {
        let long = format!("{}\n", "y".repeat(3 * WRITE));
        for (text, lengths) in [
            (String::new(), vec![]),
            ("a\nb\n".to_owned(), vec![4]),
            (
                "x".repeat(4000) + "\n" + &"z".repeat(200) + "\n",
                vec![4001, 201],
            ),
            (long.clone() + "a\n", vec![long.len(), 2]),
            ("a\n".to_owned() + &long, vec![2, long.len()]),
        ] {
            let pieces: Vec<_> = pieces(text.as_bytes()).collect();
            assert_eq!(pieces.iter().map(|p| p.len()).collect::<Vec<_>>(), lengths);
            assert_eq!(pieces.concat(), text.as_bytes());
        }
    }

    #[test]
    fn a_line_that_was_torn_by_an_error_is_ended_before_the_next_one() {
        let mut output = output(2, 4);
        assert_eq!(output.write(b"abcdef\n"), 1);
        assert_eq!(output.write(b"gh\n"), 0);
        assert!(output.write_notice(1));
        let text = String::from_utf8(output.inner.taken).unwrap();
        assert!(text.starts_with("abcd\ngh\nantiphon: 1 lines"), "{text}");
    }
}
