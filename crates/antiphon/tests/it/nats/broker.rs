//! A NATS server that belongs to one test, and ends with it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use antiphon::client::Client;
use antiphon::{Router, Server, ServerHandle};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// The program, if it is installed. Continuous integration has it.
fn program() -> Option<&'static str> {
    let runs = |name: &&str| {
        let version = Command::new(name).arg("-v").stdout(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    };
    let found = ["nats-server", "/usr/sbin/nats-server"]
        .into_iter()
        .find(runs);
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "nats-server is not installed"
    );
    if found.is_none() {
        eprintln!("left out: nats-server is not installed");
    }
    found
}

/// A running NATS server. It is killed when this is dropped.
pub(super) struct Broker {
    program: &'static str,
    process: Child,
    port: u16,
}

impl Broker {
    /// Starts one, if the program is installed.
    pub(super) async fn start() -> Option<Self> {
        let program = program()?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port.local_addr().unwrap().port();
        let mut broker = Self {
            program,
            process: spawn(program, port),
            port,
        };
        broker.until_ready().await;
        Some(broker)
    }

    async fn until_ready(&mut self) {
        for _ in 0..1_000 {
            if TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return;
            }
            assert!(self.process.try_wait().unwrap().is_none(), "it has ended");
            sleep(Duration::from_millis(10)).await;
        }
        panic!("nats-server does not listen");
    }

    /// The address of a service.
    pub(super) fn url(&self, prefix: &str) -> String {
        format!("nats://127.0.0.1:{}/{prefix}", self.port)
    }

    /// A client of a service.
    pub(super) fn client(&self, prefix: &str) -> Client {
        Client::connect(self.url(prefix)).unwrap()
    }

    /// A server of this router.
    pub(super) async fn serve(&self, prefix: &str, router: Router) -> Serving {
        let bound = Server::new(router).bind(self.url(prefix));
        let bound = bound.listen().await.unwrap();
        assert_eq!(bound.urls(), [self.url(prefix)]);
        let handle = bound.handle();
        let task = tokio::spawn(async move { bound.serve().await.unwrap() });
        let serving = Serving {
            handle,
            task: Some(task),
        };
        // Its subscriptions are there when it answers.
        let client = self.client(prefix);
        for _ in 0..1_000 {
            let answer = client.call::<bool>("is_there", ()).await;
            if answer.is_ok() {
                return serving;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the server does not answer");
    }

    /// Kills it.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again, at the same place.
    pub(super) async fn restart(&mut self) {
        self.process = spawn(self.program, self.port);
        self.until_ready().await;
    }

    /// The process of the broker.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }
}

fn spawn(program: &str, port: u16) -> Child {
    let port = port.to_string();
    let mut command = Command::new(program);
    command.args(["-a", "127.0.0.1", "-p", &port]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A server, which is killed when this is dropped.
pub(super) struct Serving {
    pub(super) handle: ServerHandle,
    task: Option<JoinHandle<()>>,
}

impl Serving {
    /// Stops it, and waits until it has ended.
    pub(super) async fn stop(mut self) {
        self.handle.stop();
        self.task.take().unwrap().await.unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.handle.kill();
    }
}

/// A router that [`Broker::serve`] can ask whether it is there.
pub(super) fn router() -> Router {
    Router::new().method_fn("is_there", || true)
}
