//! HTTP/2 connection, which many calls share.
//!
//! It has a task, and the HTTP library one more for each request. They end when the pool and all
//! calls have let go of the connection, after a moment for the last frames.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Request;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::http1::Answered;
use super::metered_socket::{MeteredSocket, Version};
use super::socket::HttpSocket;
use super::unsent::{StreamBody, Unsent};
use crate::client::http::read;
use crate::client::response_meter::ResponseMeter;

/// How long the last frames may take, once nobody uses the connection any more.
const LINGER: Duration = Duration::from_secs(1);

/// How long a server may be silent, while a call waits for it, before it is asked for a sign of life;
/// and how long it may take to give one. Otherwise a connection whose server has vanished without an
/// end would be used for as long as there are calls.
const SILENCE: Duration = Duration::from_secs(10);

type Driver = http2::Connection<TokioIo<MeteredSocket<HttpSocket>>, StreamBody, Tasks>;

/// A connection.
pub(super) struct Http2 {
    sender: SendRequest<StreamBody>,
    meter: ResponseMeter,
    unsent: Arc<Unsent>,
    /// Ends the tasks.
    _released: DropGuard,
}

impl Http2 {
    /// A connection over this socket. No request is sent yet.
    ///
    /// # Errors
    ///
    /// If the connection breaks at once.
    pub(super) async fn open(socket: HttpSocket) -> hyper::Result<Self> {
        let socket = MeteredSocket::new(socket, Version::Http2);
        let meter = socket.meter();
        let (tasks, released) = (Tasks::default(), CancellationToken::new());
        let mut builder = http2::Builder::new(tasks.clone());
        // Until the server has said how many it allows, which it does at once.
        builder.initial_max_send_streams(1);
        builder.timer(TokioTimer::new());
        builder.keep_alive_interval(SILENCE);
        builder.keep_alive_timeout(SILENCE);
        let guard = released.clone().drop_guard();
        let (sender, driver) = builder.handshake(TokioIo::new(socket)).await?;
        let unsent = Arc::<Unsent>::default();
        tokio::spawn(drive(driver, tasks, released, Arc::clone(&unsent)));
        Ok(Self {
            sender,
            meter,
            unsent,
            _released: guard,
        })
    }

    /// Whether no more requests can be sent, as far as is known, or should be.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed() || self.unsent.is_too_much()
    }

    /// Sends a request and reads the response, up to `max` bytes of its body. What the server does
    /// not allow at the same time waits.
    ///
    /// # Errors
    ///
    /// If there is no head of a response. What happens to the body is not an error here.
    pub(super) async fn exchange(
        &self,
        request: Request<StreamBody>,
        max: usize,
    ) -> hyper::Result<Answered> {
        let _call = self.unsent.of_call(request.body().holders());
        let response = self.sender.clone().send_request(request);
        let (head, body) = response.await?.into_parts();
        Ok((head, read(body, max, Some(&self.meter)).await))
    }
}

/// Drives a connection until it was released.
async fn drive(driver: Driver, tasks: Tasks, released: CancellationToken, unsent: Arc<Unsent>) {
    let mut driver = Box::pin(driver);
    let driver = match released.run_until_cancelled(driver.as_mut()).await {
        // The server takes no more requests. Those that wait are told by the drop; others may still
        // read their responses.
        Some(_) => {
            drop(driver);
            None
        }
        None => Some(driver),
    };
    released.cancelled().await;
    let mut rest = std::mem::take(&mut *tasks.lock());
    if unsent.is_too_much() {
        // That is what the last frames would wait for.
        return;
    }
    let ending = async {
        if let Some(driver) = driver {
            // An error is told to the requests.
            let _ = driver.await;
        }
        while rest.join_next().await.is_some() {}
    };
    // What is left after that is dropped.
    let _ = timeout(LINGER, ending).await;
}

/// The tasks that the HTTP library spawns for one connection.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let mut tasks = self.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}
