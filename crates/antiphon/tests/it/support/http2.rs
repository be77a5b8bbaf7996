//! HTTP/2 test client with prior knowledge and access to single streams.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::call;

const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// One connection.
pub(crate) struct Http2 {
    requests: SendRequest<Bytes>,
    /// The task that drives the connection. It ends with the connection.
    pub(crate) driver: JoinHandle<Result<(), h2::Error>>,
    authority: String,
}

impl Http2 {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::configured(address, &Builder::new()).await
    }

    pub(crate) async fn configured(address: SocketAddr, builder: &Builder) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        Self {
            requests,
            driver: tokio::spawn(connection),
            authority: address.to_string(),
        }
    }

    /// A default request head, which a test may change.
    pub(crate) fn head(&self) -> http::request::Builder {
        Request::post(format!("http://{}/", self.authority))
            .header("content-type", "application/json")
    }

    /// Begins a request. The returned stream takes the body, unless `end` is set.
    pub(crate) async fn begin(
        &mut self,
        head: Request<()>,
        ends: bool,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        let ready = timeout(TEST_TIMEOUT, self.requests.clone().ready()).await;
        self.requests = ready.expect("no room for a stream").unwrap();
        self.requests.send_request(head, ends).unwrap()
    }

    /// Sends a message and returns the future of the response.
    pub(crate) async fn post(&mut self, body: &str) -> ResponseFuture {
        let head = self.head().body(()).unwrap();
        let (response, mut stream) = self.begin(head, false).await;
        stream.send_data(body.to_owned().into(), true).unwrap();
        response
    }

    /// Sends a request and reads the response.
    pub(crate) async fn ask(&mut self, head: http::request::Builder, body: &str) -> (u16, String) {
        let head = head.body(()).unwrap();
        let (response, mut stream) = self.begin(head, body.is_empty()).await;
        if !body.is_empty() {
            // A server that has already refused the request may have closed the stream.
            let _ = stream.send_data(body.to_owned().into(), true);
        }
        read(response).await
    }

    pub(crate) async fn call(&mut self, id: &str, method: &str, params: &str) -> Value {
        let response = self.post(&call(id, method, params)).await;
        let (status, body) = read(response).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

/// Reads a whole response: status and body.
pub(crate) async fn read(response: ResponseFuture) -> (u16, String) {
    let response = timeout(TEST_TIMEOUT, response).await.expect("no answer");
    let (head, mut body) = response.unwrap().into_parts();
    let text = text(&mut body).await;
    assert_eq!(head.version, http::Version::HTTP_2);
    (head.status.as_u16(), text)
}

/// Reads only the head of a response. The body is still to be read.
pub(crate) async fn begin(response: ResponseFuture) -> Response<RecvStream> {
    let response = timeout(TEST_TIMEOUT, response).await.expect("no answer");
    response.unwrap()
}

/// Reads the rest of a body and releases flow-control capacity.
pub(crate) async fn text(body: &mut RecvStream) -> String {
    let mut all = Vec::new();
    while let Some(data) = timeout(TEST_TIMEOUT, body.data()).await.expect("no data") {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        all.extend_from_slice(&data);
    }
    String::from_utf8(all).unwrap()
}
