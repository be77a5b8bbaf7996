//! Bounded queue of lines, which one thread writes.
//!
//! Those that make lines must not wait for the disk, nor for whoever reads a pipe. So lines are queued
//! within bounds, and a thread of its own writes them. What does not fit is dropped and counted.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lines that wait for their thread.
#[derive(Debug)]
pub(crate) struct LineQueue {
    state: Mutex<State>,
    /// For the thread.
    filled: Condvar,
    /// For those that wait until everything is written.
    written: Condvar,
    max_bytes: usize,
    max_lines: usize,
    /// A block larger than this is freed after use.
    max_kept: usize,
}

#[derive(Debug)]
struct State {
    /// Whole lines.
    lines: Vec<u8>,
    count: usize,
    dropped: u64,
    /// When the thread has something else to do.
    wakeup: Option<Instant>,
    thread: Thread,
    /// Whether somebody waits until everything is written.
    is_flushing: bool,
    is_closed: bool,
}

/// What the thread does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Thread {
    /// It waits for a line.
    Waits,
    /// It lets lines gather.
    Gathers,
    /// It writes, or has not started.
    Writes,
}

/// Why the thread goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// There are lines in the block, or lines were dropped, as many as this.
    Lines { dropped: u64 },
    /// The time of [`LineQueue::wake_at`] has come.
    Wakeup,
    /// The queue is closed, and empty.
    Closed,
}

impl LineQueue {
    /// A queue for at most this many bytes, and lines, whose thread keeps a block of so many bytes.
    pub(crate) const fn new(max_bytes: usize, max_lines: usize, max_kept: usize) -> Self {
        Self {
            state: Mutex::new(State {
                lines: Vec::new(),
                count: 0,
                dropped: 0,
                wakeup: None,
                thread: Thread::Writes,
                is_flushing: false,
                is_closed: false,
            }),
            filled: Condvar::new(),
            written: Condvar::new(),
            max_bytes,
            max_lines,
            max_kept,
        }
    }

    /// No code that holds the lock can panic, but a panic hook must not depend on that.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a line, or counts it if there is no room. Returns whether there was.
    pub(crate) fn push(&self, line: &[u8]) -> bool {
        let mut state = self.lock();
        let fits = state.lines.len() + line.len() <= self.max_bytes && state.count < self.max_lines;
        if fits {
            state.lines.extend_from_slice(line);
            state.count += 1;
        } else {
            state.dropped += 1;
        }
        let is_wanted = match state.thread {
            Thread::Waits => true,
            Thread::Gathers => self.is_half_full(&state),
            Thread::Writes => false,
        };
        drop(state);
        if is_wanted {
            self.filled.notify_one();
        }
        fits
    }

    fn is_half_full(&self, state: &State) -> bool {
        state.lines.len() >= self.max_bytes / 2 || state.count >= self.max_lines / 2
    }

    /// Takes the number of lines that were dropped, while the thread cannot write.
    pub(crate) fn take_dropped(&self) -> u64 {
        mem::take(&mut self.lock().dropped)
    }

    /// Has the thread do something else this late, or earlier if that was said before.
    pub(crate) fn wake_after(&self, time: Duration) {
        let mut state = self.lock();
        state.wakeup = state.wakeup.or_else(|| Instant::now().checked_add(time));
        drop(state);
        self.filled.notify_one();
    }

