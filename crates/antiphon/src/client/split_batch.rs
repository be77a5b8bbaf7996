//! Batch through a broker: each entry is a request of its own, and may reach another server.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use antiphon_proto::{Id, RawJson};
use bytes::Bytes;
use tokio::task::JoinSet;

use super::batch_responses::{Responses, SUBJECT};
use super::error::{Error, Reason};
use super::prepared_request::Addressee;
use super::request::Outgoing;
use super::shared::Shared;
use super::transport::ClientTransport;
use crate::current_call::CurrentCall;

/// One entry.
pub(super) struct SplitEntry {
    pub(super) method: String,
    /// Where it is in the text of the batch.
    pub(super) text: Range<usize>,
    /// Its id and its place among the calls; `None` for a notification.
    pub(super) call: Option<(Id, usize)>,
}

/// Sends all entries at the same time, and waits for their responses. Those in the last ones that do not
/// fit into the limit of a batch are dropped.
///
/// # Errors
///
/// If no entry was answered.
pub(super) async fn send(
    shared: &Arc<Shared>,
    text: &Bytes,
    entries: &[SplitEntry],
    timeout: Option<Duration>,
    current: &CurrentCall,
    mut responses: Responses,
) -> Result<Responses, Error> {
    let mut tasks = JoinSet::new();
    for entry in entries {
        let (shared, current) = (Arc::clone(shared), current.clone());
        let (method, text) = (entry.method.clone(), text.slice(entry.text.clone()));
        let (id, place) = entry.call.clone().unzip();
        tasks.spawn(async move {
            let sent = send_one(&shared, &method, text, id, timeout, current);
            (place, sent.await)
        });
    }
    let (mut left, mut is_answered, mut missing) =
        (shared.calls.max_batch_response, false, Vec::new());
    while let Some(joined) = tasks.join_next().await {
        let Ok((place, outcome)) = joined else {
            missing.push((None, Error::unknown(SUBJECT, Reason::Transport)));
            continue;
        };
        let outcome = outcome.and_then(|result| {
            let length = result.as_ref().map_or(0, |result| result.as_str().len());
            left = left.checked_sub(length).ok_or_else(|| {
                let max = shared.calls.max_batch_response;
                Error::unknown(SUBJECT, Reason::TooLong(max))
            })?;
            Ok(result)
        });
        match outcome {
            Ok(result) => {
                is_answered = true;
                let slot = place.and_then(|place| responses.calls.get_mut(place));
                if let (Some(slot), Some(result)) = (slot, result) {
                    slot.outcome = Some(Ok(result));
                }
            }
            Err(error) => {
                is_answered |= error.code().is_some();
                missing.push((place, error));
            }
        }
    }
    // Keep the responses that have arrived. If there are none, the batch fails as a whole.
    if !is_answered && let Some((_, error)) = missing.pop() {
        return Err(error);
    }
    for (place, error) in missing {
        if let Some(place) = place {
            responses.miss_one(place, error);
        }
    }
    Ok(responses)
}

/// Sends one entry. A notification has no result.
async fn send_one(
    shared: &Arc<Shared>,
    method: &str,
    text: Bytes,
    id: Option<Id>,
    timeout: Option<Duration>,
    current: CurrentCall,
) -> Result<Option<RawJson>, Error> {
    let subject = format!("`{method}`");
    let ClientTransport::Http(http) = &shared.transport else {
        return Err(Error::local(SUBJECT, "it goes through no broker"));
    };
    let outgoing = Outgoing {
        subject: &subject,
        addressee: Some(Addressee {
            method,
            is_answered: id.is_some(),
        }),
        text,
        timeout,
        current,
        max: shared.calls.max_response,
    };
    let answer = shared.post(http, outgoing).await?;
    let rules = &shared.calls.rules;
    match id {
        Some(id) => answer.single(&subject, Some(&id), rules).map(Some),
        None => answer.nothing(&subject, rules).map(|()| None),
    }
}
