//! Share of framing in a request body.
//!
//! A body may come in chunks or HTTP/2 frames of one byte, with white space or leading zeros in
//! each chunk size. Then five or fifty bytes are read and parsed for each byte of content, within
//! all limits of size and time. A body that is mostly framing is refused.

use std::sync::Arc;

use http::Version;
use http_body::SizeHint;

use crate::transport::http::deadlines::Clock;
use crate::transport::http::refusal::Refusal;

/// How many pieces a body may have, however short they are.
const MAX_PIECES: u64 = 32 * 1024;
/// A body may have one more piece per this many bytes. Chunks of twice the size pass even if the
/// network splits many of them.
const BYTES_PER_PIECE: u64 = 8;
/// Bytes of framing that a body may have beyond the size of its content.
const MAX_FRAMING: u64 = 16 * 1024;

/// Counts the bytes that arrive on an HTTP/1 connection.
#[derive(Clone, Debug)]
pub(crate) struct WireCounter {
    clock: Arc<Clock>,
    /// Bytes that may be counted although they are no part of the body: its head, and the next
    /// requests.
    others: u64,
}

impl WireCounter {
    pub(crate) fn new(clock: &Arc<Clock>, others: usize) -> Self {
        Self {
            clock: Arc::clone(clock),
            others: others as u64,
        }
    }
}

/// The framing of one request body, as far as it has arrived.
#[derive(Debug)]
pub(crate) struct BodyFraming<'a> {
    /// Whether the body comes in pieces that the peer chooses, and not in those of the network.
    in_pieces: bool,
    pieces: u64,
    content: u64,
    wire: Option<&'a WireCounter>,
}

impl<'a> BodyFraming<'a> {
    /// The framing of a body that is about to be read. Over HTTP/1 a body of known size has none.
    pub(crate) fn new(version: Version, size: &SizeHint, wire: Option<&'a WireCounter>) -> Self {
        let is_chunked = size.exact().is_none();
        let multiplexed = version >= Version::HTTP_2;
        Self {
            in_pieces: is_chunked || multiplexed,
            pieces: 0,
            content: 0,
            wire: wire.filter(|_| is_chunked && !multiplexed),
        }
    }

    /// Counts a piece of content.
    ///
    /// # Errors
    ///
    /// If the body is mostly framing.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.pieces += 1;
        self.content += bytes as u64;
        let too_many = self.in_pieces && self.pieces > MAX_PIECES + self.content / BYTES_PER_PIECE;
        let too_long = self.wire.is_some_and(|wire| {
            let received = wire.clock.bytes_of_request();
            received > wire.others + MAX_FRAMING + 2 * self.content
        });
        match too_many || too_long {
            true => Err(Refusal::bad_request("the request body is mostly framing")),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_budget::Account;
    use crate::transport::http::deadlines::Timeouts;

    const OTHERS: usize = 100_000;

    /// Reads a body of so many pieces. Each comes with so many bytes of content and of framing.
    fn check(version: Version, exact: bool, pieces: u64, content: usize, framing: usize) -> bool {
        let timeouts = Timeouts {
            header: None,
            idle: None,
            write: None,
        };
        let clock = Clock::new(timeouts, Account::unlimited());
        let wire = WireCounter::new(&clock, OTHERS);
        let size = match exact {
            true => SizeHint::with_exact(pieces * content as u64),
            false => SizeHint::default(),
        };
        // An earlier request.
        clock.received(5_000_000);
        drop(clock.request());
        let mut body = BodyFraming::new(version, &size, Some(&wire));
        (0..pieces).all(|_| {
            clock.received(content + framing);
            body.add(content).is_ok()
        })
    }

    #[tokio::test]
    async fn a_body_that_is_mostly_framing_is_refused() {
        const H1: Version = Version::HTTP_11;
        const H2: Version = Version::HTTP_2;
        for (version, exact, pieces, content, framing, expected) in [
            // The network may split a body of known size as it likes.
            (H1, true, 1_000_000, 1, 0, true),
            (H1, false, 1, 10_000_000, 5, true),
            (H1, false, 100_000, 16, 6, true),
            (H1, false, 25_000, 1, 5, true),
            (H1, false, 40_000, 1, 5, false),
            (H1, false, 100_000, 4, 5, false),
            // The head, and next requests, which were read ahead.
            (H1, false, 1, 10, OTHERS, true),
            // A chunk size with zeros or white space.
            (H1, false, 1, 10, OTHERS + 20_000, false),
            (H1, false, 100, 10_000, 5_000, true),
            (H1, false, 100, 10_000, 20_000, false),
            (H2, false, 100_000, 16, 9, true),
            (H2, false, 30_000, 1, 9, true),
            (H2, false, 40_000, 1, 9, false),
            (H2, true, 40_000, 1, 9, false),
            (H2, false, 40_000, 0, 9, false),
            (H2, true, 1_000, 16_384, 9, true),
        ] {
            assert_eq!(
                check(version, exact, pieces, content, framing),
                expected,
                "{version:?}, {pieces} of {content} and {framing}, exact {exact}"
            );
        }
    }
}
