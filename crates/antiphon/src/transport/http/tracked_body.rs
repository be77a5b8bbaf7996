//! Response body that reports its progress to the connection's clock.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::router::BoxError;
use crate::transport::http::body::Body;
use crate::transport::http::deadlines::InRequest;

/// A response body and the guard of its request.
#[derive(Debug)]
pub(crate) struct Tracked {
    body: Body,
    /// The rest of the last data frame.
    rest: Bytes,
    request: RequestGuard,
}

#[derive(Debug)]
enum RequestGuard {
    /// HTTP/1: the response has been sent when the body is dropped.
    Alone { _request: InRequest },
    /// HTTP/2: hyper drops the body when it has queued the last chunk, so each chunk holds the
    /// guard.
    Among(Arc<InRequest>),
}

/// Maximum size of a chunk over HTTP/2. When a chunk has been sent, the peer has made progress.
/// Each chunk boundary costs a few small frames, so chunks must not be much smaller.
const PIECE: usize = 256 * 1024;

/// A chunk of the body, dropped when it has been sent.
struct Piece {
    data: Bytes,
    request: Arc<InRequest>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // If this is the last reference, the request ends anyway.
        if Arc::strong_count(&self.request) > 1 {
            self.request.sent();
        }
    }
}

impl Tracked {
    pub(crate) fn new(body: Body, mut request: InRequest) -> Self {
        request.answered(body.is_end_stream());
        Self {
            body,
            rest: Bytes::new(),
            request: if request.is_multiplexed() {
                RequestGuard::Among(Arc::new(request))
            } else {
                RequestGuard::Alone { _request: request }
            },
        }
    }
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let RequestGuard::Among(request) = &this.request else {
            return Pin::new(&mut this.body).poll_frame(cx);
        };
        if this.rest.is_empty() {
            let next = Pin::new(&mut this.body).poll_frame(cx);
            if next.is_pending() {
                request.waits();
            }
            match ready!(next) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        request.taken();
        let piece = Piece {
            data: this.rest.split_to(PIECE.min(this.rest.len())),
            request: Arc::clone(request),
        };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let body = self.body.size_hint();
        let mut size = SizeHint::new();
        if let Some(upper) = body.upper() {
            size.set_upper(upper + rest);
        }
        size.set_lower(body.lower() + rest);
        size
    }
}
