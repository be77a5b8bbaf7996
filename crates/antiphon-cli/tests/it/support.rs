//! Helpers that run the tool as a process, and scripted servers for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Time limit of each step, long enough for a slow machine under load.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// The path of the tool.
pub(crate) const TOOL: &str = env!("CARGO_BIN_EXE_antiphon");

/// A running `antiphon`, killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

/// The result of a process that has exited.
#[derive(Debug)]
pub(crate) struct Exited {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Process {
    pub(crate) fn start(args: &[&str], input: &str) -> Self {
        Self::start_with(args, input, Stdio::piped())
    }

    /// Starts it with this standard output, which the test does not read.
    pub(crate) fn start_with(args: &[&str], input: &str, stdout: impl Into<Stdio>) -> Self {
        Self::start_with_env(&[], args, input, stdout)
    }

    /// Starts it with these environment variables.
    pub(crate) fn start_with_env(
        variables: &[(&str, &str)],
        args: &[&str],
        input: &str,
        stdout: impl Into<Stdio>,
    ) -> Self {
        let mut command = Command::new(TOOL);
        command.args(args);
        Self::start_command_with_env(variables, command, input, stdout)
    }

    /// Starts another program, which then executes the tool.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_command(command: Command, input: &str, stdout: impl Into<Stdio>) -> Self {
        Self::start_command_with_env(&[], command, input, stdout)
    }

    pub(crate) fn start_command_with_env(
        variables: &[(&str, &str)],
        mut command: Command,
        input: &str,
        stdout: impl Into<Stdio>,
    ) -> Self {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ANTIPHON_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        // The process may end without reading its input.
        thread::spawn(move || stdin.write_all(input.as_bytes()));
        let stdout = child.stdout.take();
        Self {
            out: stdout.map_or_else(|| channel().1, lines),
            err: lines(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Waits for the next line on standard error.
    pub(crate) fn note(&self) -> String {
        self.err.recv_timeout(TIMEOUT).unwrap()
    }

    /// Waits for the next line on standard output.
    #[cfg(unix)]
    pub(crate) fn line(&self) -> String {
        self.out.recv_timeout(TIMEOUT).unwrap()
    }

    /// The process id.
    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the process has exited.
    pub(crate) fn end(mut self) -> Exited {
        let until = Instant::now() + TIMEOUT;
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.code();
            }
            assert!(Instant::now() < until, "it does not end");
            thread::sleep(Duration::from_millis(5));
        };
        Exited {
            code,
            out: self.out.iter().collect(),
            err: self.err.iter().collect(),
        }
    }

    /// Stops the process and its children, and kills it if it does not stop. This also runs when a
    /// test has failed, so it must not panic.
    #[cfg(unix)]
    pub(crate) fn retire(mut self) {
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-s", "TERM", &id]).status();
        let until = Instant::now() + TIMEOUT;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the lines of a stream on another thread.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line).into_owned();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}

/// The status and the body of the response to a message with this token; none if it is empty.
#[cfg(unix)]
pub(crate) fn post(url: &str, token: &str, body: &str) -> (u16, String) {
    let host = url
        .strip_prefix("http://")
        .unwrap()
        .replace("0.0.0.0", "127.0.0.1");
    let mut socket = TcpStream::connect(&host).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let length = body.len();
    let authorization = match token {
        "" => String::new(),
        token => format!("authorization: Bearer {token}\r\n"),
    };
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n{authorization}\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, body.to_owned())
}

/// Runs the tool until it exits.
pub(crate) fn run(args: &[&str], input: &str) -> Exited {
    Process::start(args, input).end()
}

/// A running `antiphon serve`.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let args = [&["serve", "--bind", "127.0.0.1:0"], flags].concat();
        let process = Process::start(&args, "");
        // A supervisor logs what it does before.
        let url = loop {
            let note = process.note();
            assert!(!note.starts_with("error: "), "{note}");
            if let Some(url) = note.strip_prefix("antiphon listening on ") {
                break url.trim_end().to_owned();
            }
        };
        Self { process, url }
    }

    /// `antiphon call URL …`
    pub(crate) fn call(&self, args: &[&str]) -> Exited {
        self.call_with(args, "")
    }

    pub(crate) fn call_with(&self, args: &[&str], input: &str) -> Exited {
        run(&[&["call", &self.url], args].concat(), input)
    }

    /// `antiphon batch URL` with this input.
    pub(crate) fn batch(&self, input: &str) -> Exited {
        run(&["batch", &self.url], input)
    }
}

/// A peer that answers one request with these bytes. The receiver gets the request.
pub(crate) fn peer(answer: impl Into<Vec<u8>>) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = answer.into();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut request = Vec::new();
        let mut piece = [0; 4096];
        // The requests of these tests end with the first closing brace or bracket.
        while !request.ends_with(b"}") && !request.ends_with(b"]") {
            match socket.read(&mut piece) {
                Ok(read @ 1..) => request.extend_from_slice(&piece[..read]),
                _ => return,
            }
        }
        let _ = sender.send(String::from_utf8_lossy(&request).into_owned());
        if answer.is_empty() {
            // Sends nothing until the caller has closed the connection.
            let _ = socket.read(&mut piece);
        }
        let _ = socket.write_all(&answer);
    });
    (address, receiver)
}

/// The text of an HTTP response.
pub(crate) fn http(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
}
