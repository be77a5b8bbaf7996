//! Body of a request or response.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::memory_budget::{Payload, Reservation};
use crate::router::BoxError;
use crate::transport::http::events::Events;

/// The body of a request or response.
///
/// A response body is a single chunk unless it is an event stream. A request body that a
/// [`Server`](crate::Server) passes to an HTTP layer is read from the connection as it is polled.
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Whole(Bytes),
    Events(Box<Events>),
    Incoming(hyper::body::Incoming),
    /// The response body that an HTTP layer has returned.
    Layered(http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }
}

impl From<Payload> for Body {
    /// What is reserved for the text is returned when the connection has sent it.
    fn from(payload: Payload) -> Self {
        Self(Kind::Whole(bytes(payload)))
    }
}

/// The bytes of a text, with what is reserved for it.
fn bytes(payload: Payload) -> Bytes {
    let Payload { text, held } = payload;
    match held {
        None => text.into(),
        Some(mut held) => {
            held.is_unwritten();
            Bytes::from_owner(Held { text, _held: held })
        }
    }
}

/// Bytes with what is reserved for them.
struct Held {
    text: Vec<u8>,
    _held: Box<Reservation>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

impl From<Events> for Body {
    fn from(events: Events) -> Self {
        Self(Kind::Events(Box::new(events)))
    }
}

impl From<hyper::body::Incoming> for Body {
    fn from(incoming: hyper::body::Incoming) -> Self {
        Self(Kind::Incoming(incoming))
    }
}

impl Body {
    pub(crate) fn layered<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        use http_body_util::BodyExt as _;
        Self(Kind::Layered(body.map_err(Into::into).boxed_unsync()))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Kind::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Kind::Events(events) => {
                let next = events.poll_next(cx);
                next.map(|text| text.map(|text| Ok(Frame::data(bytes(text)))))
            }
            Kind::Incoming(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Kind::Layered(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Events(_) => false,
            Kind::Incoming(body) => body.is_end_stream(),
            Kind::Layered(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Events(_) => SizeHint::default(),
            Kind::Incoming(body) => body.size_hint(),
            Kind::Layered(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("size", &self.size_hint().exact())
            .finish()
    }
}
