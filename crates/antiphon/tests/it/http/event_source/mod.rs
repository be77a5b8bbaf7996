//! Tests of subscriptions by GET, as an `EventSource` sends it.

mod reach;
mod resume;

use antiphon::{
    Access, ErrorObject, HttpService, Method, PublishError, Router, Subscription, Topic, rpc,
};
use futures_core::Stream;
use futures_util::stream::iter;
use http::{Method as Verb, Request, Response};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::support::counter::Counter;

/// An object with a topic, which counts what was called.
#[derive(Clone)]
struct News {
    topic: Topic<String>,
    /// Calls of methods that are no subscriptions.
    ordinary: Counter,
    /// Subscriptions that have begun.
    begun: Counter,
}

#[rpc]
impl News {
    /// What is told of a topic.
    fn rpc_subscribe(&self, topic: String) -> Subscription<String> {
        self.begun.add();
        self.topic.subscribe(topic)
    }

    /// The same without numbers.
    #[method(plain)]
    fn rpc_plain(&self, topic: String) -> Subscription<String> {
        self.topic.subscribe(topic)
    }

    /// The same for callers on this machine.
    #[method(local)]
    fn rpc_local(&self, topic: String) -> Subscription<String> {
        self.begun.add();
        self.topic.subscribe(topic)
    }

    /// Numbers from 1, which end, perhaps with an error.
    #[allow(clippy::unused_self)] // a method
    fn rpc_count(
        &self,
        last: u64,
        code: Option<i64>,
    ) -> impl Stream<Item = Result<u64, ErrorObject>> + use<> {
        let end = code.map(|code| Err(ErrorObject::new(code, "over")));
        iter((1..=last).map(Ok).chain(end))
    }

    /// Fails before there is a stream.
    fn rpc_refuse(&self, code: i64) -> Result<Subscription<String>, ErrorObject> {
        Err(ErrorObject::new(code, "no"))
    }

    /// Has no stream for a long time.
    async fn rpc_wait(&self) -> Result<Subscription<String>, ErrorObject> {
        std::future::pending().await
    }

    /// Tells an item.
    async fn rpc_publish(&self, topic: String, item: String) -> Result<u64, PublishError> {
        self.ordinary.add();
        self.topic.publish(topic, &item).await
    }
}

/// An object whose topic keeps so many items.
fn news(history: usize) -> News {
    News {
        topic: Topic::builder("news").history(history).build(),
        ordinary: Counter::default(),
        begun: Counter::default(),
    }
}

fn router(news: &News) -> Router {
    let (ordinary, declared) = (news.ordinary.clone(), news.ordinary.clone());
    let router = Router::new()
        .method_fn("add", move |a: i64, b: i64| {
            ordinary.add();
            a + b
        })
        // Says that it is a subscription, and is none.
        .method(Method::function("declared", move || declared.add()).subscription())
        .method(Method::function("panic", || -> Subscription<u8> {
            panic!("S3CR3T")
        }))
        .method(Method::function("admin", || iter([1])).access(Access::Admin));
    router.nest("news", news.clone())
}

fn service(news: &News) -> HttpService {
    router(news).into_service().unwrap()
}

/// A GET of this query with these header fields beside those that it has.
fn get(query: &str, fields: &[(&str, &str)]) -> Request<String> {
    request(&Verb::GET, &format!("http://localhost/?{query}"), fields)
}

/// A request that names event streams, unless it has an `Accept` of its own.
fn request(verb: &Verb, target: &str, fields: &[(&str, &str)]) -> Request<String> {
    let mut request = Request::builder().method(verb).uri(target);
    if !fields.iter().any(|(name, _)| *name == "accept") {
        request = request.header("accept", "text/event-stream");
    }
    for (name, value) in fields {
        let value = value.bytes().collect::<Vec<_>>();
        request = request.header(*name, value);
    }
    request.body(String::new()).unwrap()
}

/// A response whose body is read piece by piece.
struct Answer(Response<antiphon::Body>);

impl Answer {
    async fn of(service: &HttpService, request: Request<String>) -> Self {
        Self(service.clone().oneshot(request).await.unwrap())
    }

    fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.0.headers().get(name)?.to_str().ok()
    }

    /// The next piece of the body; of an event stream, one or more events.
    async fn piece(&mut self) -> Option<String> {
        let frame = self.0.body_mut().frame().await?;
        let data = frame.unwrap().into_data().unwrap();
        Some(String::from_utf8(data.to_vec()).unwrap())
    }

    /// All that is left of the body.
    async fn rest(&mut self) -> String {
        let mut text = String::new();
        while let Some(piece) = self.piece().await {
            text.push_str(&piece);
        }
        text
    }

    /// The next event.
    async fn event(&mut self, read: &mut String) -> Option<Event> {
        loop {
            if let Some((event, rest)) = read.split_once("\n\n") {
                let event = Event::of(event);
                *read = rest.to_owned();
                return Some(event);
            }
            read.push_str(&self.piece().await?);
        }
    }
}

/// The fields of an event.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    retry: Option<u64>,
    kind: Option<String>,
    id: Option<String>,
    data: Value,
}

impl Event {
    fn of(text: &str) -> Self {
        let mut event = Self::default();
        for line in text.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            match name {
                "retry" => event.retry = Some(value.parse().unwrap()),
                "event" => event.kind = Some(value.to_owned()),
                "id" => event.id = Some(value.to_owned()),
                "data" => event.data = serde_json::from_str(value).unwrap(),
                other => panic!("a field {other:?}"),
            }
        }
        event
    }
}
