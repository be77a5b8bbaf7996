//! Process statistics from the kernel: memory, limit of open files, and state of a connection.

use std::collections::HashSet;

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

/// Raises the limit of open files to the maximum that the system grants.
pub(crate) fn allow_all_files() -> Result<(), Failure> {
    allow_files(0)
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

/// A process and its children, which are the workers of a server.
pub(crate) fn with_children(pid: u32) -> Result<Vec<u32>, Failure> {
    let mut pids = vec![pid];
    for entry in std::fs::read_dir("/proc")? {
        let Some(other) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // A process that has ended meanwhile is none of the children that matter.
        let stat = std::fs::read_to_string(format!("/proc/{other}/stat")).unwrap_or_default();
        if parse_parent(&stat) == Some(pid) {
            pids.push(other);
        }
    }
    Ok(pids)
}

/// The fields after the program name in parentheses are the state and the parent.
fn parse_parent(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// How many established connections to a local port each of the processes has open.
pub(crate) fn connections_of(pids: &[u32], port: u16) -> Result<Vec<usize>, Failure> {
    let table = std::fs::read_to_string("/proc/net/tcp")?;
    let sockets: HashSet<String> = table
        .lines()
        .filter_map(|line| established_inode(line, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let mut counts = Vec::new();
    for pid in pids {
        let mut count = 0;
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
            // A file that was closed meanwhile cannot be read.
            let target = std::fs::read_link(entry?.path()).unwrap_or_default();
            count += usize::from(target.to_str().is_some_and(|name| sockets.contains(name)));
        }
        counts.push(count);
    }
    Ok(counts)
}

/// The inode in a line of the kernel's TCP table, if it is an established connection to the local
/// port. It is the tenth field.
fn established_inode(line: &str, port: u16) -> Option<&str> {
    let fields: Vec<&str> = line.split_ascii_whitespace().take(10).collect();
    let [_, local, _, "01", .., inode] = fields[..] else {
        return None;
    };
    let local = local.rsplit(':').next()?;
    (u16::from_str_radix(local, 16) == Ok(port)).then_some(inode)
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
    fn reads_parents_and_inodes() {
        assert_eq!(parse_parent("7 (a) b (c)) S 12 3 4"), Some(12));
        let this = std::process::id();
        let mut child = std::process::Command::new("sleep")
            .arg("10")
            .spawn()
            .unwrap();
        let found = with_children(this).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&this) && found.contains(&child.id()));

        let line = "   1: 0100007F:1F90 0100007F:C350 01 0:0 00:0 0 0 0 4711 1 0 20";
        assert_eq!(established_inode(line, 8080), Some("4711"));
        assert_eq!(established_inode(line, 50000), None);
        assert_eq!(established_inode(&line.replace(" 01 ", " 0A "), 8080), None);
    }

    #[test]
    fn counts_the_connections_of_this_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (server, _) = listener.accept().unwrap();
        let this = std::process::id();
        assert_eq!(connections_of(&[this, this], port).unwrap(), [1, 1]);
        drop((client, server));
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
