//! Reader of a caller's inbox: responses, signs of life, the end of the connection.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Message, StatusCode, Subject, Subscriber};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::headers;
use super::link::{Link, next};
use super::table::{Answer, Table};

/// How long a server may be silent about a request. It acknowledges one that takes longer than 250 ms, and
/// sends a beat each second.
const SILENCE: Duration = Duration::from_millis(2500);

/// How often silent ones are looked for.
const LOOK: Duration = Duration::from_millis(250);

/// The inbox of a client.
pub(super) struct Inbox {
    pub(super) link: Link,
    pub(super) subscriber: Subscriber,
    pub(super) table: Arc<Table>,
    /// Where calls are cancelled for which nobody waits any more.
    pub(super) cancels: mpsc::Receiver<Subject>,
    /// What all such subjects begin with. Others are not published to, whoever asks for it.
    pub(super) control: String,
}

impl Inbox {
    /// Reads until the connection is given up.
    pub(super) async fn run(self) {
        let Self {
            mut link,
            mut subscriber,
            table,
            mut cancels,
            control,
        } = self;
        let mut losses = link.clone();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut cancelled = Vec::new();
            tokio::select! {
                biased;
                message = next(&mut subscriber) => match message {
                    Some(message) => cancelled.extend(take(message, &table)),
                    None => break,
                },
                () = losses.lost() => table.lose_all(),
                _ = look.tick() => cancelled = table.give_up_silent(SILENCE),
                unwanted = cancels.recv() => match unwanted {
                    Some(unwanted) => cancelled.push(unwanted),
                    None => break,
                },
            }
            let ours = |subject: &Subject| subject.starts_with(control.as_str());
            for subject in cancelled.into_iter().filter(ours) {
                cancel(&mut link, subject).await;
            }
        }
        table.lose_all();
    }
}

/// Takes a message. Returns where to cancel a call for which nobody waits.
fn take(message: Message, table: &Table) -> Option<Subject> {
    let key = message.subject.rsplit('.').next()?.parse().ok()?;
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        table.settle(key, Answer::NobodyServes);
    } else if headers::is_running(&message) {
        let control = message.reply;
        return match table.beat(key, control.clone()) {
            true => None,
            false => control,
        };
    } else {
        table.settle(key, Answer::Response(message.payload));
    }
    None
}

async fn cancel(link: &mut Link, subject: Subject) {
    if link.is_up() {
        let (headers, nothing) = (headers::cancel(), Bytes::new());
        let _ = link
            .client()
            .publish_with_headers(subject, headers, nothing)
            .await;
    }
}
