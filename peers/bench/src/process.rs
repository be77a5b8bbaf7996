//! Process statistics from the kernel: memory, limit of open files, and state of a connection.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Failure;

/// Resident memory in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<f64, Failure> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .map_err(|error| format!("memory of process {pid}: {error}"))?;
    parse_resident(&text).ok_or_else(|| format!("/proc/{pid}/status cannot be read").into())
}

fn parse_resident(status: &str) -> Option<f64> {
    let rest = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    rest.trim().strip_suffix(" kB")?.parse().ok()
}

/// Raises the limit of open files to the maximum that the system grants, which must be at least
/// `needed`.
pub(crate) fn allow_files(needed: u64) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        return Err(format!("{needed} open files are not allowed here (ulimit -Hn)").into());
    }
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum.or(Some(needed)),
            maximum: limit.maximum,
        },
    )?;
    Ok(())
}

/// Whether the server's end of a connection between two local IPv4 ports is still established. A
/// client that does not read never sees the end of the stream, which is behind the unread bytes;
/// the kernel's table shows it.
pub(crate) fn holds(server_port: u16, client_port: u16) -> Result<bool, Failure> {
    let table = std::fs::read_to_string("/proc/net/tcp")?;
    Ok(table
        .lines()
        .any(|line| is_established(line, server_port, client_port)))
}

/// Parses a line of the kernel's TCP table. Its first fields are number, local address, remote
/// address and state; 01 is established.
fn is_established(line: &str, local: u16, remote: u16) -> bool {
    let fields: Vec<&str> = line.split_ascii_whitespace().take(4).collect();
    let port = |field: &str| u16::from_str_radix(field.rsplit(':').next()?, 16).ok();
    matches!(fields[..], [_, ours, theirs, "01"]
        if port(ours) == Some(local) && port(theirs) == Some(remote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_memory() {
        let text = "Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t    1520 kB\n";
        assert_eq!(parse_resident(text), Some(1520.0));
        assert!(resident_kib(std::process::id()).unwrap() > 0.0);
    }

    #[test]
    fn reads_a_line_of_the_table() {
        let line = "   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:0 0 0 0 1";
        assert!(is_established(line, 8080, 50000));
        assert!(!is_established(line, 50000, 8080));
        let closing = line.replace(" 01 ", " 04 ");
        assert!(!is_established(&closing, 8080, 50000));
        assert!(!is_established("  sl  local_address rem_address", 1, 2));
    }
}
