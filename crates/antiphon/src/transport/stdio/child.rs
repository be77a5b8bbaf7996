//! Child process of a client, connected by its standard input and output.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::transport::byte_stream::Socket;

/// How long a program may take to exit after its input is closed, and again after SIGTERM.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// The pipes to a child process. Dropping them ends it: its input is closed, after two seconds it
/// gets SIGTERM, and after two more seconds it is killed.
#[derive(Debug)]
pub(crate) struct Pipes {
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    child: Option<Child>,
}

impl Socket for Pipes {}

/// Splits a command into words: quotes, backslashes and `#` work as in a POSIX shell. No shell
/// runs, so variables and patterns are not expanded.
fn words(command: &str) -> io::Result<Vec<String>> {
    let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text.to_owned());
    let words = shlex::split(command);
    let words = words.ok_or_else(|| invalid("a quote of the command is not closed"))?;
    match words.is_empty() {
        true => Err(invalid("there is no command")),
        false => Ok(words),
    }
}

/// Starts a program. It inherits standard error.
pub(crate) fn spawn(command: &str) -> io::Result<Pipes> {
    let mut words = words(command)?.into_iter();
    let program = words.next().unwrap_or_default();
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    match (child.stdin.take(), child.stdout.take()) {
        (stdin @ Some(_), Some(stdout)) => Ok(Pipes {
            stdin,
            stdout,
            child: Some(child),
        }),
        _ => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

impl AsyncRead for Pipes {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Pipes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(stdin) = &mut self.stdin {
            ready!(Pin::new(stdin).poll_shutdown(cx))?;
            self.stdin = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        self.stdin = None;
        // Without a runtime nothing can wait for the child: `kill_on_drop` kills it at once.
        if let Some(child) = self.child.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(end(child));
        }
    }
}

/// Waits until a program has exited; terminates and then kills it if it does not.
async fn end(mut child: Child) {
    if timeout(EXIT_TIMEOUT, child.wait()).await.is_ok() {
        return;
    }
    #[cfg(unix)]
    if let Some(pid) = child.id()
        && let Ok(pid) = i32::try_from(pid)
        && let Some(pid) = rustix::process::Pid::from_raw(pid)
    {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        if timeout(EXIT_TIMEOUT, child.wait()).await.is_ok() {
            return;
        }
    }
    let _ = child.kill().await;
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_program_is_talked_to_and_ends_with_its_input() {
        let mut pipes = spawn("cat").unwrap();
        pipes.write_all(b"hello").await.unwrap();
        pipes.shutdown().await.unwrap();
        let mut said = String::new();
        pipes.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "hello");
    }

    #[tokio::test]
    async fn one_that_does_not_end_is_made_to() {
        // The program ignores both the end of its input and SIGTERM.
        let script = r#"sh -c 'trap "" TERM; echo $$; while :; do sleep 0.1; done'"#;
        let mut pipes = spawn(script).unwrap();
        let mut pid = [0; 16];
        let length = pipes.read(&mut pid).await.unwrap();
        let pid: i32 = std::str::from_utf8(&pid[..length])
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        drop(pipes);
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        let gone = async {
            while rustix::process::test_kill_process(pid).is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(Duration::from_secs(20), gone).await.is_ok());
    }

    #[tokio::test]
    async fn what_cannot_be_started() {
        for (command, kind) in [
            ("", io::ErrorKind::InvalidInput),
            ("'cat", io::ErrorKind::InvalidInput),
            ("/no/such/program", io::ErrorKind::NotFound),
        ] {
            let error = spawn(command).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), kind, "{command}");
        }
    }

    #[test]
    fn a_command_is_split_as_by_a_shell_and_nothing_in_it_is_expanded() {
        for (command, expected) in [
            ("  cat  -u ", Some(&["cat", "-u"][..])),
            ("a 'b c' \"d e\"", Some(&["a", "b c", "d e"])),
            ("a'b'\"c\"d", Some(&["abcd"])),
            (
                r#"'\' "\"\\\n" \' a\ b"#,
                Some(&["\\", "\"\\\\n", "'", "a b"]),
            ),
            ("'' \"\"", Some(&["", ""])),
            ("$HOME * a#b # c", Some(&["$HOME", "*", "a#b"])),
            ("", None),
            ("# a", None),
            ("'a", None),
            ("\"a", None),
            ("a\\", None),
        ] {
            let words = words(command).ok();
            assert_eq!(
                words,
                expected.map(|words| words.iter().map(|word| (*word).to_owned()).collect()),
                "{command}"
            );
        }
    }
}
