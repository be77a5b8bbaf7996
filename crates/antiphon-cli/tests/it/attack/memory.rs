//! Memory of processes, as the system tells it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

/// Bytes in a mebibyte.
const MIB: u64 = 1 << 20;

/// The anonymous memory of a process that is resident, in bytes; 0 if there is no such process.
/// The pages of files, which include the program itself, are not counted: the system can take them
/// back, and they come with the first call of a function.
pub(crate) fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}

/// The memory of all these processes.
pub(crate) fn resident_of(processes: &[u32]) -> u64 {
    processes.iter().map(|process| resident(*process)).sum()
}

/// How much more `now` is than `before`, in MiB.
pub(crate) fn more(now: u64, before: u64) -> u64 {
    now.saturating_sub(before).div_ceil(MIB)
}

/// A thread that looks at the memory of processes all the time.
pub(crate) struct Sampler {
    most: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    pub(crate) fn start(processes: Vec<u32>) -> Self {
        let (most, ended) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (seen, stop) = (Arc::clone(&most), Arc::clone(&ended));
        let thread = spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                seen.fetch_max(resident_of(&processes), Ordering::Relaxed);
                sleep(Duration::from_millis(5));
            }
        });
        Self {
            most,
            ended,
            thread: Some(thread),
        }
    }

    /// The most that was seen.
    pub(crate) fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
