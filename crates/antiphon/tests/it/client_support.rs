//! Scripted servers for the tests of the client, in process and on a socket.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use antiphon::Dispatcher;
use antiphon::client::{Body, Client, ClientBuilder};
use http::{HeaderMap, Method, Request, Response, Uri};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as the server has received it.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedRequest {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl ReceivedRequest {
    fn new(request: Request<Body>) -> Self {
        let (head, body) = request.into_parts();
        Self {
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body: String::from_utf8(body.into_bytes().to_vec()).unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// A valid response to a single call.
    pub(crate) fn answer(&self, result: &str) -> Response<Body> {
        let id = &self.json()["id"];
        json(
            200,
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
        )
    }
}

pub(crate) type Log = Arc<Mutex<Vec<ReceivedRequest>>>;

/// An HTTP response with this status and body.
pub(crate) fn json(status: u16, body: impl Into<String>) -> Response<Body> {
    let body = Body::from(body.into());
    Response::builder().status(status).body(body).unwrap()
}

/// A client of an in-process server that answers with `answer`, and the list of its requests.
pub(crate) fn scripted(
    respond: impl Fn(&ReceivedRequest) -> Response<Body> + Send + Sync + 'static,
) -> (ClientBuilder, Log) {
    let log = Log::default();
    let (respond, kept) = (Arc::new(respond), Arc::clone(&log));
    let service = tower::service_fn(move |request| {
        let seen = ReceivedRequest::new(request);
        let response = respond(&seen);
        kept.lock().unwrap().push(seen);
        async { Ok::<_, Infallible>(response) }
    });
    (Client::builder("http://server.test").service(service), log)
}

/// A client of a dispatcher in the same process.
pub(crate) fn in_process(dispatcher: Dispatcher) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let dispatcher = dispatcher.clone();
        async move {
            let answer = dispatcher.handle(request.into_body().into_bytes()).await;
            Ok::<_, Infallible>(match answer {
                Some(answer) => Response::new(Body::from(answer)),
                None => json(204, ""),
            })
        }
    });
    let builder = Client::builder("http://server.test").service(service);
    builder.build().unwrap()
}

/// A client that gets this body with status 200 for every request.
pub(crate) fn answered(body: &str) -> Client {
    let body = body.to_owned();
    let (builder, _) = scripted(move |_| json(200, body.clone()));
    builder.build().unwrap()
}

/// Serves every connection on a free port with a function, until the runtime of the test ends.
pub(crate) async fn listen<F>(serve: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> SocketAddr
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Reads one request, head and body. Returns an error at the end of the connection.
pub(crate) async fn read_request(stream: &mut TcpStream) -> io::Result<String> {
    let mut text = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        text.extend_from_slice(&chunk[..count]);
        let shown = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = shown.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_ascii_lowercase();
        let (_, length) = head.split_once("content-length: ").unwrap();
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        if body.len() >= length {
            return Ok(shown);
        }
    }
}

/// A server that answers the first request of each connection with these bytes, and then closes
/// the connection.
pub(crate) async fn answers_with(bytes: impl Into<Vec<u8>>) -> SocketAddr {
    let bytes = Arc::new(bytes.into());
    listen(move |mut stream| {
        let bytes = Arc::clone(&bytes);
        async move {
            read_request(&mut stream).await?;
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
    })
    .await
}

/// The bytes of an HTTP/1 response.
pub(crate) fn wire(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}")
}
