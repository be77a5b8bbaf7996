//! Groups of the system, by name or number.

use std::io;
use std::path::Path;

use crate::files::read::{open, read};

/// The groups of this machine.
const GROUPS: &str = "/etc/group";

/// Size limit of that file in bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// The number of a group.
///
/// Names are looked up in `/etc/group` alone. A directory service would have to be asked over the
/// network, for a time that nobody knows; its groups go by their number.
///
/// # Errors
///
/// `NotFound` if there is no such group; or the error of the system.
pub(super) fn number(group: &str) -> io::Result<u32> {
    if group.bytes().all(|byte| byte.is_ascii_digit()) {
        // The last number means "as before" to the system.
        let number = group.parse().ok().filter(|number| *number != u32::MAX);
        return number.ok_or_else(|| missing(format!("{group} is no number of a group")));
    }
    let content = read(&open(Path::new(GROUPS))?, MAX_FILE)?;
    find(&String::from_utf8_lossy(&content), group).ok_or_else(|| {
        missing(format!(
            "there is no group {group} in {GROUPS}; a group from elsewhere goes by its number"
        ))
    })
}

/// The number of a group in lines of `NAME:PASSWORD:NUMBER:MEMBERS`.
fn find(lines: &str, group: &str) -> Option<u32> {
    lines.lines().find_map(|line| {
        let mut members = line.split(':');
        let is_it = members.next() == Some(group);
        let number = members.nth(1)?;
        is_it.then(|| number.parse().ok()).flatten()
    })
}

fn missing(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_whole_name_or_its_number() {
        let lines = "root:x:0:\n# wheel:x:9:\nwww:x:1:a,b\nwww-data:x:33:\nbroken\nodd:x:y:\n";
        let table = [
            ("root", Some(0)),
            ("www", Some(1)),
            ("www-data", Some(33)),
            ("wheel", None),
            ("odd", None),
            ("broken", None),
            ("", None),
        ];
        for (group, expected) in table {
            assert_eq!(find(lines, group), expected, "{group}");
        }
        assert_eq!(number("33").unwrap(), 33);
        for group in ["4294967295", "99999999999", "no-such-group"] {
            let kind = number(group).unwrap_err().kind();
            assert_eq!(kind, io::ErrorKind::NotFound, "{group}");
        }
    }
}
