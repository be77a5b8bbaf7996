//! HTTP/1 connection that is driven by the call that uses it.
//!
//! A connection has no task: whoever waits for a response reads and writes, too. So a call needs no
//! hand-over to another task, and a call that is dropped takes its connection with it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::coop::unconstrained;

use super::metered_socket::{MeteredSocket, Version};
use super::socket::HttpSocket;
use crate::client::Body;
use crate::client::http::{BodyFault, read};
use crate::client::response_meter::ResponseMeter;
use crate::client::sent_mark::SentMark;
use crate::router::BoxError;

/// The most bytes for the header block and read buffer of one connection.
const MAX_BUFFER: usize = 64 * 1024;

type Connection = http1::Connection<TokioIo<MeteredSocket<HttpSocket>>, Body>;

/// A response, with the outcome of reading its body.
pub(super) type Answered = (http::response::Parts, Result<Bytes, BodyFault>);

/// A connection.
pub(super) struct Http1 {
    /// Goes before the driver, which then closes the connection.
    sender: SendRequest<Body>,
    driver: Driver,
    meter: ResponseMeter,
}

impl Http1 {
    /// A connection over this socket. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// None that is known; the HTTP library may have one.
    pub(super) async fn open(socket: HttpSocket) -> hyper::Result<Self> {
        let socket = MeteredSocket::new(socket, Version::Http1);
        let meter = socket.meter();
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MAX_BUFFER);
        let (sender, connection) = builder.handshake(TokioIo::new(socket)).await?;
        Ok(Self {
            sender,
            driver: Driver(Some(connection)),
            meter,
        })
    }

    /// Whether a request can be sent now: the last response was read to its end, and the server has
    /// sent nothing since, not even the end of the connection.
    pub(super) fn is_ready(&mut self) -> bool {
        self.driver.drive_quietly();
        self.has_room()
    }

    /// The same, right after a response was read, when the driver has just been polled.
    pub(super) fn is_done(&mut self) -> bool {
        self.has_room() || self.is_ready()
    }

    fn has_room(&self) -> bool {
        self.sender.is_ready() && !self.driver.has_ended()
    }

    /// Sends a request and reads the response, up to `max` bytes of its body. The mark is set, unless
    /// nothing was written.
    ///
    /// # Errors
    ///
    /// If there is no head of a response. What happens to the body is not an error here.
    pub(super) fn exchange(
        &mut self,
        request: Request<Body>,
        mark: &SentMark,
        max: usize,
    ) -> impl Future<Output = hyper::Result<Answered>> + Send {
        mark.set(true);
        // The request goes straight into the queue of the connection.
        let response = unconstrained(self.sender.try_send_request(request));
        let (driver, meter) = (&mut self.driver, &self.meter);
        async move {
            let mut response = pin!(response);
            let response = poll_fn(|cx| {
                driver.drive(cx);
                // Only the driver can complete it, which was just polled. So nobody has to be woken.
                let mut quiet = Context::from_waker(Waker::noop());
                response.as_mut().poll(&mut quiet)
            });
            let (head, body) = match response.await {
                Ok(response) => response.into_parts(),
                Err(unanswered) => {
                    mark.set(unanswered.message().is_none());
                    return Err(unanswered.into_error());
                }
            };
            let body = read(Driven { body, driver }, max, Some(meter)).await;
            Ok((head, body))
        }
    }
}

/// The reading and writing side of a connection; `None` once that has ended. Then everybody who waits
/// for something from it has got an error.
struct Driver(Option<Connection>);

impl Driver {
    fn has_ended(&self) -> bool {
        self.0.is_none()
    }

    /// Reads and writes as much as is possible now.
    fn drive(&mut self, cx: &mut Context<'_>) {
        // An error is told to the request.
        let polled = self
            .0
            .as_mut()
            .map(|connection| Pin::new(connection).poll(cx));
        if let Some(Poll::Ready(_)) = polled {
            self.0 = None;
        }
    }

    /// The same, but nobody is woken when more is possible.
    fn drive_quietly(&mut self) {
        let mut quiet = Context::from_waker(Waker::noop());
        let driving = poll_fn(|cx| {
            self.drive(cx);
            Poll::Ready(())
        });
        let _ = pin!(unconstrained(driving)).poll(&mut quiet);
    }
}

impl Drop for Driver {
    /// Closes the connection, whose sender is gone. Over TLS the server is told, if there is room.
    fn drop(&mut self) {
        self.drive_quietly();
    }
}

/// The body of a response, whose reader drives the connection.
struct Driven<'a> {
    body: Incoming,
    driver: &'a mut Driver,
}

impl HttpBody for Driven<'_> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let mut quiet = Context::from_waker(Waker::noop());
        let mut frame = Pin::new(&mut this.body).poll_frame(&mut quiet);
        if frame.is_pending() {
            this.driver.drive(cx);
            frame = Pin::new(&mut this.body).poll_frame(&mut quiet);
        }
        if frame.is_pending() && this.driver.has_ended() {
            return Poll::Ready(Some(Err("the connection has ended".into())));
        }
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixStream;
    use tokio::time::sleep;

    use super::*;

    fn request() -> Request<Body> {
        let mut request = Request::new(Body::from("{}"));
        *request.method_mut() = http::Method::POST;
        request
    }

    /// Lets the runtime see what has happened to its sockets.
    async fn settle() {
        sleep(Duration::from_millis(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_sent_only_if_something_was_written() {
        for (is_closed, is_sent) in [(true, false), (false, true)] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let mut connection = Http1::open(HttpSocket::Unix(ours)).await.unwrap();
            assert!(connection.is_ready());
            let server = async {
                if !is_closed {
                    theirs.read_u8().await.unwrap();
                }
                drop(theirs);
            };
            let mark = SentMark::default();
            let outcome = match is_closed {
                true => {
                    server.await;
                    settle().await;
                    connection.exchange(request(), &mark, 100).await
                }
                false => tokio::join!(connection.exchange(request(), &mark, 100), server).0,
            };
            assert!(outcome.is_err());
            assert_eq!(!mark.retract(), is_sent, "closed before: {is_closed}");
            assert!(!connection.is_ready());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_ready_again_after_each_response() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut connection = Http1::open(HttpSocket::Unix(ours)).await.unwrap();
        let mut room = [0; 1024];
        // The last one is not asked for.
        for is_asked in [true, true, false] {
            let answer = async {
                if is_asked {
                    assert!(theirs.read(&mut room).await.unwrap() > 0);
                }
                let text = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";
                theirs.write_all(text).await.unwrap();
            };
            if is_asked {
                let mark = SentMark::default();
                let asking = connection.exchange(request(), &mark, 100);
                let (outcome, ()) = tokio::join!(asking, answer);
                assert_eq!(outcome.unwrap().1.ok().unwrap(), "[]");
                assert!(!mark.retract() && connection.is_done());
            } else {
                answer.await;
                settle().await;
            }
            assert_eq!(connection.is_ready(), is_asked);
        }
        // It was closed.
        drop(connection);
        assert_eq!(theirs.read(&mut room).await.unwrap(), 0);
    }
}
