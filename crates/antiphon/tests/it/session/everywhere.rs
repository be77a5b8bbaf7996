//! Tests of the same cases over every transport.

use std::future::pending;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use antiphon::client::{Client, ClientBuilder, ErrorKind, StreamError};
use antiphon::{
    Context, Dispatcher, ErrorCode, ErrorObject, Limits, Params, Router, Server, ServerHandle,
    Topic, call,
};
use futures_core::Stream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::counter::Counter;

/// A stream of numbers from 1.
struct Count(u64, u64);

impl Stream for Count {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<u64>> {
        if self.0 >= self.1 {
            return Poll::Ready(None);
        }
        self.0 += 1;
        Poll::Ready(Some(self.0))
    }
}

fn seen_nothing() -> bool {
    false
}

/// Counters of the calls.
#[derive(Clone, Default)]
struct MethodCounters {
    noted: Counter,
    held: Counter,
    dropped: Counter,
    ticks: Ticks,
}

/// A topic of numbers.
#[derive(Clone)]
struct Ticks(Topic<u64>);

impl Default for Ticks {
    fn default() -> Self {
        Self(Topic::builder("ticks").build())
    }
}

async fn twice(ctx: Context, n: u64) -> Result<u64, ErrorObject> {
    Ok(2 * call!((ctx.peer()?).same(n)).await.map(|n: u64| n)?)
}

fn router(seen: &MethodCounters) -> Router {
    let (noted, held) = (seen.noted.clone(), seen.clone());
    let (ticks, report) = (seen.ticks.0.clone(), seen.ticks.0.clone());
    Router::new()
        .method(
            antiphon::Method::function("subtract", |minuend: i64, subtrahend: i64| {
                minuend - subtrahend
            })
            .params(["minuend", "subtrahend"]),
        )
        .method_fn("note", move |_: String| noted.add())
        .method_fn("refuse", || -> Result<(), ErrorObject> {
            Err(ErrorObject::new(7, "no").with_data(&"because"))
        })
        .method_fn("boom", || -> i64 { panic!("S3CR3T") })
        .method_fn("boom_later", || async {
            sleep(Duration::from_millis(1)).await;
            assert!(seen_nothing(), "S3CR3T");
        })
        .method_fn("hold", move || {
            held.held.add();
            let guard = held.dropped.guard();
            async move {
                pending::<()>().await;
                drop(guard);
            }
        })
        .method_fn("sleep", |ms: u64| async move {
            sleep(Duration::from_millis(ms)).await;
            ms
        })
        .method_fn("echo", |text: String| text)
        .method_fn("count", |last: u64| Count(0, last))
        .method_fn("ticks", move |key: String| ticks.subscribe(key))
        .method_fn("report", move |key: String, n: u64| report.publish(key, &n))
        .method_fn("twice", twice)
        .method_fn("steps", |ctx: Context, n: u32| async move {
            for step in 1..=n {
                ctx.progress(&step).await;
            }
        })
        .method_fn("transport", |ctx: Context| ctx.transport().to_string())
}

/// A client that is connected over one transport.
struct Transport {
    name: &'static str,
    client: Client,
    server: Option<(ServerHandle, JoinHandle<()>)>,
}

fn here() -> Router {
    Router::new().method_fn("same", |n: u64| n)
}

fn limits() -> Limits {
    Limits::default().max_batch(5).max_response(100_000)
}

fn in_process(seen: &MethodCounters) -> Transport {
    let server: Dispatcher = router(seen).build_with(limits()).unwrap();
    Transport {
        name: "in-process",
        client: Client::builder("")
            .in_process(&server)
            .router(here())
            .build()
            .unwrap(),
        server: None,
    }
}

async fn served(
    seen: &MethodCounters,
    name: &'static str,
    bind: &str,
    scheme: Option<&str>,
) -> Transport {
    let server = Server::new(router(seen)).bind(bind);
    serve(server, name, scheme, |builder| builder).await
}

