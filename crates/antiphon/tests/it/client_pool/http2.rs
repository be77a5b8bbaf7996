//! Tests of connections over HTTP/2: many calls on one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon::client::{Client, ErrorKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use super::{Numbered, RIGHT, builder, call, events, is_closed_after_a_minute, settle};

fn client(address: SocketAddr) -> Client {
    let builder = builder(address).http2_prior_knowledge(true);
    builder.build().unwrap()
}

/// The server's end of a connection, as raw frames.
struct Frames(TcpStream);

impl Frames {
    /// Begins a connection, with this limit of concurrent streams.
    async fn begin(stream: TcpStream, max_streams: Option<u32>) -> io::Result<Self> {
        let mut frames = Self(stream);
        let limit = max_streams.map(|max| [&[0, 3][..], &max.to_be_bytes()].concat());
        frames.send(4, 0, 0, &limit.unwrap_or_default()).await?;
        // The preface of the client.
        frames.0.read_exact(&mut [0; 24]).await?;
        Ok(frames)
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await
    }

    /// The kind, the flags and the stream of the next frame.
    async fn frame(&mut self) -> io::Result<(u8, u8, u32)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        self.0.read_exact(&mut vec![0; length]).await?;
        Ok((kind, flags, u32::from_be_bytes(stream)))
    }

    /// The stream of the next whole request.
    async fn request(&mut self) -> io::Result<u32> {
        loop {
            // DATA that ends the stream.
            if let (0, flags, stream) = self.frame().await?
                && flags & 1 != 0
            {
                return Ok(stream);
            }
        }
    }

    /// How many requests begin before the client has answered a ping.
    async fn more(&mut self) -> io::Result<usize> {
        self.send(6, 0, 0, &[0; 8]).await?;
        let mut begun = 0;
        loop {
            match self.frame().await? {
                (6, 1, _) => return Ok(begun),
                (1, ..) => begun += 1,
                _ => {}
            }
        }
    }

    /// Answers a request: `:status: 200`, and the body.
    async fn answer(&mut self, stream: u32) -> io::Result<()> {
        self.send(1, 4, stream, &[0x88]).await?;
        self.send(0, 1, stream, RIGHT.as_bytes()).await
    }

    async fn go_away(&mut self, last: u32) -> io::Result<()> {
        let payload = [last.to_be_bytes(), [0; 4]].concat();
        self.send(7, 0, 0, &payload).await
    }

    async fn answer_all(&mut self) -> io::Result<()> {
        loop {
            let stream = self.request().await?;
            self.answer(stream).await?;
        }
    }
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
#[tokio::test(start_paused = true)]
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

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_a_minute() {
    let (told, mut hears) = events();
    let server = Numbered::serve(move |_, stream| ending(told.clone(), stream)).await;
    let client = client(server.address);
    is_closed_after_a_minute(&client, &server, &mut hears).await;
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
