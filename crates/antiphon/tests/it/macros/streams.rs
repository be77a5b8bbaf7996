//! Tests of methods that return streams: registration, listing, and calls without a session.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon::{Context, ErrorCodes, ErrorObject, NamedParams, Router, rpc, rpc_method};
use futures_util::stream::{self, BoxStream, Iter, StreamExt as _};
use futures_util::{Stream, TryStreamExt as _};

use super::{call, check};

/// The error for a caller without a session.
const NEEDS_SESSION: &str = r#"!{"code":-32004,"message":"Method needs a session"}"#;

#[derive(Debug, ErrorCodes)]
pub(super) enum Trouble {
    #[code(7)]
    TooLow,
}

/// An object that counts the calls of its methods.
#[derive(Clone, Default)]
pub(super) struct Clock {
    runs: Arc<AtomicUsize>,
    names: Vec<String>,
}

impl Clock {
    fn run(&self) {
        self.runs.fetch_add(1, Ordering::SeqCst);
    }
}

/// An item that is not `Send`. Only its JSON text is sent to another thread.
struct Counted(Rc<u8>);

impl serde::Serialize for Counted {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

type Alias = Iter<std::array::IntoIter<u8, 2>>;

#[rpc(namespace = "clock")]
impl Clock {
    fn rpc_plain(&self) -> u8 {
        1
    }

    /// Counts.
    fn rpc_count(&self, to: u8, #[arg(default = 1)] from: u8) -> impl Stream<Item = u8> + use<> {
        self.run();
        stream::iter(from..=to)
    }

    // The stream and its items borrow from the object, and the stream borrows from the context.
    fn rpc_names(&self, ctx: &Context) -> impl Stream<Item = &str> + Send {
        self.run();
        let local = ctx.is_local();
        let names = self.names.iter().map(String::as_str);
        stream::iter(names).filter(move |_| std::future::ready(local == ctx.is_local()))
    }

    async fn rpc_later(&self, ctx: Context, to: u8) -> Result<impl Stream<Item = u8>, Trouble> {
        tokio::task::yield_now().await;
        self.run();
        match to {
            0 => Err(Trouble::TooLow),
            to => Ok(stream::iter(0..to).filter(move |_| std::future::ready(ctx.id().is_some()))),
        }
    }

    fn rpc_breaks(&self) -> impl Stream<Item = Result<u8, Trouble>> + use<> + 'static {
        self.run();
        stream::iter([Ok(1), Ok(2), Err(Trouble::TooLow), Ok(3)])
    }

    #[method(stream)]
    fn rpc_named(&self) -> Alias {
        self.run();
        stream::iter([1, 2])
    }

    #[method(stream = "String")]
    async fn rpc_boxed(&self) -> BoxStream<'_, &String> {
        self.run();
        stream::iter(&self.names).boxed()
    }

    #[method(stream)]
    fn rpc_fallible(&self, to: u8) -> Result<Pin<Box<dyn Stream<Item = u8> + Send>>, ErrorObject> {
        self.run();
        let to = to.checked_sub(1).ok_or(Trouble::TooLow)?;
        Ok(Box::pin(stream::iter(0..=to)))
    }

    fn rpc_bound_here() -> impl Stream<Item = Counted> {
        stream::iter([1, 2]).map(|n| Counted(Rc::new(n)))
    }

    #[method(request_handler = doubled, local)]
    async fn rpc_handled(
        &self,
        ctx: &Context,
        to: u8,
        #[arg(flatten)] rest: BTreeMap<String, u8>,
    ) -> impl Stream<Item = (u8, usize)> {
        self.run();
        let shown = usize::from(ctx.is_local()) + rest.len();
        stream::iter(0..to).map(move |n| (n, shown))
    }

    #[method(
        name = "eth",
        plain,
        notification = "eth_subscription",
        unsubscribe = "eth_unsubscribe",
        overflow = "drop_oldest"
    )]
    fn rpc_ethereum(&self, topic: String) -> impl Stream<Item = String> {
        self.run();
        stream::repeat(topic).take(2)
    }

    #[cfg(any())]
    fn rpc_never(&self) -> impl Stream<Item = NoSuchType> {}

    // Not remote, so any parameters and results are allowed.
    #[allow(dead_code)]
    fn private(&self) -> impl Iterator<Item = &String> {
        self.names.iter()
    }
}

fn doubled(_: &Context, _: &str, params: &mut NamedParams) -> Result<(), ErrorObject> {
    let to: u8 = params.get("to").unwrap_or_default();
    params.insert("to", to * 2);
    Ok(())
}

/// The same methods in a trait.
#[rpc]
pub(super) trait Ticker {
    fn ticks(&self, every: u8) -> impl Stream<Item = String>;

    async fn ticks_later(&self)
    -> Result<impl Stream<Item = Result<u8, Self::Error>>, ErrorObject>;

    /// A default method. Its stream borrows from the object.
    #[method(overflow = "latest_only")]
    fn twice(&self) -> impl Stream<Item = (u8, String)> {
        stream::iter([1, 2]).zip(self.ticks(2))
    }

    #[method(stream = "u8")]
    fn named(&self) -> Self::Named;

    #[method(skip)]
    fn helper(&self) -> u8;

    type Error: Into<ErrorObject>;
    type Named: Stream<Item = u8> + Send;
}

impl Ticker for Clock {
    type Error = Trouble;
    type Named = Alias;

