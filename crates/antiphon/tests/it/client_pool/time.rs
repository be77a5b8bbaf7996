//! Tests of the pool on a paused clock: idle connections, and calls that wait.

use std::time::Duration;

use antiphon::client::ErrorKind;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, sleep};

use super::{Numbered, answer_one, builder, call, client, events, is_closed_after_a_minute};
use crate::client_support::read_request;

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_a_minute() {
    let (told, mut hears) = events();
    let server = Numbered::serve(move |_, mut stream| {
        let told = told.clone();
        async move {
            while answer_one(&mut stream, "200 OK").await.is_ok() {}
            told.send(Instant::now()).unwrap();
            Ok(())
        }
    })
    .await;
    let client = client(server.address);
    is_closed_after_a_minute(&client, || server.connections(), &mut hears).await;
}

/// What the server has closed does not stay open for a minute.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_the_server_has_closed_is_let_go_soon() {
    let (told, mut hears) = events();
    let server = Numbered::serve(move |_, mut stream| {
        let told = told.clone();
        async move {
            answer_one(&mut stream, "200 OK").await?;
            let mut stream = stream.into_std()?;
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            stream.shutdown(std::net::Shutdown::Write)?;
            // The end of the client comes when it lets go.
            let reading = move || std::io::Read::read(&mut stream, &mut [0; 1]);
            let thread = std::thread::spawn(reading);
            told.send(thread).map_err(std::io::Error::other)
        }
    })
    .await;
    let client = client(server.address);
    call(&client).await;
    let thread = hears.recv().await.unwrap();
    sleep(Duration::from_secs(6)).await;
    assert_eq!(thread.join().unwrap().unwrap(), 0);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_call_does_not_wait_for_a_connection_beyond_its_timeout() {
    let server = Numbered::serve(|_, mut stream| async move {
        read_request(&mut stream).await?;
        stream.read_u8().await.map(drop)
    })
    .await;
    let client = builder(server.address).max_in_flight(1).build().unwrap();
    let first = tokio::spawn(client.call::<String>("m", ()).into_future());
    tokio::task::yield_now().await;
    let begun = Instant::now();
    let late = client
        .call::<String>("m", ())
        .timeout(Duration::from_secs(3));
    let error = late.await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{error}");
    assert!(error.is_timeout());
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    first.abort();
}
