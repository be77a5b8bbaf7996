//! Response body that reports its progress to the connection's clock.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::router::BoxError;
use crate::transport::http::body::Body;
use crate::transport::http::deadlines::InRequest;

/// A response body and the guard of its request.
#[derive(Debug)]
pub(crate) struct Tracked {
    body: Body,
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

/// A chunk of the body. Over HTTP/2 it tells how much of it has been sent: the HTTP/2 library takes
/// from it what the peer's windows allow, as it is written.
#[derive(Debug)]
pub(crate) struct Chunk {
    data: Bytes,
    request: Option<Arc<InRequest>>,
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.data.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.data
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
        if let Some(request) = &self.request {
            request.sent(count);
        }
    }
}

impl Tracked {
    pub(crate) fn new(body: Body, mut request: InRequest) -> Self {
        request.answered(body.is_end_stream());
        Self {
            body,
            request: if request.is_multiplexed() {
                RequestGuard::Among(Arc::new(request))
            } else {
                RequestGuard::Alone { _request: request }
            },
        }
    }
}

impl HttpBody for Tracked {
    type Data = Chunk;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, BoxError>>> {
        let this = &mut *self;
        let next = Pin::new(&mut this.body).poll_frame(cx);
        let request = match &this.request {
            RequestGuard::Among(request) => Some(request),
            RequestGuard::Alone { .. } => None,
        };
        if let Some(request) = request
            && next.is_pending()
        {
            request.waits();
        }
        let frame = match ready!(next) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        };
        Poll::Ready(Some(Ok(frame.map_data(|data| {
            if let Some(request) = request {
                request.taken(data.len());
            }
            Chunk {
                data,
                request: request.cloned(),
            }
        }))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
