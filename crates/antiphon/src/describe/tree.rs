//! A router as data: names, doc comments and parameters of its methods.
//!
//! A [`Tree`] is created when a router is frozen, and never changes. Methods access it through
//! [`Context::router`](crate::Context::router).

use std::sync::{Arc, Mutex};

use serde_json::value::RawValue;

use crate::describe::access::Access;
use crate::describe::effects::Effects;
use crate::describe::remote::RemoteNode;
use crate::describe::schema_source::{DefaultSource, SchemaSource};
use crate::error::ErrorInfo;
use crate::identity::Requirement;
use crate::subscription::{Kind, Options};

/// Who reads a document or a listing: which methods it shows.
///
/// ```
/// use antiphon::{Access, Reader};
///
/// let everybody = Reader::from(Access::Public);
/// let strangers = everybody.anonymous();
/// assert_ne!(everybody, strangers);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reader {
    access: Access,
    is_anonymous: bool,
}

impl Reader {
    /// The same reader, if the server asks who it is and it has not said: it sees only
    /// [public](MethodInfo::is_public) methods.
    #[must_use]
    pub fn anonymous(self) -> Self {
        Self {
            is_anonymous: self.access < Access::Admin,
            ..self
        }
    }

    /// The access level.
    #[must_use]
    pub fn access(self) -> Access {
        self.access
    }

    /// Whether it has not said who it is.
    #[must_use]
    pub fn is_anonymous(self) -> bool {
        self.is_anonymous
    }

    /// Whether it may see this method.
    #[must_use]
    pub fn sees(self, method: &MethodInfo) -> bool {
        method.access <= self.access && (method.is_public() || !self.is_anonymous)
    }
}

impl From<Access> for Reader {
    /// A reader who is known, or whom nobody asks.
    fn from(access: Access) -> Self {
        Self {
            access,
            is_anonymous: false,
        }
    }
}

/// A method, as shown in documents and listings.
#[derive(Clone, Debug)]
pub struct MethodInfo {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) format: String,
    pub(crate) params: Vec<ParamInfo>,
    /// Schema of the result; of an item for a subscription.
    pub(crate) result: SchemaSource,
    pub(crate) errors: Vec<ErrorInfo>,
    pub(crate) examples: Vec<String>,
    pub(crate) deprecated: Option<String>,
    pub(crate) access: Access,
    pub(crate) requirement: Requirement,
    pub(crate) cost: u32,
    pub(crate) effects: Effects,
    pub(crate) destructive: Option<bool>,
    pub(crate) is_tool: bool,
    /// Set if the method returns a subscription.
    pub(crate) subscription: Option<Options>,
    /// Index of its node.
    pub(crate) node: usize,
}

impl MethodInfo {
    /// The full name that callers use: `calc.add`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The doc comment; empty if there is none.
    #[must_use]
    pub fn doc(&self) -> &str {
        &self.doc
    }

    /// The value of `format`; `json` unless the method sets another one.
    #[must_use]
    pub fn format(&self) -> &str {
        &self.format
    }

    /// The parameters, in order.
    #[must_use]
    pub fn params(&self) -> &[ParamInfo] {
        &self.params
    }

    /// Whether the method returns a subscription, whose items follow as notifications.
    #[must_use]
    pub fn is_subscription(&self) -> bool {
        self.subscription.is_some()
    }

    /// The method name of the notifications that carry the items; `None` if this is no
    /// subscription.
    #[must_use]
    pub fn notification(&self) -> Option<&str> {
        let options = self.subscription.as_ref()?;
        Some(options.notification.as_deref().unwrap_or(&self.name))
    }

    /// The name of the method that ends such a subscription: `rpc.unsubscribe`, unless the method
    /// sets another one. `None` if this is no subscription.
    #[must_use]
    pub fn unsubscribe(&self) -> Option<&str> {
        let options = self.subscription.as_ref()?;
        Some(options.unsubscribe.as_deref().unwrap_or("rpc.unsubscribe"))
    }

