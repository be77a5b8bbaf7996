//! Tests of connections that the server closes while the client's runtime is not driven.

use std::io;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use antiphon::client::Client;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use super::frames::Frames;
use super::{Numbered, answer_one, builder, call};

/// How the server ends a connection.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Ending {
    Http1,
    Http2,
    /// After a frame that says so.
    Http2GoAway,
}

/// Where the calls are made: from one `block_on` each, from the same one, whose thread is busy
/// between them, or from a task.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    EachBlockOn,
    OneBlockOn,
    Task,
}

#[test]
fn a_connection_that_was_closed_while_the_thread_was_busy_is_not_used() {
    for ending in [Ending::Http1, Ending::Http2, Ending::Http2GoAway] {
        for place in [Place::EachBlockOn, Place::OneBlockOn, Place::Task] {
            check(ending, place);
        }
    }
}

fn check(ending: Ending, place: Place) {
    let mut others = Builder::new_multi_thread();
    let others = others.worker_threads(1).enable_all().build().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let (told, hears) = mpsc::channel();
    let opens = Arc::clone(&gate);
    let server = others.block_on(Numbered::serve(move |_, stream| {
        let (told, gate) = (told.clone(), Arc::clone(&opens));
        async move { answer_and_end(stream, ending, &gate, &told).await }
    }));
    let client = builder(server.address).http2_prior_knowledge(ending != Ending::Http1);
    let client = client.build().unwrap();
    let end = move || {
        gate.add_permits(1);
        hears.recv().unwrap();
        // Longer than a connection counts as fresh.
        std::thread::sleep(Duration::from_millis(20));
    };
    let own = Builder::new_current_thread().enable_all().build().unwrap();
    run(&own, &client, place, end);
    assert_eq!(server.connections(), 4, "{ending:?}, {place:?}");
}

fn run(own: &Runtime, client: &Client, place: Place, end: impl Fn() + Send + 'static) {
    if place == Place::EachBlockOn {
        for _ in 0..4 {
            own.block_on(call(client));
            end();
        }
        return;
    }
    let client = client.clone();
    let calls = async move {
        for _ in 0..4 {
            call(&client).await;
            end();
        }
    };
    match place {
        Place::Task => own.block_on(own.spawn(calls)).unwrap(),
        _ => own.block_on(calls),
    }
}

async fn answer_and_end(
    mut stream: TcpStream,
    ending: Ending,
    gate: &Semaphore,
    told: &mpsc::Sender<()>,
) -> io::Result<()> {
    if ending == Ending::Http1 {
        answer_one(&mut stream, "200 OK").await?;
        gate.acquire().await.unwrap().forget();
        drop(stream);
    } else {
        let mut frames = Frames::begin(stream, None).await?;
        let stream = frames.request().await?;
        frames.answer(stream).await?;
        gate.acquire().await.unwrap().forget();
        if ending == Ending::Http2GoAway {
            frames.go_away(stream).await?;
        }
        drop(frames);
    }
    told.send(()).map_err(io::Error::other)
}