    /// Ends the thread as soon as the queue is empty.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_one();
    }

    /// Waits until everything is written, but no longer than this.
    pub(crate) fn flush(&self, limit: Duration) {
        let began = Instant::now();
        let mut state = self.lock();
        while state.thread == Thread::Writes || !state.is_empty() {
            let Some(left) = limit.checked_sub(began.elapsed()).filter(|l| !l.is_zero()) else {
                return;
            };
            state.is_flushing = true;
            self.filled.notify_one();
            let waited = self.written.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for lines, lets more of them gather for a time, and moves them into the block. For the
    /// thread; what is in the block counts as written.
    pub(crate) fn take(&self, block: &mut Vec<u8>, gather: Duration) -> Taken {
        match block.capacity() > self.max_kept {
            true => *block = Vec::new(),
            false => block.clear(),
        }
        let mut state = self.lock();
        state.thread = Thread::Waits;
        state.is_flushing &= !state.is_empty();
        self.written.notify_all();
        while state.is_empty() && !state.is_closed && !is_due(state.wakeup) {
            state = self.wait(state, None);
        }
        let gathered = Instant::now().checked_add(gather);
        while !gather.is_zero() && !state.is_hurried() && !self.is_half_full(&state) {
            if is_due(gathered) || is_due(state.wakeup) {
                break;
            }
            state.thread = Thread::Gathers;
            state = self.wait(state, gathered);
        }
        state.thread = Thread::Writes;
        if is_due(state.wakeup) {
            state.wakeup = None;
            return Taken::Wakeup;
        }
        if state.is_empty() {
            return Taken::Closed;
        }
        mem::swap(block, &mut state.lines);
        state.count = 0;
        Taken::Lines {
            dropped: mem::take(&mut state.dropped),
        }
    }

    /// Waits until the thread is notified, or until the time comes that it has something else to do.
    fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        until: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        match [state.wakeup, until].into_iter().flatten().min() {
            None => self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(at) => {
                let left = at.saturating_duration_since(Instant::now());
                let waited = self.filled.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.dropped == 0
    }

    /// Whether lines should not gather any longer.
    fn is_hurried(&self) -> bool {
        self.is_closed || self.is_flushing
    }
}

fn is_due(time: Option<Instant>) -> bool {
    time.is_some_and(|at| at <= Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    #[test]
    fn a_queue_has_bounds_and_counts_what_it_drops() {
        for (line, fits) in [("x\n".repeat(512), 64), ("\n".to_owned(), 100)] {
            let queue = LineQueue::new(64 * 1024, 100, 0);
            for _ in 0..fits + 7 {
                queue.push(line.as_bytes());
            }
            let mut block = Vec::new();
            assert_eq!(queue.take(&mut block, AT_ONCE), Taken::Lines { dropped: 7 });
            assert_eq!(block.len(), fits * line.len());
        }
    }

    #[test]
    fn what_is_queued_is_taken_before_the_end() {
        let queue = LineQueue::new(100, 100, 0);
        queue.push(b"a\n");
        queue.close();
        let mut block = Vec::new();
        // An hour to gather is over, too.
        let hour = Duration::from_secs(3600);
        assert_eq!(queue.take(&mut block, hour), Taken::Lines { dropped: 0 });
        assert_eq!(block, b"a\n");
        assert_eq!(queue.take(&mut Vec::new(), hour), Taken::Closed);
    }

    #[test]
    fn lines_gather_until_the_queue_is_half_full_or_flushed() {
        let queue = LineQueue::new(1000, 8, 0);
        let hour = Duration::from_secs(3600);
        std::thread::scope(|scope| {
            let taking = scope.spawn(|| {
                let mut counts = Vec::new();
                loop {
                    let mut block = Vec::new();
                    match queue.take(&mut block, hour) {
                        Taken::Lines { dropped: 0 } => counts.push(block.len()),
                        Taken::Wakeup => counts.push(0),
                        other => break (counts, other),
                    }
                }
            });
            for _ in 0..4 {
                queue.push(b"\n");
            }
            // The thread may not have started; then it has written nothing.
            queue.flush(hour);
            queue.push(b"\n");
            queue.flush(hour);
            queue.wake_after(AT_ONCE);
            queue.close();
            let (counts, last) = taking.join().unwrap();
            assert_eq!(counts.iter().sum::<usize>(), 5);
            assert!(counts.contains(&0), "it was woken");
            assert_eq!(last, Taken::Closed);
        });
    }

    #[test]
    fn nobody_waits_longer_than_said_for_lines_that_nobody_writes() {
        let queue = LineQueue::new(100, 100, 0);
        queue.push(b"a\n");
        queue.flush(Duration::from_millis(1));
        let mut block = Vec::new();
        queue.take(&mut block, AT_ONCE);
        assert_eq!(block, b"a\n");
    }
}