    /// Whether the notifications of its subscriptions have no `seq` and `end`.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.subscription
            .as_ref()
            .is_some_and(|options| options.plain)
    }

    /// Whether a subscription can begin behind an item that was seen before: it is one to a
    /// [`Topic`](crate::Topic), whose items have cursors. How far back depends on the topic.
    #[must_use]
    pub fn resumes(&self) -> bool {
        self.subscription
            .as_ref()
            .is_some_and(|options| options.kind == Kind::Topic && !options.plain)
    }

    /// Whether its handler opens a subscription, or fails, and nothing else.
    pub(crate) fn only_streams(&self) -> bool {
        let kind = self.subscription.as_ref().map(|options| options.kind);
        matches!(kind, Some(Kind::Stream | Kind::Topic))
    }

    /// The application errors that the method declares.
    #[must_use]
    pub fn errors(&self) -> &[ErrorInfo] {
        &self.errors
    }

    /// The examples, as JSON text: `{"params": [3, 4], "result": 7}`.
    #[must_use]
    pub fn examples(&self) -> &[String] {
        &self.examples
    }

    /// The reason if the method is deprecated; it may be empty.
    #[must_use]
    pub fn deprecated(&self) -> Option<&str> {
        self.deprecated.as_deref()
    }

    /// The access level that callers need.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// Whether anonymous callers may call it, once a server has an
    /// [`Authenticator`](crate::Authenticator).
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.requirement.public
    }

    /// The scopes that callers need, all of them: those of the method and of its routers.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.requirement.scopes.iter().map(|scope| &**scope)
    }

    /// How many calls it counts as for a [`RateLimit`](crate::RateLimit); 0 if it is exempt.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// Whether it may run twice for one call, with the same effect as once.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.effects >= Effects::Idempotent
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.effects == Effects::ReadOnly
    }

    /// Whether a call may destroy something; `None` if the method does not say.
    #[must_use]
    pub fn is_destructive(&self) -> Option<bool> {
        self.destructive
    }

    /// Whether agents get it as a tool; see the feature `mcp`.
    #[must_use]
    pub fn is_tool(&self) -> bool {
        self.is_tool && !self.is_subscription()
    }
}

/// A parameter of a method.
#[derive(Clone, Debug)]
pub struct ParamInfo {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) required: bool,
    pub(crate) flattened: bool,
    pub(crate) schema: SchemaSource,
    pub(crate) default: DefaultSource,
}

impl ParamInfo {
    /// The name that callers use. The name of a [flattened](Self::is_flattened) parameter is not
    /// used by callers.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The description in documents; empty if there is none.
    #[must_use]
    pub fn documentation(&self) -> &str {
        &self.doc
    }

    /// Whether calls without it are refused.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Whether it collects all members that match no other parameter. A method with such a
    /// parameter can only be called by name.
    #[must_use]
    pub fn is_flattened(&self) -> bool {
        self.flattened
    }
}

/// The description of a built router: its methods, and the nested routers that they belong to.
#[derive(Clone, Debug)]
pub struct Tree(Arc<Inner>);

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) methods: Vec<MethodInfo>,
    pub(crate) nodes: Vec<NodeInner>,
    /// The methods of other servers that it forwards.
    pub(crate) remotes: Vec<RemoteNode>,
    /// The documents of the router. Each is generated once, on first use, and again when another
    /// server has described its methods anew.
    cache: Cache,
}

/// Slots for generated documents: one for each kind of reader and format, with the number of the
/// descriptions that it was made of.
pub(crate) type Cache = [Mutex<Option<(u64, Arc<RawValue>)>>; 10];

#[derive(Debug)]
pub(crate) struct NodeInner {
    /// The prefix of its methods' names: `calc.`, or empty for the root.
    pub(crate) prefix: String,
    pub(crate) title: String,
    pub(crate) documentation: String,
    pub(crate) version: String,
    pub(crate) parent: Option<usize>,
    /// Name and node index of each nested router.
    pub(crate) children: Vec<(String, usize)>,
    /// Indexes of its own methods, in the order in which they were added.
    pub(crate) methods: Vec<usize>,
}

impl Tree {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The root router.
    #[must_use]
    pub fn root(&self) -> Node {
        self.node(0)
    }

    /// All methods in a stable order: the methods of a router by name, then its nested routers in
    /// the order in which they were nested.
    ///
    /// Those that the reader may not see are left out: a `reader` is an access level, or
    /// [`Context::reader`](crate::Context::reader). So are those of other servers
    /// ([`Router::nest_remote`](crate::Router::nest_remote)), which change; documents show them.
    #[must_use]
    pub fn methods(&self, reader: impl Into<Reader>) -> Vec<&MethodInfo> {
        let mut found = Vec::with_capacity(self.0.methods.len());
        self.collect(0, reader.into(), &mut found);
        found
    }

    /// The number of methods of all access levels.
    pub(crate) fn len(&self) -> usize {
        self.0.methods.len()
    }

