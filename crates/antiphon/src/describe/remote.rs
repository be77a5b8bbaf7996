//! Methods of other servers that a router forwards, as far as those describe them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::describe::access::Access;
use crate::describe::effects::Effects;

/// The most bytes of a name: as many as a method of a router may have.
pub(super) const MAX_NAME: usize = 256;

/// Where the description of another server's methods comes from.
pub(crate) trait RemoteSource: Send + Sync {
    /// The description as it is known now, and its number: each one has a higher number.
    fn described(&self) -> Option<(u64, Arc<RemoteMethods>)>;

    /// Waits until the other server has described its methods, or cannot be reached.
    fn asked(&self) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Whether a method opens subscriptions, by its name without the prefix of its router; `None` if
    /// nobody can tell yet.
    fn streams(&self, name: &str) -> Option<bool>;

    /// Who serves these methods, and how those servers are.
    fn served_by(&self) -> ServedBy;
}

/// Who serves the methods of a remote node.
#[derive(Debug, Default)]
pub(crate) struct ServedBy {
    /// The name of these servers for callers and in metrics; empty if they have none.
    pub(crate) name: Box<str>,
    /// Each of the servers, all of which serve the same.
    pub(crate) upstreams: Vec<UpstreamState>,
    /// Calls that were answered together with an equal one, and from the cache.
    pub(crate) joined: u64,
    pub(crate) cached: u64,
    /// Bytes of the cache.
    pub(crate) cache_bytes: u64,
    /// Whether the program is there to forward to these servers, and not ready without all of its
    /// servers.
    pub(crate) is_all: bool,
}

/// The state of one server that calls are forwarded to.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamState {
    /// Its address, for the operator.
    pub(crate) place: String,
    pub(crate) is_up: bool,
    pub(crate) in_flight: u64,
    /// Attempts, and those that have failed.
    pub(crate) calls: u64,
    pub(crate) failed: u64,
}

/// The methods of another server that a router forwards.
pub(crate) struct RemoteNode {
    /// The method that forwards them, by its index.
    pub(crate) route: usize,
    /// The node below which they are.
    pub(crate) node: usize,
    pub(crate) source: Arc<dyn RemoteSource>,
}

impl fmt::Debug for RemoteNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteNode").finish_non_exhaustive()
    }
}

/// What another server says of its methods: its OpenRPC document.
pub(crate) struct RemoteMethods {
    pub(crate) methods: Vec<RemoteMethod>,
    /// The document as it came.
    pub(crate) document: Box<RawValue>,
    /// What its names begin with, and ours do not.
    pub(crate) prefix: Box<str>,
}

/// What another server says of one of its methods.
pub(crate) struct RemoteMethod {
    /// Its name without the prefix.
    pub(crate) name: Box<str>,
    pub(crate) doc: Box<str>,
    /// The method that ends its subscriptions, if it opens some.
    pub(crate) unsubscribe: Option<Box<str>>,
    pub(crate) effects: Effects,
    /// Who may call it there. We may be a local caller of a server on this machine; our callers are not.
    pub(crate) access: Access,
}

/// The members of a document that are read here.
#[derive(Deserialize)]
struct Document {
    methods: Vec<Method>,
}

#[derive(Deserialize)]
struct Method {
    name: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    description: String,
    #[serde(default, rename = "x-subscription")]
    subscription: Option<Subscription>,
    #[serde(default, rename = "x-idempotent")]
    idempotent: bool,
    #[serde(default, rename = "x-read-only")]
    read_only: bool,
    #[serde(default, rename = "x-access")]
    access: Option<String>,
}

#[derive(Deserialize)]
struct Subscription {
    unsubscribe: Option<String>,
}