async fn serve(
    server: Server,
    name: &'static str,
    scheme: Option<&str>,
    change: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Transport {
    let server = server.configure(|settings| settings.calls = limits());
    let listening = server.listen().await.unwrap();
    let url = listening.url();
    let url = match scheme {
        Some(scheme) => url.replacen("http", scheme, 1),
        None => url,
    };
    let handle = listening.handle();
    let serving = tokio::spawn(async move { listening.serve().await.unwrap() });
    let builder = change(Client::builder(url).router(here()));
    Transport {
        name,
        client: builder.build().unwrap(),
        server: Some((handle, serving)),
    }
}

/// A server with TLS and a client that trusts its certificate.
async fn secured(
    seen: &MethodCounters,
    name: &'static str,
    bind: &str,
    scheme: Option<&str>,
) -> Transport {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let folder = std::env::temp_dir().join(format!("antiphon-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, &pem).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server = Server::new(router(seen)).bind(bind).tls(cert, key);
    let transport = serve(server, name, scheme, |builder| builder.ca_certificate(pem)).await;
    std::fs::remove_dir_all(folder).unwrap();
    transport
}

/// A program that connects its standard input and output to the socket of a server.
#[cfg(unix)]
async fn bridged(seen: &MethodCounters) -> Transport {
    const BRIDGE: &str = "import os, socket, sys, threading\n\
        s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n\
        def up():\n\
        \x20while (data := os.read(0, 65536)): s.sendall(data)\n\
        \x20s.close(); os._exit(0)\n\
        threading.Thread(target=up, daemon=True).start()\n\
        while (data := s.recv(65536)):\n\
        \x20while data: data = data[os.write(1, data):]\n";
    let path = socket("bridged");
    let mut transport = served(
        seen,
        "unix, bridged",
        &format!("unix:{}", path.display()),
        None,
    )
    .await;
    let command = format!("stdio:python3 -c '{BRIDGE}' {}", path.display());
    transport.client = Client::builder(command).router(here()).build().unwrap();
    transport
}

/// A new path for a socket.
#[cfg(unix)]
fn socket(name: &str) -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let file = format!("antiphon-{}-{name}{next}.sock", std::process::id());
    std::env::temp_dir().join(file)
}

impl Transport {
    async fn end(self) {
        drop(self.client);
        if let Some((handle, serving)) = self.server {
            handle.stop();
            timeout(Duration::from_secs(20), serving)
                .await
                .unwrap()
                .unwrap();
        }
    }
}

async fn check(transport: Transport, seen: MethodCounters) {
    let Transport { name, client, .. } = &transport;
    let transport: String = call!(client.transport()).await.unwrap();
    assert!(name.starts_with(&transport), "{name}: {transport}");

    // By position, by name, as single calls and in batches.
    assert_eq!(
        call!(client.subtract(42, 23)).await.ok(),
        Some(19_i64),
        "{name}"
    );
    let named = Params::none()
        .insert("subtrahend", 23)
        .insert("minuend", 42);
    assert_eq!(
        client.call("subtract", named).await.ok(),
        Some(19_i64),
        "{name}"
    );
    client.notify("note", ("a",)).await.unwrap();
    let mut batch = client.batch();
    let slow = batch.call::<u64>("sleep", (5,));
    let difference = batch.call::<i64>("subtract", (1, 2));
    let refused = batch.call::<()>("refuse", ());
    batch.notify("note", ("b",));
    let mut responses = batch.send().await.unwrap();
    assert_eq!(responses.take(difference).ok(), Some(-1), "{name}");
    assert_eq!(responses.take(slow).ok(), Some(5), "{name}");
    assert_eq!(
        responses.take(refused).unwrap_err().code(),
        Some(ErrorCode(7)),
        "{name}"
    );
    seen.noted.reach(2).await;

    // Errors and panics: the caller gets an error, and other calls are not affected.
    let refused = call!(client.refuse()).await.map(|(): ()| ()).unwrap_err();
    match refused.kind() {
        ErrorKind::Refused(error) => {
            assert_eq!((error.code().0, error.message()), (7, "no"), "{name}");
            assert_eq!(error.data_as(), Some("because"), "{name}");
        }
        other => panic!("{name}: {other:?}"),
    }
    for method in ["boom", "boom_later"] {
        let error = client.call::<Option<i64>>(method, ()).await.unwrap_err();
        assert_eq!(
            error.code(),
            Some(ErrorCode::INTERNAL_ERROR),
            "{name}: {error}"
        );
        assert!(!error.to_string().contains("S3CR3T"), "{name}");
    }
    let unknown = client.call::<i64>("nothing", ()).await.unwrap_err();
    assert_eq!(unknown.code(), Some(ErrorCode::METHOD_NOT_FOUND), "{name}");

    // Limits.
    let long = "x".repeat(200_000);
    let error = call!(client.echo(long))
        .await
        .map(|_: String| ())
        .unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::RESPONSE_TOO_LARGE), "{name}");
    let big = "é".repeat(40_000);
    assert_eq!(call!(client.echo(&big)).await.ok(), Some(big), "{name}");
    let mut batch = client.batch();
    let tickets: Vec<_> = (0..6)
        .map(|n| batch.call::<i64>("subtract", (n, 1)))
        .collect();
    let mut responses = batch.send().await.unwrap();
    for ticket in tickets {
        let error = responses.take(ticket).unwrap_err();
        assert_eq!(
            error.code(),
            Some(ErrorCode::INVALID_REQUEST),
            "{name}: {error}"
        );
    }

    // Cancellation and deadline: the method is dropped.
    let dropped = seen.dropped.get();
    let held = seen.held.get();
    let holding = tokio::spawn(client.call::<()>("hold", ()).into_future());
    seen.held.reach(held + 1).await;
    holding.abort();
    seen.dropped.reach(dropped + 1).await;
    let hold = call!(client.hold()).timeout(Duration::from_millis(20));
    let error = hold.await.map(|(): ()| ()).unwrap_err();
    assert!(error.is_timeout(), "{name}: {error}");
    seen.dropped.reach(dropped + 2).await;
}

