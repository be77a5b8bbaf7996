//! What a worker tells its supervisor about itself, again and again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::vitals::Vitals;

/// What the system counts processor time in, in milliseconds.
const TICK: u64 = 10;

/// One sign of life.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
pub(crate) struct Report {
    /// Calls and notifications since the start, and those of them that ended with an error.
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    /// Calls that wait right now.
    pub(crate) in_flight: usize,
    /// Connections that are open, and those since the start.
    pub(crate) connections: usize,
    pub(crate) accepted: usize,
    pub(crate) system: System,
}

/// What the system says about a process.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
pub(crate) struct System {
    /// Resident and virtual memory, in bytes.
    pub(crate) memory: u64,
    pub(crate) memory_virtual: u64,
    /// Time on a processor since the start, in seconds.
    pub(crate) cpu_seconds: f64,
    pub(crate) num_threads: u64,
}

impl Report {
    pub(crate) fn of(server: &Vitals) -> Self {
        let counts = server.counts();
        Self {
            calls: counts.calls,
            errors: counts.errors,
            in_flight: counts.in_flight,
            connections: counts.connections,
            accepted: counts.accepted,
            system: System::now(),
        }
    }
}

impl System {
    /// As it is for this process. All zero where the system cannot be asked.
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
        // The name of the program stands before it, in brackets, and may hold anything.
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