    fn ticks(&self, every: u8) -> impl Stream<Item = String> {
        self.run();
        stream::iter(&self.names)
            .map(String::clone)
            .chain(stream::repeat(every.to_string()).take(1))
    }

    async fn ticks_later(&self) -> Result<impl Stream<Item = Result<u8, Trouble>>, ErrorObject> {
        self.run();
        Ok(stream::iter([1, 2].map(Ok::<_, Infallible>)).map_err(|never| match never {}))
    }

    fn named(&self) -> Alias {
        self.run();
        stream::iter([self.helper(), 1])
    }

    fn helper(&self) -> u8 {
        3
    }
}

struct Repeats<T>(T);

#[rpc(namespace = "repeats")]
impl<T> Repeats<T>
where
    T: Clone + serde::Serialize + Send + Sync,
{
    fn rpc_borrowed(&self) -> impl Stream<Item = &T> {
        stream::iter([&self.0, &self.0])
    }

    async fn rpc_owned(&self) -> impl Stream<Item = T> + use<T> {
        stream::iter([self.0.clone()])
    }
}

/// Counts down.
#[rpc_method(overflow = "block")]
fn down(from: u8) -> impl Stream<Item = u8> {
    stream::iter((0..from).rev())
}

#[rpc_method(stream, name = "more")]
async fn more_of_them(ctx: &Context) -> Alias {
    let _ = ctx;
    stream::iter([1, 2])
}

/// A router with all of the methods above.
pub(super) fn router(clock: &Clock) -> Router {
    Router::of(clock.clone())
        .nest("ticker", <Clock as Ticker>::into_router(clock.clone()))
        .merge(Repeats("again"))
        .method(down)
        .method(more_of_them)
}

#[test]
fn a_method_that_returns_a_stream_is_a_subscription() {
    let dispatcher = router(&Clock::default()).build().unwrap();
    let methods = dispatcher.tree().methods(antiphon::Access::Admin);
    let kinds = |is_subscription: bool| -> Vec<_> {
        let wanted = methods
            .iter()
            .filter(|method| method.is_subscription() == is_subscription);
        let mut names: Vec<_> = wanted.map(|method| method.name()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(kinds(false), ["clock.plain"]);
    assert_eq!(
        kinds(true),
        [
            "clock.bound_here",
            "clock.boxed",
            "clock.breaks",
            "clock.count",
            "clock.eth",
            "clock.fallible",
            "clock.handled",
            "clock.later",
            "clock.named",
            "clock.names",
            "down",
            "more",
            "repeats.borrowed",
            "repeats.owned",
            "ticker.named",
            "ticker.ticks",
            "ticker.ticks_later",
            "ticker.twice",
        ]
    );
    let count = methods.iter().find(|m| m.name() == "clock.count").unwrap();
    assert_eq!(count.doc(), "Counts.");
    let params: Vec<_> = count
        .params()
        .iter()
        .map(|param| (param.name(), param.is_required()))
        .collect();
    assert_eq!(params, [("to", true), ("from", false)]);
}

#[tokio::test]
async fn without_a_session_no_method_runs() {
    let clock = Clock::default();
    let cases = [
        ("clock.count", "[3]"),
        ("clock.names", ""),
        ("clock.later", "[3]"),
        ("clock.breaks", ""),
        ("clock.named", ""),
        ("clock.boxed", ""),
        ("clock.fallible", "[1]"),
        ("clock.bound_here", ""),
        ("clock.handled", "[1]"),
        ("clock.eth", r#"["logs"]"#),
        ("ticker.ticks", "[1]"),
        ("ticker.ticks_later", ""),
        ("ticker.twice", ""),
        ("ticker.named", ""),
        ("repeats.borrowed", ""),
        ("repeats.owned", ""),
        ("down", "[1]"),
        ("more", ""),
        // The session is checked before the parameters are decoded.
        ("clock.count", r#"["x"]"#),
        ("clock.handled", r#"["x"]"#),
    ];
    let cases = cases.map(|(method, params)| (method, params, NEEDS_SESSION));
    check(router(&clock), &cases).await;
    assert_eq!(clock.runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_unsubscribe_method_exists_and_is_not_listed() {
    let dispatcher = router(&Clock::default()).build().unwrap();
    let listed = dispatcher.tree().methods(antiphon::Access::Admin);
    for method in ["eth_unsubscribe", "rpc.unsubscribe"] {
        assert!(listed.iter().all(|known| known.name() != method));
        let answer = call(&dispatcher, method, r#"["0x1"]"#).await;
        assert_ne!(answer["error"]["code"], -32601, "{method}");
    }
}

/// Both generated clients have a method for each subscription, with these item types.
#[test]
fn the_client_of_a_block_knows_the_item_types() {
    use antiphon::client::{Client, PendingSubscription};

    let client = Client::connect("http://localhost:1").unwrap();
    let clock = ClockClient::new(client.clone());
    let _: PendingSubscription<u8> = clock.count(3, 1);
    let _: PendingSubscription<String> = clock.names();
    let _: PendingSubscription<u8> = clock.later(3);
    let _: PendingSubscription<u8> = clock.breaks();
    let _: PendingSubscription<String> = clock.boxed();
    let _: PendingSubscription<u8> = clock.fallible(1);
    let _: PendingSubscription<(u8, usize)> = clock.handled(1, BTreeMap::new());
    let _: PendingSubscription<String> = clock.ethereum("logs".to_owned());
    // Types that the block cannot name are named here.
    let _: PendingSubscription<u32> = clock.named::<u32>();
}