    fn collect<'a>(&'a self, node: usize, reader: Reader, found: &mut Vec<&'a MethodInfo>) {
        let Some(node) = self.0.nodes.get(node) else {
            return;
        };
        let mut own: Vec<_> = node
            .methods
            .iter()
            .filter_map(|&at| self.0.methods.get(at))
            .collect();
        own.sort_by(|a, b| a.name.cmp(&b.name));
        found.extend(own.into_iter().filter(|method| reader.sees(method)));
        for &(_, child) in &node.children {
            self.collect(child, reader, found);
        }
    }

    /// The router that a method belongs to.
    #[must_use]
    pub fn node_of(&self, method: &MethodInfo) -> Node {
        self.node(method.node)
    }

    pub(crate) fn node(&self, index: usize) -> Node {
        Node {
            tree: self.clone(),
            index,
        }
    }

    /// The other servers whose methods are forwarded for this reader.
    pub(crate) fn remotes(&self, reader: Reader) -> impl Iterator<Item = &RemoteNode> {
        let is_seen = move |remote: &&RemoteNode| {
            let info = self.method(remote.route);
            info.is_some_and(|info| reader.sees(info))
        };
        self.0.remotes.iter().filter(is_seen)
    }

    /// Waits until all of them have described their methods, or cannot be reached.
    pub(crate) async fn asked(&self) {
        let asked: Vec<_> = (self.0.remotes.iter())
            .map(|remote| remote.source.asked())
            .collect();
        for asked in asked {
            asked.await;
        }
    }

    /// All other servers whose methods are forwarded.
    pub(crate) fn all_remotes(&self) -> &[RemoteNode] {
        &self.0.remotes
    }

    /// Whether a method of another server opens subscriptions, as far as anybody can tell: `route` is
    /// that of the method that forwards it.
    pub(crate) fn remote_streams(&self, route: usize, name: &str) -> Option<bool> {
        let mut known = Some(false);
        for remote in self.0.remotes.iter().filter(|remote| remote.route == route) {
            let node = self.node(remote.node);
            let Some(name) = name.strip_prefix(node.prefix()) else {
                continue;
            };
            match remote.source.streams(name) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => known = None,
            }
        }
        known
    }

    /// A number that is higher when another server has described its methods anew.
    pub(crate) fn described(&self) -> u64 {
        let all = self.0.remotes.iter();
        let numbers = all.filter_map(|remote| Some(remote.source.described()?.0));
        numbers.fold(0, u64::wrapping_add)
    }

    /// Whether a method of this router has this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.methods.iter().any(|method| method.name == name)
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.0.cache
    }

    pub(crate) fn method(&self, index: usize) -> Option<&MethodInfo> {
        self.0.methods.get(index)
    }
}

/// One router of a [`Tree`]: the root or a nested router.
#[derive(Clone, Debug)]
pub struct Node {
    tree: Tree,
    index: usize,
}

impl Node {
    /// The prefix of its methods' names: `calc.`, or empty for the root.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.inner().map_or("", |node| &node.prefix)
    }

    /// The prefix without the separator at its end: `calc`, or empty for the root.
    #[must_use]
    pub fn namespace(&self) -> &str {
        let prefix = self.prefix();
        let Some(parent) = self.parent() else {
            return prefix;
        };
        let siblings = parent.inner().map(|node| node.children.as_slice());
        let mut siblings = siblings.unwrap_or_default().iter();
        let own = siblings.find(|(_, index)| *index == self.index);
        let length = parent.prefix().len() + own.map_or(0, |(name, _)| name.len());
        prefix.get(..length).unwrap_or(prefix)
    }

    /// The title: the one set on the router, or the name of the type.
    #[must_use]
    pub fn title(&self) -> &str {
        self.inner().map_or("", |node| &node.title)
    }

    /// The documentation: the one set on the router, or the doc comment of the `#[rpc]` block.
    #[must_use]
    pub fn documentation(&self) -> &str {
        self.inner().map_or("", |node| &node.documentation)
    }

    /// The version of the interface; empty if none is set.
    #[must_use]
    pub fn version(&self) -> &str {
        self.inner().map_or("", |node| &node.version)
    }

    /// The router that this one is nested in; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let parent = self.inner()?.parent?;
        Some(self.tree.node(parent))
    }

    /// The root router.
    #[must_use]
    pub fn root(&self) -> Self {
        self.tree.root()
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.index == 0
    }

    /// The router that is nested under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Self> {
        let children = &self.inner()?.children;
        let (_, child) = children.iter().find(|(known, _)| known == name)?;
        Some(self.tree.node(*child))
    }

    /// The names of the routers nested in this one, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let children = self.inner().map(|node| node.children.as_slice());
        children
            .unwrap_or_default()
            .iter()
            .map(|(name, _)| name.as_str())
            .collect()
    }

    fn inner(&self) -> Option<&NodeInner> {
        self.tree.0.nodes.get(self.index)
    }
}
