//! A worker: serves on listeners that it was given, says that it lives, and does what it is told.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use antiphon_proto::ErrorObject;
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

use super::control;
use super::report::Report;
use super::role::Post;
use super::signals::WorkerSignals;
use crate::admin_token::AdminToken;
use crate::client::Client;
use crate::metrics::status::{Answer, SupervisorClient};
use crate::router::Router;
use crate::server::bound::Given;
use crate::server::listener::Door;
use crate::server::{Handle, Listening, ServeError, Server};

/// How long a worker that was told to end by a signal waits for what its supervisor says to that.
const SECOND_OPINION: Duration = Duration::from_millis(500);

/// How often a worker that is to leave after many calls looks how many there were.
const COUNTING: Duration = Duration::from_millis(20);

/// How long a worker whose supervisor has died has for what it has begun.
const ORPHANHOOD: Duration = Duration::from_millis(900);

/// The part of it in which callers are told that there is no more time.
const LAST_ANSWERS: Duration = Duration::from_millis(200);

/// The exit status of a worker that could not finish in that time.
const ORPHANED: i32 = 4;

/// Serves as a worker, until the supervisor says that it is enough or is gone.
///
/// # Errors
///
/// What [`Server::listen`] says, or that the supervisor cannot be spoken to.
pub(crate) async fn work(server: Server, post: Post) -> Result<(), ServeError> {
    let Post {
        charge,
        sockets,
        line,
    } = post;
    let mut signals = WorkerSignals::new()?;
    outlive_nobody(line.try_clone()?)?;
    let (mut orders, obey) = orders();
    let (supervisor, session) = control::open(line, &obey.build()?)?;
    let session = tokio::spawn(session);
    say(&supervisor, "reached", "").await;

    let doors = charge.doors.iter().zip(sockets);
    let doors = doors.map(|(plan, socket)| {
        let door = Door::handed(socket, &plan.url, &plan.asked, false)?;
        Ok(door.lent(plan.lent))
    });
    let max_requests = server.settings.supervision.max_requests;
    let given = Given {
        doors: Some(doors.collect::<io::Result<_>>()?),
        admin: charge.admin_token.as_deref().map(AdminToken::new),
        supervisor: Some(Box::new(Line(supervisor.clone()))),
    };
    let listening = Listening::with(server, given).await?;
    let handle = listening.handle();
    let mut pulse = Pulse::new(&listening, supervisor.clone(), max_requests);
    let mut beat = interval(Duration::from_millis(charge.beat));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count = interval(COUNTING);
    count.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut serving = std::pin::pin!(listening.serve());
    let mut session = std::pin::pin!(session);
    let mut orphaned = false;
    say(&supervisor, "ready", "").await;
    loop {
        tokio::select! {
            served = &mut serving => {
                pulse.beat().await;
                return served;
            }
            Some(order) = orders.next() => order.carry_out(&handle),
            _ = beat.tick(), if !orphaned => pulse.beat().await,
            _ = count.tick(), if pulse.enough.is_some() => pulse.leave_if_enough().await,
            _ = &mut session, if !orphaned => {
                tracing::warn!("the supervisor is gone: finishing what has begun");
                orphaned = true;
                handle.stop();
                let handle = handle.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(ORPHANHOOD - LAST_ANSWERS).await;
                    handle.cut();
                });
            }
            () = signals.terminated() => {
                say(&supervisor, "leaves", "it was told to by a signal").await;
                let handle = handle.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(SECOND_OPINION).await;
                    if !handle.is_stopping() {
                        handle.retire();
                    }
                });
            }
        }
    }
}

/// Says something that the supervisor may be too dead to hear.
pub(crate) async fn say(supervisor: &Client, word: &str, about: &str) {
    if let Err(error) = supervisor.notify(word, (about,)).await {
        tracing::debug!("the supervisor was not told that {word}: {error}");
    }
}

/// Watches the line from a thread of its own, and ends the process soon after the supervisor has
/// ended: also when the runtime is blocked.
fn outlive_nobody(line: UnixStream) -> io::Result<()> {
    let watch = move || {
        let mut watched = [PollFd::from_borrowed_fd(line.as_fd(), PollFlags::RDHUP)];
        loop {
            match poll(&mut watched, None) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
        thread::sleep(ORPHANHOOD);
        std::process::exit(ORPHANED);
    };
    thread::Builder::new()
        .name("antiphon-orphan".to_owned())
        .spawn(watch)?;
    Ok(())
}

/// What a supervisor says to a worker.
enum Order {
    /// To finish what it has; with the queue of its listeners, or without.
    Stop { queue: bool },
    /// To end now.
    Cut,
}

struct Orders(tokio::sync::mpsc::Receiver<Order>);

impl Orders {
    async fn next(&mut self) -> Option<Order> {
        self.0.recv().await
    }
}

impl Order {
    fn carry_out(self, handle: &Handle) {
        match self {
            Self::Stop { queue: true } => handle.stop(),
            Self::Stop { queue: false } => handle.retire(),
            Self::Cut => handle.cut(),
        }
    }
}

/// The methods that a supervisor calls, and what comes of them.
fn orders() -> (Orders, Router) {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    let cut = sender.clone();
    let router = Router::default()
        .method_fn("stop", move |queue: bool| {
            let _ = sender.try_send(Order::Stop { queue });
        })
        .method_fn("cut", move || {
            let _ = cut.try_send(Order::Cut);
        });
    (Orders(receiver), router)
}

/// Signs of life, and the wish to be replaced after many calls.
struct Pulse {
    server: std::sync::Arc<crate::metrics::status::ServerStatus>,
    supervisor: Client,
    /// The number of calls after which to leave.
    enough: Option<u64>,
}

impl Pulse {
    fn new(listening: &Listening, supervisor: Client, max_requests: Option<u64>) -> Self {
        Self {
            server: listening.status(),
            supervisor,
            enough: max_requests.map(jittered),
        }
    }

    async fn beat(&mut self) {
        let report = Report::of(&self.server);
        if let Err(error) = self.supervisor.notify("alive", (report,)).await {
            tracing::debug!("no sign of life was given: {error}");
        }
    }

    async fn leave_if_enough(&mut self) {
        let calls = self.server.counts().calls;
        if self.enough.is_some_and(|enough| calls >= enough) {
            self.enough = None;
            say(&self.supervisor, "leaves", "it has answered enough calls").await;
        }
    }
}

/// A number of calls, give or take a fifth, so that not all workers leave together.
fn jittered(calls: u64) -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new().hash_one(std::process::id());
    let spread = (calls / 5).max(1);
    calls - spread + random % (2 * spread + 1)
}

/// What methods of this worker ask its supervisor.
#[derive(Debug)]
struct Line(Client);

impl SupervisorClient for Line {
    fn ask(&self, method: &'static str, params: Vec<Value>) -> Answer {
        let asked = self.0.call::<Value>(method, params);
        Box::pin(async move {
            asked.await.map_err(|error| match error.kind() {
                crate::client::Kind::Refused(refused) => refused.clone(),
                _ => ErrorObject::new(-32000, "The supervisor does not answer"),
            })
        })
    }
}
