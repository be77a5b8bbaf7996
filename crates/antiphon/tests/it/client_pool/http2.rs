//! Tests of connections over HTTP/2: many calls on one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon::client::{Client, ErrorKind};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use super::frames::{Frames, WINDOW};
use super::{Numbered, builder, call, events, settle};

fn client(address: SocketAddr) -> Client {
    let builder = builder(address).http2_prior_knowledge(true);
    builder.build().unwrap()
}

/// Makes calls at the same time, each of which has to succeed.
async fn calls(client: &Client, count: usize) {
    let calls: Vec<_> = (0..count)
        .map(|_| tokio::spawn(client.call::<String>("m", ()).into_future()))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "right");
    }
}

#[tokio::test]
async fn a_server_that_goes_away_is_called_over_a_new_connection() {
    // Whether it closes the connection, too, and whether the test waits until that is seen.
    for (closes, waits) in [(false, false), (false, true), (true, true)] {
        let (told, mut hears) = events();
        let server = Numbered::serve(move |number, stream| {
            let told = told.clone();
            async move {
                let mut frames = Frames::begin(stream, None).await?;
                if number > 0 {
                    return frames.answer_all().await;
                }
                let stream = frames.request().await?;
                frames.answer(stream).await?;
                frames.go_away(stream).await?;
                if closes {
                    drop(frames);
                    return told.send(()).map_err(io::Error::other);
                }
                told.send(()).unwrap();
                frames.answer_all().await
            }
        })
        .await;
        let client = client(server.address);
        call(&client).await;
        hears.recv().await.unwrap();
        if waits {
            settle().await;
        }
        calls(&client, 5).await;
        assert_eq!(server.connections(), 2, "closes: {closes}, waits: {waits}");
    }
}

/// The calls that a server has accepted before it went away are answered, those that wait go to the
/// next connection.
#[tokio::test]
async fn calls_in_flight_outlive_a_server_that_goes_away() {
    let (told, mut hears) = events();
    let server = Numbered::serve(move |number, stream| {
        let told = told.clone();
        async move {
            let mut frames = Frames::begin(stream, Some(2)).await?;
            if number > 0 {
                return frames.answer_all().await;
            }
            let accepted = [frames.request().await?, frames.request().await?];
            frames.go_away(accepted[1]).await?;
            told.send(()).unwrap();
            // Longer than the connection would linger without them.
            sleep(Duration::from_millis(1500)).await;
            for stream in accepted {
                frames.answer(stream).await?;
            }
            frames.request().await.map(drop)
        }
    })
    .await;
    let client = client(server.address);
    let first = client.clone();
    let six = tokio::spawn(async move { calls(&first, 6).await });
    hears.recv().await.unwrap();
    calls(&client, 3).await;
    six.await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn no_more_streams_are_open_than_the_server_allows() {
    const CALLS: usize = 12;
    let (told, mut hears) = events();
    let server = Numbered::serve(move |_, stream| {
        let told = told.clone();
        async move {
            let mut frames = Frames::begin(stream, Some(3)).await?;
            let mut open = Vec::new();
            for answered in 0..CALLS {
                while open.len() < 3.min(CALLS - answered) {
                    open.push(frames.request().await?);
                }
                told.send(frames.more().await?).unwrap();
                frames.answer(open.remove(0)).await?;
            }
            frames.request().await.map(drop)
        }
    })
    .await;
    calls(&client(server.address), CALLS).await;
    assert_eq!(server.connections(), 1);
    for _ in 0..CALLS {
        assert_eq!(hears.recv().await, Some(0));
    }
}

#[tokio::test]
async fn calls_without_a_connection_wait_for_the_same_one() {
    let server = Numbered::serve(|_, stream| async move {
        let mut frames = Frames::begin(stream, None).await?;
        frames.answer_all().await
    })
    .await;
    let client = client(server.address);
    calls(&client, 20).await;
    assert_eq!(server.connections(), 1);

    // The one that has begun may go away.
    let client = self::client(server.address);
    let mut first = Box::pin(client.call::<String>("m", ()).into_future());
    assert!(futures_util::poll!(&mut first).is_pending());
    drop(first);
    calls(&client, 5).await;
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn calls_that_wait_for_a_connection_fail_with_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = client(address);
    let calls: Vec<_> = (0..5)
        .map(|_| tokio::spawn(client.call::<String>("m", ()).into_future()))
        .collect();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotSent), "{error}");
        assert!(error.is_connect(), "{error}");
        assert!(error.to_string().contains("Connection refused"), "{error}");
    }
}

#[tokio::test]
async fn a_dropped_call_resets_its_stream_and_the_others_go_on() {
    let (told, mut hears) = events();
    let resets = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&resets);
    let server = Numbered::serve(move |_, stream| {
        let (told, count) = (told.clone(), Arc::clone(&count));
        async move {
            let mut frames = Frames::begin(stream, None).await?;
            let first = frames.request().await?;
            told.send(()).unwrap();
            loop {
                match frames.frame().await? {
                    // RST_STREAM.
                    (3, _, stream) => {
                        assert_eq!(stream, first);
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                    (0, 1, stream) => frames.answer(stream).await?,
                    _ => {}
                }
            }
        }
    })
    .await;
    let client = client(server.address);
    let mut dropped = Box::pin(client.call::<String>("m", ()).into_future());
    tokio::select! {
        outcome = &mut dropped => panic!("{outcome:?}"),
        _ = hears.recv() => {}
    }
    drop(dropped);
    calls(&client, 3).await;
    assert_eq!(
        (server.connections(), resets.load(Ordering::SeqCst)),
        (1, 1)
    );
}

/// When the server sees the end of its first connection.
async fn ending(
    told: tokio::sync::mpsc::UnboundedSender<Instant>,
    stream: TcpStream,
) -> io::Result<()> {
    let mut frames = Frames::begin(stream, None).await?;
    let _ = frames.answer_all().await;
    told.send(Instant::now()).map_err(io::Error::other)
}

#[tokio::test]
async fn a_connection_ends_with_the_last_clone_of_the_client() {
    let (told, mut hears) = events();
    let server = Numbered::serve(move |_, stream| ending(told.clone(), stream)).await;
    let client = client(server.address);
    let clone = client.clone();
    call(&client).await;
    drop(client);
    call(&clone).await;
    assert!(hears.try_recv().is_err());
    drop(clone);
    hears.recv().await.unwrap();
}

/// The HTTP library holds what such a server does not take for as long as the connection.
#[tokio::test]
async fn a_server_that_answers_without_taking_bodies_does_not_fill_the_memory() {
    // The length of the parameter, the window of a stream, how many calls, and how many connections.
    for (length, window, count, connections) in [
        (1_000_000, 0, 30, 6),
        (1_000_000, 1, 30, 6),
        (10, 0, 300, 2),
        (100, 65_535, 300, 1),
    ] {
        let server = Numbered::serve(move |_, stream| async move {
            let mut frames = Frames::begin_with(stream, &[(WINDOW, window)]).await?;
            loop {
                // HEADERS.
                if let (1, _, stream) = frames.frame().await? {
                    frames.answer(stream).await?;
                }
            }
        })
        .await;
        let client = client(server.address);
        let text = "x".repeat(length);
        for _ in 0..count {
            let call = client.call::<String>("m", (text.as_str(),));
            assert_eq!(call.await.unwrap(), "right");
        }
        let context = format!("{length} bytes, a window of {window}");
        assert_eq!(server.connections(), connections, "{context}");
    }
}