impl RemoteMethods {
    /// Reads a document. Names that do not begin with the prefix are left out, and so are those that
    /// nobody could call.
    ///
    /// # Errors
    ///
    /// If it is no document, or has more than `max` methods.
    pub(crate) fn read(document: Box<RawValue>, prefix: &str, max: usize) -> Result<Self, String> {
        let read: Document = serde_json::from_str(document.get()).map_err(|e| e.to_string())?;
        if read.methods.len() > max {
            return Err(format!(
                "it has {} methods, at most {max} are taken",
                read.methods.len()
            ));
        }
        let methods = read.methods.into_iter().filter_map(|method| {
            let name = method.name.strip_prefix(prefix)?;
            let bad = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
            if name.is_empty() || name.len() > MAX_NAME || name.contains(bad) {
                return None;
            }
            let unsubscribe = method.subscription.map(|told| {
                let own = told.unsubscribe.filter(|name| name.len() <= MAX_NAME);
                own.unwrap_or_else(|| "rpc.unsubscribe".to_owned()).into()
            });
            let doc = match method.description.is_empty() {
                true => method.summary,
                false => method.description,
            };
            let effects = match (method.read_only, method.idempotent) {
                (true, _) => Effects::ReadOnly,
                (false, true) => Effects::Idempotent,
                (false, false) => Effects::Any,
            };
            (!name.starts_with("rpc.")).then(|| RemoteMethod {
                name: name.into(),
                doc: doc.into(),
                unsubscribe,
                effects,
                access: access(method.access.as_deref()),
            })
        });
        let mut methods: Vec<_> = methods.collect();
        methods.sort_by(|a, b| a.name.cmp(&b.name));
        methods.dedup_by(|a, b| a.name == b.name);
        Ok(Self {
            methods,
            document,
            prefix: prefix.into(),
        })
    }

    /// What it says of a method, by its name without the prefix.
    pub(crate) fn get(&self, name: &str) -> Option<&RemoteMethod> {
        let at = self
            .methods
            .binary_search_by(|method| (*method.name).cmp(name));
        self.methods.get(at.ok()?)
    }
}

/// The access that a document demands. What is not known is for nobody but admins.
fn access(text: Option<&str>) -> Access {
    match text {
        None => Access::Public,
        Some("local") => Access::Local,
        Some(_) => Access::Admin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, prefix: &str) -> Result<Vec<String>, String> {
        let document = RawValue::from_string(text.to_owned()).map_err(|e| e.to_string())?;
        let read = RemoteMethods::read(document, prefix, 3)?;
        let line = |method: &RemoteMethod| {
            let ends = method.unsubscribe.as_deref().unwrap_or("-");
            let mark = match method.effects {
                Effects::Any => "",
                Effects::Idempotent => " again",
                Effects::ReadOnly => " reads",
            };
            format!("{} {} {ends}{mark}", method.name, method.doc)
        };
        Ok(read.methods.iter().map(line).collect())
    }

    #[test]
    fn a_document_is_read_as_far_as_it_is_one() {
        for (text, prefix, expected) in [
            (r#"{"methods":[]}"#, "", Some(&[][..])),
            (
                r#"{"methods":[{"name":"b","summary":"B."},{"name":"a","description":"A.","summary":"x"}]}"#,
                "",
                Some(&["a A. -", "b B. -"]),
            ),
            (
                r#"{"methods":[{"name":"m.a"},{"name":"b"},{"name":"m."}]}"#,
                "m.",
                Some(&["a  -"]),
            ),
            (
                r#"{"methods":[{"name":"s","x-subscription":{}},{"name":"t","x-subscription":{"unsubscribe":"u"}}]}"#,
                "",
                Some(&["s  rpc.unsubscribe", "t  u"]),
            ),
            (
                r#"{"methods":[{"name":"rpc.x"},{"name":"a\n"},{"name":"a"}]}"#,
                "",
                Some(&["a  -"]),
            ),
            (
                r#"{"methods":[{"name":"a"},{"name":"a"}]}"#,
                "",
                Some(&["a  -"]),
            ),
            (
                r#"{"methods":[{"name":"a","x-idempotent":true},{"name":"b","x-read-only":true}]}"#,
                "",
                Some(&["a  - again", "b  - reads"]),
            ),
            (
                r#"{"methods":[{"name":"a","x-read-only":"yes"}]}"#,
                "",
                None,
            ),
            (r#"{"methods":[{},{}]}"#, "", None),
            (
                r#"{"methods":[{"name":"a"},{"name":"b"},{"name":"c"},{"name":"d"}]}"#,
                "",
                None,
            ),
            (r#"{"methods":{}}"#, "", None),
            ("7", "", None),
            ("null", "", None),
        ] {
            let found = read(text, prefix);
            match expected {
                Some(expected) => assert_eq!(
                    found.as_deref(),
                    Ok(&*expected.iter().map(|s| s.to_string()).collect::<Vec<_>>()),
                    "{text}"
                ),
                None => assert!(found.is_err(), "{text}"),
            }
        }
    }
}
