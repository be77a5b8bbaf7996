//! Changes that clients listen to: `subscriptions/listen`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;

use antiphon_proto::{ErrorCode, message};
use serde_json::{Map, Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::params::{Filter, SUBSCRIPTION_ID};
use crate::call::Reply;
use crate::memory_budget::{Account, Payload};
use crate::session_state::SessionHandle;

/// How many changes may wait for a slow listener. One that misses some is told that all has changed.
const WAITING: usize = 64;

/// The most bytes of the addresses of one listener's resources.
const MAX_ADDRESSES: usize = 64 * 1024;

/// What has changed.
#[derive(Clone, Debug)]
enum Change {
    Tools,
    Prompts,
    Resources,
    Resource(Arc<str>),
}

/// Tells clients of the Model Context Protocol what has changed, if they listen: since 2026-07-28. It is
/// cheap to clone.
///
/// ```
/// use antiphon::Router;
/// use antiphon::mcp::{Changes, Mcp};
///
/// let changes = Changes::new();
/// let mcp = Mcp::new(Router::new()).changes(&changes);
/// changes.resource("file:///notes.txt");
/// ```
#[derive(Clone, Debug)]
pub struct Changes(Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Self::new()
    }
}

impl Changes {
    /// Changes that nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self(broadcast::channel(WAITING).0)
    }

    /// There are other tools.
    pub fn tools(&self) {
        self.tell(Change::Tools);
    }

    /// There are other prompts.
    pub fn prompts(&self) {
        self.tell(Change::Prompts);
    }

    /// There are other resources.
    pub fn resources(&self) {
        self.tell(Change::Resources);
    }

    /// The resource at this address has another content.
    pub fn resource(&self, uri: &str) {
        self.tell(Change::Resource(uri.into()));
    }

    /// It fails only if nobody listens.
    fn tell(&self, change: Change) {
        let _ = self.0.send(change);
    }
}

/// What one listener wants to know.
pub(super) struct Listening {
    tools: bool,
    prompts: bool,
    resources: bool,
    uris: BTreeSet<Box<str>>,
    /// The id of its request, as JSON.
    id: Value,
    receiver: Option<Receiver<Change>>,
}

impl Listening {
    pub(super) fn new(filter: Option<&Filter<'_>>, id: &str, changes: Option<&Changes>) -> Self {
        let told = filter.filter(|_| changes.is_some());
        let has = |flag: fn(&Filter<'_>) -> bool| told.is_some_and(flag);
        let uris = told.map(|filter| filter.resource_subscriptions.as_slice());
        let mut left = MAX_ADDRESSES;
        let fits = |uri: &&Cow<'_, str>| match left.checked_sub(uri.len()) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        let uris = uris.unwrap_or_default().iter().filter(fits);
        Self {
            tools: has(|filter| filter.tools_list_changed),
            prompts: has(|filter| filter.prompts_list_changed),
            resources: has(|filter| filter.resources_list_changed),
            uris: uris.map(|uri: &Cow<'_, str>| Box::from(&**uri)).collect(),
            id: serde_json::from_str(id).unwrap_or_default(),
            receiver: changes.map(|changes| changes.0.subscribe()),
        }
    }

    /// What it gets of what it has asked for.
    fn acknowledged(&self) -> Value {
        let mut all = Map::new();
        for (has, name) in [
            (self.tools, "toolsListChanged"),
            (self.prompts, "promptsListChanged"),
            (self.resources, "resourcesListChanged"),
        ] {
            if has {
                all.insert(name.to_owned(), true.into());
            }
        }
        if !self.uris.is_empty() {
            let uris: Vec<_> = self.uris.iter().map(|uri| Value::from(&**uri)).collect();
            all.insert("resourceSubscriptions".to_owned(), uris.into());
        }
        all.into()
    }

    /// The notification of a change; `None` if it is of no interest.
    fn notification(&self, change: &Change) -> Option<(&'static str, Map<String, Value>)> {
        let none = Map::new();
        match change {
            Change::Tools if self.tools => Some(("notifications/tools/list_changed", none)),
            Change::Prompts if self.prompts => Some(("notifications/prompts/list_changed", none)),
            Change::Resources if self.resources => {
                Some(("notifications/resources/list_changed", none))
            }
            Change::Resource(uri) if self.uris.contains(&**uri) => {
                let params = Map::from_iter([("uri".to_owned(), Value::from(&**uri))]);
                Some(("notifications/resources/updated", params))
            }
            _ => None,
        }
    }

    /// Tells of changes until the server stops. The reply is the end of it.
    pub(super) async fn run(
        mut self,
        handle: SessionHandle,
        account: Arc<Account>,
        stop: Option<WaitForCancellationFutureOwned>,
        result: Value,
    ) -> Reply {
        let acknowledged = Map::from_iter([("notifications".to_owned(), self.acknowledged())]);
        self.post(
            &handle,
            &account,
            "notifications/subscriptions/acknowledged",
            acknowledged,
        )
        .await;
        let telling = async {
            let Some(mut receiver) = self.receiver.take() else {
                return std::future::pending().await;
            };
            loop {
                let changes = match receiver.recv().await {
                    Ok(change) => vec![change],
                    Err(RecvError::Lagged(_)) => self.all(),
                    Err(RecvError::Closed) => return std::future::pending().await,
                };
                for change in &changes {
                    if let Some((method, params)) = self.notification(change) {
                        self.post(&handle, &account, method, params).await;
                    }
                }
            }
        };
        match stop {
            Some(stop) => tokio::select! {
                () = telling => {}
                () = stop => {}
            },
            None => telling.await,
        }
        let mut result = result;
        result["_meta"][SUBSCRIPTION_ID] = self.id;
        Reply::ok(&result)
    }

    /// All that it wants to know of.
    fn all(&self) -> Vec<Change> {
        let mut all = vec![Change::Tools, Change::Prompts, Change::Resources];
        all.extend(
            self.uris
                .iter()
                .map(|uri| Change::Resource((&**uri).into())),
        );
        all
    }

    async fn post(
        &self,
        handle: &SessionHandle,
        account: &Arc<Account>,
        method: &str,
        mut params: Map<String, Value>,
    ) {
        poll_fn(|cx| handle.poll_room(cx)).await;
        params.insert("_meta".to_owned(), json!({SUBSCRIPTION_ID: self.id}));
        let params = Value::Object(params).to_string();
        let mut text = Vec::new();
        message::write_request(&mut text, "2.0", None, method, Some(&params));
        let mut message = Payload::from(text);
        if message.hold_all(account).is_ok() {
            handle.post(message);
        }
    }
}

/// The error where nothing can follow a request.
pub(super) fn needs_stream() -> Reply {
    Reply::error(ErrorCode::NEEDS_SESSION)
}
