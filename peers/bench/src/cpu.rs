//! CPU time of a process as the kernel counts it, and pinning of child processes to a core.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;

/// `USER_HZ`: the unit of `/proc/PID/stat`, 100 a second on Linux whatever the kernel's own tick.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds a process has used so far, all its threads together.
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

    /// The second field is the program's name in parentheses and may hold anything, so
    /// counting starts behind the last parenthesis: there stands field 3.
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

/// Starts programs on one core each, where `taskset` (util-linux) is there to do it.
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

    /// One sentence for the head of the table.
    pub(crate) fn sentence(self) -> &'static str {
        if self.taskset {
            "the measured server on core 0, load and clients on core 1"
        } else {
            "nothing pinned, because `taskset` or a second core is missing: take the figures with care"
        }
    }

    /// `taskset` replaces itself by the program, so the child's pid is the program's.
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
