//! Benchmark of publishing: one connection publishes, a thousand or more WebSockets receive. The next items
//! are published when every subscriber has received the ones before.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use serde_json::Value;
use tokio::sync::Notify;

use crate::Failure;
use crate::cases::Case;
use crate::messages;
use crate::process::allow_files;
use crate::window::{self, Loop, Plan, Progress, Sample};
use crate::wire::Link;

/// Count of subscribers, each with a connection.
fn subscribers(case: Case) -> usize {
    match case {
        Case::Crowd => 10_000,
        _ => 1_000,
    }
}

/// Size of an item as JSON, with its two quotes.
const ITEM_BYTES: usize = 110;

/// The methods of a server with which items are published and received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Methods {
    /// `items`, and `publish` with a count, which the libraries' servers have.
    Items,
    /// Those of a topic of `antiphon serve`, which publish one item.
    News,
}

impl Methods {
    fn subscribe(self) -> String {
        match self {
            Self::Items => messages::subscribe(),
            Self::News => messages::subscribe_to_news(),
        }
    }

    /// The requests that publish so many items.
    fn publish(self, count: usize) -> Vec<String> {
        match self {
            Self::Items => vec![messages::publish(count)],
            Self::News => (1..=count as u64)
                .map(|id| messages::publish_news(id, item()))
                .collect(),
        }
    }

    fn check_published(self, answer: &[u8], count: usize) -> Result<(), Failure> {
        match self {
            Self::Items => messages::check_published(answer, count),
            Self::News => messages::check_news_published(answer),
        }
    }
}

/// Count of items that the channel of a server's handlers holds.
pub(crate) const QUEUE: usize = 256;

/// The item that every peer publishes.
pub(crate) fn item() -> &'static str {
    const TEXT: [u8; ITEM_BYTES - 2] = [b'i'; ITEM_BYTES - 2];
    std::str::from_utf8(&TEXT).unwrap_or_default()
}

/// Raises the limit of open files for both load generator and server.
pub(crate) fn allow_connections(case: Case) -> Result<(), Failure> {
    allow_files(subscribers(case) as u64 + 100)
}

/// What publisher and subscribers share.
#[derive(Default)]
struct Shared {
    progress: Rc<Progress>,
    /// Items that are still to be received, of all subscribers.
    missing: Cell<usize>,
    all_received: Notify,
    over: Notify,
}

/// Publishes at the server at `url` as fast as the subscribers receive. A call of the sample is one
/// item at one subscriber.
pub(crate) async fn load(
    url: &str,
    case: Case,
    methods: Methods,
    plan: Plan,
    pids: &[u32],
) -> Result<Sample, Failure> {
    allow_connections(case)?;
    let at_once = match case {
        Case::Fanout1 | Case::Topic1 | Case::Crowd => 1,
        Case::Fanout20 | Case::Topic20 => 20,
        other => return Err(format!("{} publishes nothing", other.name()).into()),
    };
    let shared = Rc::new(Shared::default());
    let mut loops: Vec<Loop> = Vec::new();
    for _ in 0..subscribers(case) {
        let mut link = Link::open(url).await?;
        link.call(&methods.subscribe(), messages::check_subscribed)
            .await?;
        loops.push(Box::pin(receive(link, Rc::clone(&shared))));
    }
    let link = Link::open(url).await?;
    loops.push(Box::pin(publish(
        link,
        methods,
        (subscribers(case), at_once),
        Rc::clone(&shared),
    )));
    window::measure(loops, Rc::clone(&shared.progress), plan, pids).await
}

/// The loop of the publisher, whose end is that of the subscribers.
async fn publish(
    mut link: Link,
    methods: Methods,
    (subscribers, at_once): (usize, usize),
    shared: Rc<Shared>,
) -> Result<(), Failure> {
    let requests = methods.publish(at_once);
    let encode = |request: &String| link.framing.encode(request);
    let encoded: Vec<u8> = requests.iter().flat_map(encode).collect();
    while shared.progress.goes_on() {
        shared.missing.set(subscribers * at_once);
        link.exchange(&encoded, requests.len(), |answer| {
            methods.check_published(answer, at_once)
        })
        .await?;
        shared.all_received.notified().await;
    }
    shared.over.notify_waiters();
    Ok(())
}

/// The loop of a subscriber. The first item is parsed, and later ones if their length differs.
async fn receive(mut link: Link, shared: Rc<Shared>) -> Result<(), Failure> {
    let mut over = pin!(shared.over.notified());
    let mut length = 0;
    loop {
        let received = link.messages(|message| {
            if message.len() != length {
                check(message)?;
                length = message.len();
            }
            Ok(())
        });
        let received = tokio::select! {
            received = received => received?,
            () = &mut over => return Ok(()),
        };
        for _ in 0..received {
            shared.progress.count();
        }
        let missing = shared.missing.get().checked_sub(received);
        let missing = missing.ok_or("more items than were published")?;
        shared.missing.set(missing);
        if missing == 0 {
            shared.all_received.notify_one();
        }
    }
}

/// Checks that a message brings the item.
pub(crate) fn check(message: &[u8]) -> Result<(), Failure> {
    let value: Value = serde_json::from_slice(message)?;
    let methods = ["items", "news.subscribe"];
    if methods.contains(&value["method"].as_str().unwrap_or_default())
        && value["params"]["result"] == item()
    {
        return Ok(());
    }
    Err(messages::wrong("items", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_its_size_and_others_are_wrong() {
        assert_eq!(serde_json::to_string(item()).unwrap().len(), ITEM_BYTES);
        let message = |item: &str| {
            format!(r#"{{"method":"items","params":{{"subscription":1,"result":"{item}"}}}}"#)
        };
        check(message(item()).as_bytes()).unwrap();
        check(message("i").as_bytes()).unwrap_err();
        check(
            message(item())
                .replace("items", "news.subscribe")
                .as_bytes(),
        )
        .unwrap();
        check(message(item()).replace("items", "other").as_bytes()).unwrap_err();
    }

    #[test]
    fn as_many_items_are_published_with_either_method() {
        for (methods, requests) in [(Methods::Items, 1), (Methods::News, 20)] {
            assert_eq!(methods.publish(20).len(), requests);
        }
    }
}
