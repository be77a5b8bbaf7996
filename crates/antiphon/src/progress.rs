//! Progress of a call, which its method tells the caller.

use std::future::poll_fn;

use antiphon_proto::message;
use serde::Serialize;

use crate::context::{Context, PROGRESS};
use crate::memory_budget::{Payload, Wait};

impl Context {
    /// Reports progress to the caller: sends the notification `$/progress` with the id of the call
    /// as `token`, and this `value`. It waits while too many bytes are queued for writing.
    ///
    /// A client of the Model Context Protocol gets `notifications/progress` with its own token, if it has
    /// given one. There a value is a number that rises, an object with `progress`, `total` and `message`,
    /// or a message.
    ///
    /// Nothing is sent if the call did not come over a session, if it is a notification, if the value
    /// cannot be serialized, or if the server has no memory for it.
    ///
    /// ```
    /// use antiphon::{Context, Router};
    ///
    /// let router = Router::new().method_fn("copy", |ctx: Context, files: u32| async move {
    ///     for file in 0..files {
    ///         ctx.progress(&file).await;
    ///     }
    /// });
    /// ```
    pub async fn progress<T: Serialize + ?Sized + Sync>(&self, value: &T) {
        if self.mcp().is_some() {
            self.tell_client(value).await;
        } else if let Some(id) = &self.id {
            self.tell_progress(id.as_str(), value).await;
        }
    }

    /// Reports progress like [`progress`](Self::progress), with a token that the caller has passed.
    /// In the Language Server Protocol, this is the parameter `workDoneToken`.
    pub async fn progress_to<T, V>(&self, token: &T, value: &V)
    where
        T: Serialize + ?Sized + Sync,
        V: Serialize + ?Sized + Sync,
    {
        if let Ok(token) = serde_json::to_string(token) {
            self.tell_progress(&token, value).await;
        }
    }

    async fn tell_progress<T: Serialize + ?Sized + Sync>(&self, token: &str, value: &T) {
        let Some(handle) = &self.origin.session else {
            return;
        };
        poll_fn(|cx| handle.poll_room(cx)).await;
        let mut text = Vec::with_capacity(128);
        // As if the value were empty; then the value and the brackets follow.
        let params = format!("{{\"token\":{token},\"value\":");
        message::write_request(&mut text, "2.0", None, PROGRESS, Some(&params));
        text.pop();
        let account = &self.origin.connection.memory;
        let mut message = Payload::from(text);
        let (wait, name) = (Wait::Never, &"progress");
        let written = message.write(value, usize::MAX, account, wait, name);
        message.extend_anyway(b"}}");
        // Many calls may tell of it at the same time, so it is held however short it is.
        if written.is_ok() && message.hold_all(account).is_ok() {
            handle.post(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use super::*;
    use crate::Router;
    use crate::call_origin::{Connection, Transport};
    use crate::memory_budget::account::Accounts;
    use crate::session_state::{Arrivals, SessionHandle};

    #[tokio::test]
    async fn progress_is_reserved_until_it_is_written_and_dropped_without_memory() {
        let tell = |ctx: Context, size: usize| async move { ctx.progress(&"x".repeat(size)).await };
        let dispatcher = Router::new().method_fn("tell", tell).build().unwrap();
        let accounts = Accounts::new(0, 400_000);
        let account = accounts.open();
        let used = || accounts.budgets.responses.used();
        let connection = Connection::new(Transport::Tcp, None, Arc::clone(&account));
        let handle = SessionHandle::new(Arc::default(), &account, true);
        for (size, told) in [(3, true), (30_000, true), (390_000, false)] {
            let mut origin = dispatcher.origin(Arc::clone(&connection), true);
            origin.session = Some(handle.clone());
            let call = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tell","params":[{size}]}}"#);
            let answering = dispatcher.dispatch(call.into(), Arc::new(origin), &connection);
            assert!(answering.await.text.is_some());
            let mut posted = VecDeque::new();
            handle.fetch(0, &mut posted, &mut Arrivals::default());
            assert_eq!(posted.len(), usize::from(told), "{size}");
            if let Some(message) = posted.pop_front() {
                assert!(used() >= message.payload.len(), "{size}");
                let text = String::from_utf8(message.payload.text).unwrap();
                let begin =
                    r#"{"jsonrpc":"2.0","method":"$/progress","params":{"token":7,"value":"x"#;
                assert!(
                    text.starts_with(begin) && text.ends_with("x\"}}"),
                    "{text:.200}"
                );
            }
            drop(posted);
            assert_eq!(used(), 0, "{size}");
        }
    }

    /// An error may have any data.
    #[tokio::test]
    async fn a_large_error_is_reserved_or_replaced() {
        use antiphon_proto::ErrorObject;

        let fail =
            |size: usize| Err::<(), _>(ErrorObject::new(7, "no").with_data(&"x".repeat(size)));
        let dispatcher = Router::new().method_fn("fail", fail).build().unwrap();
        let accounts = Accounts::new(0, 100_000);
        let account = accounts.open();
        let connection = Connection::new(Transport::Tcp, None, Arc::clone(&account));
        for (size, code) in [(3, 7), (30_000, 7), (90_000, -32000)] {
            let origin = Arc::new(dispatcher.origin(Arc::clone(&connection), true));
            let call = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"fail","params":[{size}]}}"#);
            let answered = dispatcher.dispatch(call.into(), origin, &connection).await;
            let answer = answered.text.unwrap();
            let text = String::from_utf8_lossy(&answer.text);
            assert!(text.contains(&format!("\"code\":{code},")), "{text:.200}");
            let used = accounts.budgets.responses.used();
            assert!(answer.len() <= 4096 || used >= answer.len(), "{size}");
        }
    }
}
