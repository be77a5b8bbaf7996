//! Programs whose instructions are counted, beside `antiphon serve`.
//!
//! - `counts_subject calls COUNT` answers so many calls from bytes to bytes, without a socket.
//! - `counts_subject publisher` serves `items`, a subscription, and `publish`, which sends an item so
//!   many times to all subscribers and returns their number. SIGTERM ends it.
//! - `counts_subject topic` serves the same with a topic.

use std::error::Error;
use std::future::Future;
use std::hint::black_box;
use std::process::ExitCode;

use antiphon::{Dispatcher, Router, Server, Topic};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::{self, Receiver};

const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"calc.add","params":[3,4]}"#;

const RESPONSE: &[u8] = br#"{"jsonrpc":"2.0","id":1,"result":7.0}"#;

/// Items that a subscriber may be behind. At most one is on its way.
const BEHIND: usize = 16;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["calls", count] => count
            .parse()
            .map_err(Failure::from)
            .and_then(|count| block_on(answer(count))),
        ["publisher"] => block_on(serve(channel())),
        ["topic"] => block_on(serve(topic())),
        _ => Err("usage: counts_subject calls COUNT | publisher | topic".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("counts_subject: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn answer(calls: u64) -> Result<(), Failure> {
    let router = Router::new().nest(
        "calc",
        Router::new().method_fn("add", |a: f64, b: f64| a + b),
    );
    let dispatcher: Dispatcher = router.build()?;
    for _ in 0..calls {
        // A slice without a copy, as HTTP passes it.
        let message = Bytes::from_static(black_box(CALL));
        let response = dispatcher.handle(message).await;
        if black_box(response.as_deref()) != Some(RESPONSE) {
            return Err(format!("a wrong response: {response:?}").into());
        }
    }
    Ok(())
}

/// A channel, and a stream for each subscriber.
fn channel() -> Router {
    let (sender, _) = broadcast::channel::<u64>(BEHIND);
    let items = sender.clone();
    Router::new()
        .method_fn("items", move || items_of(items.subscribe()))
        .method_fn("publish", move |item: u64, count: usize| {
            // It fails only if nobody listens.
            (0..count).fold(0, |_, _| sender.send(item).unwrap_or(0))
        })
}

fn topic() -> Router {
    let topic = Topic::<u64>::builder("items").build();
    let items = topic.clone();
    Router::new()
        .method_fn("items", move || items.subscribe("items"))
        .method_fn("publish", move |item: u64, count: usize| {
            for _ in 0..count {
                topic.publish("items", &item);
            }
            topic.subscribers("items")
        })
}

async fn serve(router: Router) -> Result<(), Failure> {
    let listening = Server::new(router)
        .bind("ws://127.0.0.1:0")
        .listen()
        .await?;
    for address in listening.addresses() {
        eprintln!("listening on ws://{address}");
    }
    listening.serve().await?;
    Ok(())
}

/// The items from now on. The stream ends if some were missed, which the load generator notices.
fn items_of(receiver: Receiver<u64>) -> impl Stream<Item = u64> {
    stream::unfold(receiver, |mut receiver| async {
        let item = receiver.recv().await.ok()?;
        Some((item, receiver))
    })
}

/// Runs a future on a current-thread runtime, as `antiphon serve --threads 1` does.
fn block_on(future: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(future)
}