/// Checks the features that only sessions have.
async fn check_session(transport: Transport) {
    let Transport { name, client, .. } = &transport;
    assert_eq!(call!(client.twice(21)).await.ok(), Some(42_u64), "{name}");

    let steps = Counter::default();
    let tally = steps.clone();
    let told = call!(client.steps(3)).on_progress(move |_: u32| tally.add());
    told.await.map(|(): ()| ()).unwrap();
    assert_eq!(steps.get(), 3, "{name}");

    let mut numbers = client.subscribe::<u64>("count", (100,)).await.unwrap();
    for expected in 1..=100 {
        assert_eq!(numbers.next().await.unwrap().unwrap(), expected, "{name}");
    }
    assert!(numbers.next().await.is_none(), "{name}");

    // An overflow is reported, by one of several errors.
    // All subscribers of a key, in one order.
    let mut first = client.subscribe::<u64>("ticks", ("a",)).await.unwrap();
    let mut second = client.subscribe::<u64>("ticks", ("a",)).await.unwrap();
    let mut other = client.subscribe::<u64>("ticks", ("b",)).await.unwrap();
    for n in 1..=50 {
        assert_eq!(call!(client.report("a", n)).await.ok(), Some(n), "{name}");
    }
    assert_eq!(call!(client.report("b", 7)).await.ok(), Some(1_u64));
    assert_eq!(other.next().await.unwrap().unwrap(), 7, "{name}");
    for subscription in [&mut first, &mut second] {
        for expected in 1..=50 {
            let tick = subscription.next().await.unwrap();
            assert_eq!(tick.unwrap(), expected, "{name}");
        }
    }
    drop((first, second, other));

    let mut flood = client
        .subscribe::<u64>("count", (1_000_000,))
        .buffer(2)
        .await
        .unwrap();
    sleep(Duration::from_millis(50)).await;
    let mut last = None;
    while let Some(next) = flood.next().await {
        last = Some(next);
    }
    assert!(
        matches!(last, Some(Err(StreamError::Lagged))),
        "{name}: {last:?}"
    );
    assert_eq!(
        call!(client.subtract(2, 1)).await.ok(),
        Some(1_i64),
        "{name}"
    );
    transport.end().await;
}

macro_rules! everywhere {
    ($($(#[$cfg:meta])* $test:ident: $transport:expr;)*) => {$(
        $(#[$cfg])*
        #[tokio::test]
        async fn $test() {
            let seen = MethodCounters::default();
            let transport = async |seen: &MethodCounters| -> Transport { $transport(seen).await };
            check(transport(&seen).await, seen.clone()).await;
            check_session(transport(&seen).await).await;
        }
    )*};
}

everywhere! {
    over_memory: async |seen: &MethodCounters| in_process(seen);
    over_web_socket: async |seen: &MethodCounters| served(seen, "websocket", "127.0.0.1:0", Some("ws")).await;
    over_tcp: async |seen: &MethodCounters| served(seen, "tcp", "tcp://127.0.0.1:0", None).await;
    #[cfg(unix)]
    over_unix: async |seen: &MethodCounters| {
        let socket = format!("unix:{}", socket("raw").display());
        served(seen, "unix", &socket, None).await
    };
    #[cfg(unix)]
    over_web_socket_on_unix: async |seen: &MethodCounters| {
        let socket = format!("http+unix:{}", socket("web").display());
        served(seen, "websocket", &socket, Some("ws")).await
    };
    #[cfg(unix)]
    over_stdio: async |seen: &MethodCounters| bridged(seen).await;
    over_tls: async |seen: &MethodCounters| secured(seen, "tcp, secure", "tls://127.0.0.1:0", None).await;
    over_secure_web_socket: async |seen: &MethodCounters| {
        secured(seen, "websocket, secure", "127.0.0.1:0", Some("ws")).await
    };
    over_tcp_with_headers: async |seen: &MethodCounters| {
        served(seen, "tcp, headed", "tcp://127.0.0.1:0?framing=content-length", None).await
    };
}

#[tokio::test]
async fn over_https() {
    let seen = MethodCounters::default();
    let transport = secured(&seen, "http, secure", "https://127.0.0.1:0", None).await;
    check(transport, seen).await;
}

/// HTTP has no sessions, so only calls are checked.
#[tokio::test]
async fn over_http() {
    let seen = MethodCounters::default();
    let transport = served(&seen, "http", "127.0.0.1:0", None).await;
    check(transport, seen).await;
}
