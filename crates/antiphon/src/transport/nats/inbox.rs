//! Reader of a caller's inbox: responses, signs of life, the end of the connection.

use std::sync::Arc;

use async_nats::{Message, StatusCode, Subject, Subscriber};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::headers;
use super::link::{Link, next};
use super::table::{Answer, Table};

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
        loop {
            let cancelled = tokio::select! {
                () = losses.lost() => {
                    table.lose_all();
                    None
                }
                message = next(&mut subscriber) => match message {
                    Some(message) => take(message, &table),
                    None => break,
                },
                cancelled = cancels.recv() => match cancelled {
                    Some(cancelled) => Some(cancelled),
                    None => break,
                },
            };
            if let Some(subject) = cancelled
                && subject.starts_with(control.as_str())
            {
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
