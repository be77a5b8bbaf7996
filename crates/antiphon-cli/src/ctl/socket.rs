//! Discovery of the control socket: the given path, or the only live socket of the user.

use std::env;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use antiphon::client::{Client, Error};
use antiphon::{Address, Params};

use crate::exit::{Exit, Failure};

/// Timeout when probing one of several sockets. A server that takes longer is alive but slow.
const PROBE: Duration = Duration::from_secs(1);

/// How many servers an error message lists.
const LISTED: usize = 20;

/// Hint on how to choose a server.
const HOW: &str = "say which with --control PATH or ANTIPHON_CONTROL";

/// A control socket.
#[derive(Debug)]
pub(super) struct Socket {
    url: String,
}

impl Socket {
    /// # Errors
    ///
    /// If the path cannot be written in a URL.
    fn at(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let usage = |reason: &str| Failure::usage(format!("the control socket {shown}: {reason}"));
        let path = std::path::absolute(path).map_err(|error| usage(&error.to_string()))?;
        let text = path.to_str().ok_or_else(|| usage("its path is no UTF-8"))?;
        // The setting of a server may also say who can connect.
        match format!("unix:{text}").parse::<Address>() {
            Ok(Address::Unix { socket, .. }) => Ok(Self {
                url: format!("unix:{}", socket.display()),
            }),
            Ok(_) => Err(usage("it is no path")),
            Err(error) => Err(usage(&error.to_string())),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether a server listens on the socket.
    async fn is_live(&self) -> bool {
        let ping = async {
            let client = Client::builder(&self.url).timeout(PROBE).build()?;
            client.call::<String>("ping", Params::none()).await
        };
        // Any other response or error, a timeout included, shows that a server is there.
        !ping.await.is_err_and(|error: Error| error.is_connect())
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.strip_prefix("unix:").unwrap_or(&self.url))
    }
}

/// The given socket, or else the only live one in the default folder.
///
/// # Errors
///
/// If there is none, or more than one.
pub(super) async fn find(given: Option<PathBuf>) -> Result<Socket, Failure> {
    if let Some(path) = given {
        return Socket::at(&path);
    }
    // Servers ignore a relative path as well.
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let Some(runtime) = runtime.filter(|path| path.is_absolute()) else {
        return Err(Failure::usage(format!(
            "XDG_RUNTIME_DIR names no folder, so there is no place to look for a server; {HOW}"
        )));
    };
    let folder = runtime.join("antiphon");
    let mut live = Vec::new();
    for path in candidates(&folder)? {
        let socket = Socket::at(&path)?;
        if socket.is_live().await {
            live.push(socket);
        }
    }
    the_only(live, &folder)
}

/// The paths of all possible sockets in the folder, sorted.
fn candidates(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let fail = |error| Failure::io(&folder.display().to_string(), &error);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(fail)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "sock")
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The socket of a list of exactly one.
fn the_only(mut live: Vec<Socket>, folder: &Path) -> Result<Socket, Failure> {
    match (live.pop(), live.len()) {
        (Some(socket), 0) => Ok(socket),
        (None, _) => Err(Failure::new(
            Exit::Connection,
            format!(
                "no server with workers has its control socket in {}; {HOW}",
                folder.display()
            ),
        )),
        (Some(last), others) => {
            let all = live.iter().chain([&last]);
            let mut names: Vec<_> = all.take(LISTED).map(ToString::to_string).collect();
            let more = (others + 1).saturating_sub(LISTED);
            if more > 0 {
                names.push(format!("and {more} more"));
            }
            Err(Failure::usage(format!(
                "{} servers are running, {HOW}: {}",
                others + 1,
                names.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_socket_is_used_and_any_other_number_is_told() {
        let folder = Path::new("/run/antiphon");
        type Expected = Result<&'static str, (Exit, &'static str)>;
        let table: &[(usize, Expected)] = &[
            (0, Err((Exit::Connection, "in /run/antiphon; say which"))),
            (1, Ok("/run/antiphon/s0.sock")),
            (
                2,
                Err((
                    Exit::Usage,
                    ": /run/antiphon/s0.sock, /run/antiphon/s1.sock",
                )),
            ),
            (23, Err((Exit::Usage, "s19.sock, and 3 more"))),
        ];
        for (number, expected) in table {
            let live = (0..*number)
                .map(|at| Socket::at(&folder.join(format!("s{at}.sock"))).unwrap())
                .collect();
            match (the_only(live, folder), expected) {
                (Ok(socket), Ok(path)) => assert_eq!(socket.to_string(), *path),
                (Err(failure), Err((exit, part))) => {
                    assert_eq!(failure.exit(), *exit);
                    assert!(failure.to_string().contains(part), "{failure}");
                }
                (other, _) => panic!("{number}: {other:?}"),
            }
        }
    }
}
