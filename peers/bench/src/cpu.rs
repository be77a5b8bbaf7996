//! CPU time of a process as reported by the kernel, and CPU pinning of child processes.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;

/// `USER_HZ`, the unit of `/proc/PID/stat`: 100 per second on Linux, independent of the kernel's
/// tick.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds that all threads of a process have used so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuTime {
    pub(crate) user: f64,
    pub(crate) kernel: f64,
}

impl CpuTime {
    /// Reads `utime` and `stime` of a process.
    pub(crate) fn of(pid: u32) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .map_err(|error| format!("CPU time of process {pid}: {error}"))?;
        Self::parse(&text).ok_or_else(|| format!("/proc/{pid}/stat cannot be read").into())
    }

    /// The second field is the program name in parentheses, which may contain any characters. So
    /// parsing starts after the last parenthesis, at field 3.
    fn parse(stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace().skip(14 - 3);
        let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? / TICKS_PER_SECOND);
        Some(Self {
            user: seconds()?,
            kernel: seconds()?,
        })
    }
}

/// Pins programs to one core each, if `taskset` (util-linux) is available.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pinning {
    taskset: bool,
}

impl Pinning {
    pub(crate) fn detect() -> Self {
        let taskset = Command::new("taskset")
            .args(["-c", "1", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        Self {
            taskset: taskset.is_ok_and(|status| status.success()),
        }
    }

    /// A sentence about pinning for the output above the tables.
    pub(crate) fn sentence(self) -> &'static str {
        if self.taskset {
            "the measured server on core 0, load and clients on core 1"
        } else {
            "nothing pinned, because `taskset` or a second core is missing: take the figures with care"
        }
    }

    /// `taskset` replaces itself with the program, so the child's pid is that of the program.
    pub(crate) fn command(self, core: u32, program: &Path) -> Command {
        if !self.taskset {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.arg("-c").arg(core.to_string()).arg(program);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_right_fields_behind_an_odd_name() {
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 31 0 0 20 0 1 0";
        let time = CpuTime::parse(stat).unwrap();
        assert_eq!((time.user, time.kernel), (2.5, 0.31));
    }

    #[test]
    fn reads_this_process() {
        CpuTime::of(std::process::id()).unwrap();
    }
}
