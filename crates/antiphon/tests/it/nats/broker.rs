//! A NATS server that belongs to one test, and ends with it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
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
pub(crate) struct Broker {
    program: &'static str,
    process: Child,
    port: u16,
    /// A folder for its settings, and for files of the test.
    pub(crate) folder: PathBuf,
}

impl Broker {
    /// Starts one, if the program is installed.
    pub(crate) async fn start() -> Option<Self> {
        Self::with(|_| String::new()).await
    }

    /// Starts one with settings, which are told the folder for its files.
    pub(crate) async fn with(settings: impl FnOnce(&Path) -> String) -> Option<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let program = program()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("antiphon-nats-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let port = free_port();
        let settings = settings(&folder);
        configure(&folder, port, &settings);
        let mut broker = Self {
            program,
            process: spawn(program, &folder),
            port,
            folder,
        };
        broker.until_ready().await;
        Some(broker)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
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
    pub(crate) fn url(&self, prefix: &str) -> String {
        format!("nats://127.0.0.1:{}/{prefix}", self.port)
    }

    /// A client of a service.
    pub(crate) fn client(&self, prefix: &str) -> Client {
        Client::connect(self.url(prefix)).unwrap()
    }

    /// A server of this router.
    pub(crate) async fn serve(&self, prefix: &str, router: Router) -> Serving {
        let serving = Serving::start(&self.url(prefix), router).await;
        assert_eq!(serving.urls, [self.url(prefix)]);
        until_answered(&self.client(prefix)).await;
        serving
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again, at the same place.
    pub(crate) async fn restart(&mut self) {
        self.process = spawn(self.program, &self.folder);
        self.until_ready().await;
    }

    /// Starts it again with other settings.
    pub(crate) async fn restart_with(&mut self, settings: &str) {
        configure(&self.folder, self.port, settings);
        self.restart().await;
    }

    /// The process of the broker.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

/// A port on which nobody listens now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn configure(folder: &Path, port: u16, settings: &str) {
    let text = format!("listen: \"127.0.0.1:{port}\"\n{settings}\n");
    fs::write(folder.join("nats.conf"), text).unwrap();
}

fn spawn(program: &str, folder: &Path) -> Child {
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.join("nats.conf"));
    let log = fs::File::create(folder.join("nats.log")).unwrap();
    let command = command.stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap()
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A server, which is killed when this is dropped.
pub(crate) struct Serving {
    pub(crate) handle: ServerHandle,
    pub(crate) urls: Vec<String>,
    task: Option<JoinHandle<()>>,
}

/// Waits until a server of [`router`] answers: its subscriptions are there then.
pub(crate) async fn until_answered(client: &Client) {
    for _ in 0..2_000 {
        let answer = client.call::<bool>("is_there", ()).await;
        if answer.is_ok() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("no server answers");
}

impl Serving {
    /// Starts a server at this address.
    pub(crate) async fn start(url: &str, router: Router) -> Self {
        let bound = Server::new(router).bind(url).listen().await.unwrap();
        let (handle, urls) = (bound.handle(), bound.urls());
        let task = tokio::spawn(async move { bound.serve().await.unwrap() });
        Self {
            handle,
            urls,
            task: Some(task),
        }
    }

    /// Stops it, and waits until it has ended.
    pub(crate) async fn stop(mut self) {
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
pub(crate) fn router() -> Router {
    Router::new().method_fn("is_there", || true)
}
