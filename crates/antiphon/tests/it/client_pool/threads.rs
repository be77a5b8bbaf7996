//! Tests of the pool under many tasks, which run on many threads.

use tokio::io::AsyncWriteExt as _;

use super::{Numbered, builder};
use crate::client_support::{read_request, wire};

/// All calls have the same id, so only the result tells whether a response is that of its call.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_on_many_threads_get_their_own_responses() {
    let server = Numbered::serve(|_, mut stream| async move {
        loop {
            let request = read_request(&mut stream).await?;
            let (_, method) = request.split_once("\"method\":\"m").unwrap();
            let number = method.split('"').next().unwrap();
            // Some responses come in two pieces, and some are long.
            let padding = " ".repeat(if number.ends_with('3') { 300_000 } else { 0 });
            let body = format!(r#"{{"jsonrpc":"2.0","id":1,{padding}"result":{number}}}"#);
            let (one, two) = body.split_at(if number.ends_with('7') { 9 } else { 0 });
            let head = wire("200 OK", &body).replace(&body, one);
            stream.write_all(head.as_bytes()).await?;
            tokio::task::yield_now().await;
            stream.write_all(two.as_bytes()).await?;
        }
    })
    .await;
    let client = builder(server.address).max_in_flight(10).build().unwrap();
    let tasks = (0..24_u32).map(|task| {
        let client = client.clone();
        tokio::spawn(async move {
            for number in (task * 100..).take(30) {
                let long = "x".repeat(if number % 11 == 0 { 300_000 } else { 0 });
                let call = client.call::<u32>(&format!("m{number}"), (long,));
                let mut call = Box::pin(call.into_future());
                if number % 5 == 0 {
                    // Dropped at some point.
                    for _ in 0..number % 4 {
                        let _ = futures_util::poll!(&mut call);
                        tokio::task::yield_now().await;
                    }
                    continue;
                }
                assert_eq!(call.await.unwrap(), number);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}
