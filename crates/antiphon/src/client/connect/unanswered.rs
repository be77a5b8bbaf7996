//! Request to which there was no response.

use http::Request;
use hyper::client::conn::TrySendError;

use crate::client::Body;

/// Why there was no response.
pub(super) struct Unanswered {
    pub(super) error: hyper::Error,
    /// The request, if nothing of it was written.
    pub(super) unsent: Option<Request<Body>>,
}

impl Unanswered {
    pub(super) fn new(mut error: TrySendError<Request<Body>>) -> Box<Self> {
        let unsent = error.take_message();
        Box::new(Self {
            error: error.into_error(),
            unsent,
        })
    }
}
