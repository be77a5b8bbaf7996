//! Tests of HTTP/2 connections on which nothing comes: idle, or the server has vanished, or is slow.
//!
//! They run on a paused clock, over Unix sockets: what is written there is at the other end at once, so
//! that the clock does not run ahead of it.

use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon::client::{Client, ErrorKind};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep, timeout};

use super::frames::Frames;
use super::{call, events, is_closed_after_a_minute};

/// A server that passes each connection with its number, from 0, to a function.
struct Server {
    path: PathBuf,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn serve<F>(name: &str, serve: impl Fn(usize, UnixStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let name = format!("antiphon-silence-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(count.fetch_add(1, Ordering::SeqCst), stream));
            }
        });
        Self { path, connections }
    }

    /// A server that is silent on its first connection after the first response.
    fn vanishing(name: &str) -> Self {
        Self::serve(name, |number, stream| async move {
            let mut frames = Frames::begin(stream, None).await?;
            if number == 0 {
                let stream = frames.request().await?;
                frames.answer(stream).await?;
                pending::<()>().await;
            }
            frames.answer_all().await
        })
    }

    fn client(&self) -> Client {
        let builder = Client::builder(format!("http+unix:{}", self.path.display()));
        let builder = builder.http2_prior_knowledge(true).timeout(None);
        builder.id_generator(|| 1.into()).build().unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_a_minute() {
    let (told, mut hears) = events();
    let server = Server::serve("idle", move |_, stream| {
        let told = told.clone();
        async move {
            let mut frames = Frames::begin(stream, None).await?;
            let _ = frames.answer_all().await;
            told.send(Instant::now()).map_err(io::Error::other)
        }
    });
    let client = server.client();
    is_closed_after_a_minute(&client, || server.connections(), &mut hears).await;
}

/// Calls that overlap, so that the connection is never idle, each with a timeout much shorter than the
/// silence that is allowed.
#[tokio::test(start_paused = true)]
async fn a_connection_whose_server_has_vanished_is_given_up_while_calls_overlap() {
    let server = Server::vanishing("overlap");
    let client = server.client();
    call(&client).await;
    let begun = Instant::now();
    let mut calls = Vec::new();
    while begun.elapsed() < Duration::from_secs(40) {
        let made = begun.elapsed();
        let call = client.call::<String>("m", ());
        let call = call.timeout(Duration::from_secs(1)).into_future();
        calls.push((made, tokio::spawn(call)));
        sleep(Duration::from_millis(400)).await;
    }
    for (made, call) in calls {
        let outcome = call.await.unwrap();
        let is_over = made > Duration::from_secs(21);
        assert!(outcome.is_ok() || !is_over, "after {made:?}: {outcome:?}");
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_timeout_ends_when_the_server_has_vanished() {
    let server = Server::vanishing("endless");
    let client = server.client();
    call(&client).await;
    let error = client.call::<String>("m", ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unknown), "{error}");
    call(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_slow_server_that_answers_pings() {
    const LONG: Duration = Duration::from_secs(95);
    let server = Server::serve("slow", |_, stream| async move {
        let mut frames = Frames::begin(stream, None).await?;
        let stream = frames.request().await?;
        let nothing = timeout(LONG, frames.frame()).await;
        assert!(nothing.is_err());
        frames.answer(stream).await?;
        frames.answer_all().await
    });
    let begun = Instant::now();
    call(&server.client()).await;
    assert!(begun.elapsed() >= LONG);
    assert_eq!(server.connections(), 1);
}

/// The first runtime begins to open the connection that all calls share, and is not driven then.
#[test]
fn a_call_does_not_wait_for_ever_for_a_connection_that_another_runtime_opens() {
    let paused = |yes| {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().start_paused(yes).build().unwrap()
    };
    let (stuck, own) = (paused(false), paused(true));
    let server = own.block_on(async {
        Server::serve("runtimes", |_, stream| async move {
            Frames::begin(stream, None).await?.answer_all().await
        })
    });
    let client = server.client();
    let waits = client.call::<String>("m", ()).into_future();
    let mut waits = Box::pin(waits);
    stuck.block_on(async { assert!(futures_util::poll!(&mut waits).is_pending()) });
    own.block_on(async {
        let begun = Instant::now();
        call(&client).await;
        assert_eq!(begun.elapsed().as_secs(), 11);
    });
    assert_eq!(server.connections(), 1);
    drop(stuck);
}
