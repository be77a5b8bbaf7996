//! Tests of calls that were not sent: they are not sent later either.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon::client::ErrorKind;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::frames::Frames;
use super::{Numbered, builder, call, events};

/// How a call ends while its stream waits for that of another one.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Ending {
    Deadline,
    Drop,
}

#[tokio::test]
async fn a_call_that_ended_while_its_stream_waited_is_not_sent_afterwards() {
    // Whether the server has told its limit of streams, one, before the calls begin.
    for (ending, is_told) in [
        (Ending::Deadline, true),
        (Ending::Drop, true),
        (Ending::Deadline, false),
        (Ending::Drop, false),
    ] {
        check(ending, is_told).await;
    }
}

async fn check(ending: Ending, is_told: bool) {
    let (told, mut hears) = events();
    let gate = Arc::new(Semaphore::new(0));
    let opens = Arc::clone(&gate);
    let server = Numbered::serve(move |_, stream| {
        let (told, gate) = (told.clone(), Arc::clone(&opens));
        async move {
            if !is_told {
                until_head(&stream).await?;
                told.send("the head of the first".to_owned()).unwrap();
                gate.acquire().await.unwrap().forget();
            }
            let mut frames = Frames::begin(stream, Some(1)).await?;
            loop {
                // DATA.
                let (0, flags, stream, payload) = frames.whole_frame().await? else {
                    continue;
                };
                told.send(String::from_utf8(payload).unwrap()).unwrap();
                if stream == 1 && is_told {
                    gate.acquire().await.unwrap().forget();
                }
                if flags & 1 != 0 {
                    frames.answer(stream).await?;
                }
            }
        }
    })
    .await;
    let client = builder(server.address).http2_prior_knowledge(true);
    let client = client.build().unwrap();
    let first = tokio::spawn(client.call::<String>("first", ()).into_future());
    let begun = hears.recv().await.unwrap();
    assert!(begun.contains("first"), "{ending:?}, {is_told}: {begun}");
    let second = client.call::<String>("second", ());
    match ending {
        Ending::Deadline => {
            let error = second.timeout(Duration::from_millis(50)).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NotSent), "{error}");
            assert!(error.is_timeout());
        }
        Ending::Drop => {
            let second = tokio::spawn(second.into_future());
            sleep(Duration::from_millis(5)).await;
            second.abort();
            assert!(second.await.unwrap_err().is_cancelled());
        }
    }
    gate.add_permits(1);
    assert_eq!(first.await.unwrap().unwrap(), "right");
    // What is left of the second call comes before the third one.
    let third = client.call::<String>("third", ());
    assert_eq!(third.await.unwrap(), "right");
    let expected: &[_] = match is_told {
        true => &["third"],
        false => &["first", "third"],
    };
    for expected in expected {
        let text = hears.recv().await.unwrap();
        assert!(text.contains(expected), "{ending:?}, {is_told}: {text}");
    }
    assert!(hears.try_recv().is_err());
    assert_eq!(server.connections(), 1);
}

/// Waits until the head of a request has come, and leaves all bytes where they are.
async fn until_head(stream: &TcpStream) -> io::Result<()> {
    let mut bytes = [0; 4096];
    loop {
        let filled = stream.peek(&mut bytes).await?;
        // Behind the preface there are frames: three bytes of length, the type, five more.
        let mut frames = bytes[..filled].get(24..).unwrap_or_default();
        while let Some([high, middle, low, kind, ..]) = frames.first_chunk::<9>() {
            if *kind == 1 {
                return Ok(());
            }
            let length = u32::from_be_bytes([0, *high, *middle, *low]);
            frames = frames.get(9 + length as usize..).unwrap_or_default();
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// What a server does with the second of two streams that are in flight on its first connection.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Refusal {
    /// GOAWAY, the first one being the last that it answers.
    GoAway,
    /// RST_STREAM with this code.
    Reset(u32),
}

const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

#[tokio::test]
async fn a_call_that_the_server_has_not_processed_is_sent_once_more() {
    // What the server does, how often, whether the call succeeds, and the number of connections.
    for (refusal, times, succeeds, connections) in [
        (Refusal::GoAway, 1, true, 2),
        (Refusal::Reset(REFUSED_STREAM), 1, true, 1),
        (Refusal::Reset(REFUSED_STREAM), 2, false, 1),
        (Refusal::Reset(CANCEL), 1, false, 1),
    ] {
        let left = Arc::new(AtomicUsize::new(times));
        let server = Numbered::serve(move |_, stream| {
            let left = Arc::clone(&left);
            async move {
                let mut frames = Frames::begin(stream, None).await?;
                let first = frames.request().await?;
                frames.answer(first).await?;
                loop {
                    let next = frames.request().await?;
                    if left.load(Ordering::SeqCst) == 0 {
                        frames.answer(next).await?;
                        continue;
                    }
                    left.fetch_sub(1, Ordering::SeqCst);
                    match refusal {
                        Refusal::GoAway => frames.go_away(first).await?,
                        Refusal::Reset(code) => {
                            frames.send(3, 0, next, &code.to_be_bytes()).await?;
                        }
                    }
                }
            }
        })
        .await;
        let client = builder(server.address).http2_prior_knowledge(true);
        let client = client.build().unwrap();
        call(&client).await;
        let outcome = client.call::<String>("m", ()).await;
        let context = format!("{refusal:?} {times}: {outcome:?}");
        assert_eq!(outcome.is_ok(), succeeds, "{context}");
        if let Err(error) = outcome {
            let is_not_sent = matches!(error.kind(), ErrorKind::NotSent);
            assert_eq!(is_not_sent, refusal != Refusal::Reset(CANCEL), "{context}");
        }
        assert_eq!(server.connections(), connections, "{context}");
    }
}
