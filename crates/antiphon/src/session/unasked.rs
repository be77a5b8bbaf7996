//! Budget of messages that nobody has asked for: notifications without a listener, calls of methods
//! that do not exist, progress, cancellations, and text that is no message.
//!
//! An honest server may be chatty: a language server sends its log, and the diagnostics of a whole
//! workspace. It does not do so at megabytes a second for minutes.

use antiphon_proto::{Entry, Incoming};

use super::phase::StopReason;
use super::rate_budget::RateBudget;
use crate::dispatch::Dispatcher;

/// Bytes that may come at once.
const BURST: usize = 64 * 1024 * 1024;

/// Bytes that may come in each second beyond that.
const PER_SECOND: usize = 8 * 1024 * 1024;

/// What a message costs beside its bytes: even the shortest one has to be parsed.
const PER_MESSAGE: usize = 512;

#[derive(Debug)]
pub(crate) struct Unasked(RateBudget);

impl Unasked {
    pub(super) fn new() -> Self {
        Self(RateBudget::new(BURST, PER_SECOND))
    }

    /// Counts messages of so many bytes together.
    ///
    /// # Errors
    ///
    /// If there were too many.
    pub(super) fn count(&mut self, messages: usize, bytes: usize) -> Result<(), StopReason> {
        if messages == 0 {
            return Ok(());
        }
        let cost = bytes.saturating_add(messages.saturating_mul(PER_MESSAGE));
        let spent = self.0.spend(cost, || 0);
        spent.map_err(|_| StopReason::policy("the peer sends too much that nobody has asked for"))
    }
}

/// How many entries are neither calls nor notifications for a method that there is.
pub(super) fn strangers(message: &Incoming, dispatcher: &Dispatcher) -> usize {
    let entries = match message {
        Incoming::Single(entry) => std::slice::from_ref(entry),
        Incoming::Batch(entries) => entries,
    };
    let is_known = |entry: &&Entry| match entry {
        Entry::Request(request) => dispatcher.knows(request),
        _ => false,
    };
    entries.len() - entries.iter().filter(is_known).count()
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Poll;

    use antiphon_proto::Framing;
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::call_origin::{Connection, Transport};
    use crate::memory_budget::Account;
    use crate::router::Router;
    use crate::session::{Session, SessionConfig, Wire as _};
    use crate::session_state::End;
    use crate::transport::framed::StreamWire;
    use crate::transport::memory;

    /// Sends this message up to 1,000 times to a client that accepts 100 of its size. Returns how
    /// the session ended, if it did.
    async fn flood(message: &str) -> Option<Arc<End>> {
        let here = Router::new().method_fn("known", || ());
        let (ours, mut theirs) = memory::pair();
        let connection = Connection::new(Transport::Tcp, None, Account::unlimited());
        let config = SessionConfig::default();
        let here = here.build().unwrap();
        let mut session = Session::new(ours, here, connection, false, &config, |_| {});
        let cost = message.len() + PER_MESSAGE * message.matches("jsonrpc").count().max(1);
        session.unasked = Some(Unasked(RateBudget::new(100 * cost, 1)));
        let session = tokio::spawn(session);
        for _ in 0..1000 {
            theirs.send(&mut message.as_bytes().to_vec());
            let written = poll_fn(|cx| {
                // What comes back is not of interest.
                while let Poll::Ready(Some(Ok(_))) = theirs.poll_receive(cx) {}
                theirs.poll_flush(cx)
            });
            if written.await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        match session.is_finished() {
            true => Some(session.await.unwrap()),
            false => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_has_asked_for_is_limited_and_what_the_router_has_is_not() {
        let error = r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#;
        let notice = |name: &str, params: &str| {
            format!(r#"{{"jsonrpc":"2.0","method":"{name}","params":{params}}}"#)
        };
        let table = [
            (notice("unknown", "[]"), true),
            (notice("known", "[]"), false),
            (notice("item", r#"{"subscription":"s","result":1}"#), true),
            (notice("$/progress", r#"{"token":1,"value":1}"#), true),
            (notice("$/cancelRequest", r#"{"id":1}"#), true),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"unknown"}"#.into(),
                true,
            ),
            (r#"{"jsonrpc":"2.0","id":1,"method":"known"}"#.into(), false),
            (
                format!("[{},{}]", notice("a", "[]"), notice("b", "[]")),
                true,
            ),
            (
                format!("[{},{}]", notice("known", "[]"), notice("known", "[]")),
                false,
            ),
            (error.into(), true),
            ("[]".into(), true),
            ("[1]".into(), true),
            ("nonsense".into(), true),
        ];
        for (message, ends) in table {
            let end = flood(&message).await;
            let reason = end.map(|end| (end.misbehaved, end.reason.clone().into_owned()));
            let text = "the peer sends too much that nobody has asked for";
            let expected = ends.then(|| (true, text.to_owned()));
            assert_eq!(reason, expected, "{message}");
        }
    }

    /// All is there at once, so the session never has to wait for it.
    #[tokio::test]
    async fn a_flood_leaves_room_for_other_tasks() {
        let notice = r#"{"jsonrpc":"2.0","method":"m"}"#;
        let flood = format!("{notice}\n").repeat(50_000);
        let (mut server, ours) = tokio::io::duplex(flood.len());
        server.write_all(flood.as_bytes()).await.unwrap();
        drop(server);
        let wire = StreamWire::new(ours, Framing::Newline, 1000, &Account::unlimited());
        let connection = Connection::new(Transport::Tcp, None, Account::unlimited());
        let here = Router::new().build().unwrap();
        let config = SessionConfig::default();
        let session = Session::new(wire, here, connection, false, &config, |_| {});
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let other = tokio::spawn(poll_fn(move |cx| {
            counted.fetch_add(1, Ordering::Relaxed);
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        let end = tokio::spawn(session.limit_unasked()).await.unwrap();
        assert!(!end.misbehaved, "{}", end.reason);
        other.abort();
        let turns = turns.load(Ordering::Relaxed);
        assert!(turns >= 50_000 / 256, "{turns}");
    }
}
