//! Call that takes longer: acknowledged, shown to run by beats, cancelled when nobody waits for it.
//!
//! Acknowledgements and beats ask the caller to answer on a subject of this call. A caller cancels the
//! call there. If it is gone, the broker says so there, because nobody reads its inbox any more.

use std::pin::pin;
use std::time::Duration;

use async_nats::Subject;
use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::headers;
use super::long_calls::LongCall;
use super::serving::Service;
use crate::dispatch::{Answered, Work};

/// When a call that runs is acknowledged.
const ACKNOWLEDGED: Duration = Duration::from_millis(250);

/// How often it shows then that it still runs.
const BEAT: Duration = Duration::from_secs(1);

/// Runs a call to its end; `None` if it was cancelled. Nobody is told of a notification.
pub(super) async fn run(
    service: &Service,
    work: Work,
    reply: Option<&Subject>,
) -> Option<Answered> {
    let Some(reply) = reply else {
        return Some(work.await);
    };
    let mut work = pin!(work);
    let mut due = pin!(sleep(ACKNOWLEDGED));
    let mut call: Option<LongCall> = None;
    loop {
        let cancelled = async {
            match &call {
                Some(call) => call.cancelled.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            answered = &mut work => return Some(answered),
            () = cancelled => return None,
            () = &mut due => {}
        }
        let long = call.get_or_insert_with(|| service.long.register(service.link.secret()));
        if service.link.is_up() {
            let control = format!("{}.{}", service.long.subject(), long.secret);
            let (headers, nothing) = (headers::running(), Bytes::new());
            let client = service.link.client();
            let beat =
                client.publish_with_reply_and_headers(reply.clone(), control, headers, nothing);
            // A broker that takes nothing must not keep the call from going on.
            tokio::select! {
                answered = &mut work => return Some(answered),
                _ = beat => {}
            }
        }
        due.as_mut().reset(Instant::now() + BEAT);
    }
}
