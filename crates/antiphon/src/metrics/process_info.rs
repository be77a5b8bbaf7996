//! Information about this process from the operating system: memory, CPU time, threads.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Length of a clock tick in milliseconds (`USER_HZ` is 100).
const TICK: u64 = 10;

/// Resource usage of a process.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
pub(crate) struct ProcessInfo {
    /// Resident and virtual memory, in bytes.
    pub(crate) memory: u64,
    pub(crate) memory_virtual: u64,
    /// CPU time since the start, in seconds.
    pub(crate) cpu_seconds: f64,
    pub(crate) num_threads: u64,
}

impl ProcessInfo {
    /// The current values of this process. All are zero on systems without `/proc`.
    pub(crate) fn now() -> Self {
        Self::read().unwrap_or_default()
    }

    fn read() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The program's name comes first, in parentheses, and may contain anything, even
        // parentheses. The fields wanted are utime and stime.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        let ticks = ticks()? + ticks()?;
        Some(Self {
            memory: field("VmRSS:")? * 1024,
            memory_virtual: field("VmSize:")? * 1024,
            cpu_seconds: Duration::from_millis(ticks * TICK).as_secs_f64(),
            num_threads: field("Threads:")?,
        })
    }
}
