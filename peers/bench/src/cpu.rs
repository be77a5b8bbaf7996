//! CPU time of a process as reported by the kernel, and CPU pinning of child processes.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;

/// `USER_HZ`, the unit of `/proc/PID/stat`: 100 per second on Linux, independent of the kernel's
/// tick.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds that all threads of a process have used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    pub(crate) user: f64,
    pub(crate) kernel: f64,
}

impl CpuTime {
    /// The sum of several processes, such as the workers of a server.
    pub(crate) fn of_all(pids: &[u32]) -> Result<Self, Failure> {
        pids.iter().try_fold(Self::default(), |sum, &pid| {
            let one = Self::of(pid)?;
            Ok(Self {
                user: sum.user + one.user,
                kernel: sum.kernel + one.kernel,
            })
        })
    }

    /// Reads `utime` and `stime` of a process.
    fn of(pid: u32) -> Result<Self, Failure> {
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

/// Pins programs to cores, if `taskset` (util-linux) is available. Programs that are not told when
/// this process ends are ended by `setpriv` (also util-linux), if it is available.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pinning {
    taskset: bool,
    setpriv: bool,
}

impl Pinning {
    pub(crate) fn detect() -> Self {
        Self {
            taskset: succeeds(&["taskset", "-c", "1", "true"]),
            setpriv: succeeds(&["setpriv", "--pdeathsig", "TERM", "true"]),
        }
    }

    /// A sentence about pinning for the output above the tables.
    pub(crate) fn sentence(self) -> &'static str {
        if self.taskset {
            "the measured server on core 0 (with several threads or workers: on as many cores, from core 0), load and clients on core 1"
        } else {
            "nothing pinned, because `taskset` or a second core is missing: take the figures with care"
        }
    }

    /// Pins a program to so many cores, from `first`. `taskset` replaces itself with the program, so
    /// the child's pid is that of the program.
    pub(crate) fn command(self, first: usize, cores: usize, program: &Path) -> Command {
        self.prefixed(first, cores, &[], program)
    }

    /// As [`command`](Self::command), but the program gets SIGTERM when this process ends in any
    /// way.
    pub(crate) fn ending_command(self, first: usize, cores: usize, program: &Path) -> Command {
        let setpriv: &[&str] = match self.setpriv {
            true => &["setpriv", "--pdeathsig", "TERM"],
            false => &[],
        };
        self.prefixed(first, cores, setpriv, program)
    }

    fn prefixed(self, first: usize, cores: usize, prefix: &[&str], program: &Path) -> Command {
        let mut words: Vec<OsString> = Vec::new();
        if self.taskset {
            let range = format!("{first}-{}", first + cores.max(1) - 1);
            words.extend(["taskset", "-c", &range].map(Into::into));
        }
        words.extend(prefix.iter().map(Into::into));
        words.push(program.into());
        let mut command = Command::new(words.remove(0));
        command.args(words);
        command
    }
}

/// Whether a command ends with success.
fn succeeds(words: &[&str]) -> bool {
    let status = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
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
    fn reads_this_process_and_sums() {
        let this = std::process::id();
        CpuTime::of_all(&[this, this]).unwrap();
        assert_eq!(CpuTime::of_all(&[]).unwrap().user, 0.0);
        CpuTime::of_all(&[this, 0]).unwrap_err();
    }

    #[test]
    fn programs_are_pinned_and_end_with_this_process() {
        let check = |taskset, setpriv, cores, expected: &str| {
            let pinning = Pinning { taskset, setpriv };
            let command = pinning.ending_command(0, cores, Path::new("server"));
            assert_eq!(format!("{command:?}").replace('"', ""), expected);
        };
        check(false, false, 2, "server");
        check(true, false, 1, "taskset -c 0-0 server");
        check(false, true, 1, "setpriv --pdeathsig TERM server");
        check(
            true,
            true,
            2,
            "taskset -c 0-1 setpriv --pdeathsig TERM server",
        );
    }
}
