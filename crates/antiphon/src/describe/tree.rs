//! Tree of a router as data: names, docs and parameters of its methods.
//!
//! A [`Tree`] is made once, when a router is frozen, and never changes. Methods see it through
//! [`Context::router`](crate::Context::router).

use std::sync::Arc;
use std::sync::OnceLock;

use serde_json::value::RawValue;

use crate::describe::schema::{DefaultSource, SchemaSource};
use crate::error::ErrorInfo;
use crate::subscription::Options;

/// Who may see and call a method, and what a caller may see: whoever has more may also do what is
/// open to those with less. To anybody else a method does not exist.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[non_exhaustive]
pub enum Access {
    /// Everybody.
    #[default]
    Public,
    /// Callers on this machine; see [`Context::is_local`](crate::Context::is_local).
    Local,
    /// Who runs the server: callers with its admin token, or on its control socket.
    Admin,
}

/// A method as documents and listings show it.
#[derive(Clone, Debug)]
pub struct MethodInfo {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) format: String,
    pub(crate) params: Vec<ParamInfo>,
    /// Of the result, or of an item.
    pub(crate) result: SchemaSource,
    pub(crate) errors: Vec<ErrorInfo>,
    pub(crate) examples: Vec<String>,
    pub(crate) deprecated: Option<String>,
    pub(crate) access: Access,
    /// Set if its result is a subscription.
    pub(crate) subscription: Option<Options>,
    /// Index of the node it belongs to.
    pub(crate) node: usize,
}

impl MethodInfo {
    /// The full name, as a caller writes it: `calc.add`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The doc comment; empty if there is none.
    #[must_use]
    pub fn doc(&self) -> &str {
        &self.doc
    }

    /// The word given as `format`; `json` unless the method says otherwise.
    #[must_use]
    pub fn format(&self) -> &str {
        &self.format
    }

    /// The parameters in order.
    #[must_use]
    pub fn params(&self) -> &[ParamInfo] {
        &self.params
    }

    /// Whether it is answered with a subscription, whose items follow as notifications.
    #[must_use]
    pub fn is_subscription(&self) -> bool {
        self.subscription.is_some()
    }

    /// The name of the notifications that carry the items; `None` if it is no subscription.
    #[must_use]
    pub fn notification(&self) -> Option<&str> {
        let options = self.subscription.as_ref()?;
        Some(options.notification.as_deref().unwrap_or(&self.name))
    }

    /// The name of the method that ends such a subscription: `rpc.unsubscribe`, unless the method
    /// says otherwise. `None` if it is no subscription.
    #[must_use]
    pub fn unsubscribe(&self) -> Option<&str> {
        let options = self.subscription.as_ref()?;
        Some(options.unsubscribe.as_deref().unwrap_or("rpc.unsubscribe"))
    }

    /// Whether the notifications of its subscriptions come without `seq` and `end`.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.subscription
            .as_ref()
            .is_some_and(|options| options.plain)
    }

    /// The errors of the program's own that it may answer with, as far as it says so.
    #[must_use]
    pub fn errors(&self) -> &[ErrorInfo] {
        &self.errors
    }

    /// The examples, as JSON texts: `{"params": [3, 4], "result": 7}`.
    #[must_use]
    pub fn examples(&self) -> &[String] {
        &self.examples
    }

    /// Whether callers should use something else, and the reason; the reason may be empty.
    #[must_use]
    pub fn deprecated(&self) -> Option<&str> {
        self.deprecated.as_deref()
    }

    /// Who may call it.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
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
    /// The name a caller uses. One that is [flattened](Self::is_flattened) has a name that no
    /// caller uses.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What documents say about it; empty if there is nothing.
    #[must_use]
    pub fn documentation(&self) -> &str {
        &self.doc
    }

    /// Whether a call without it is refused.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Whether it takes all members that no other parameter takes. Such a method is called by name
    /// only.
    #[must_use]
    pub fn is_flattened(&self) -> bool {
        self.flattened
    }
}

/// A frozen router: every method it has, and the place of each.
#[derive(Clone, Debug)]
pub struct Tree(Arc<Inner>);

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) methods: Vec<MethodInfo>,
    pub(crate) nodes: Vec<NodeInner>,
    /// The documents of the router, each made when it is asked for first: they never change.
    cache: Cache,
}

/// Places for what is made of a router: one for each kind of reader and each form.
pub(crate) type Cache = [OnceLock<Option<Box<RawValue>>>; 6];

#[derive(Debug)]
pub(crate) struct NodeInner {
    /// What stands before the names of its methods: `calc.`, or nothing for the root.
    pub(crate) prefix: String,
    pub(crate) title: String,
    pub(crate) documentation: String,
    pub(crate) version: String,
    pub(crate) parent: Option<usize>,
    /// The name it was nested under, and its index.
    pub(crate) children: Vec<(String, usize)>,
    /// Indexes of its own methods, in the order they were added.
    pub(crate) methods: Vec<usize>,
}

impl Tree {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The router everything hangs on.
    #[must_use]
    pub fn root(&self) -> Node {
        self.node(0)
    }

    /// All methods in a stable order: those of a router by name, then its nested routers in the
    /// order they were nested.
    ///
    /// `reader` is what whoever reads them may call: what is beyond that does not exist for them.
    #[must_use]
    pub fn methods(&self, reader: Access) -> Vec<&MethodInfo> {
        let mut found = Vec::with_capacity(self.0.methods.len());
        self.collect(0, reader, &mut found);
        found
    }

    /// How many methods there are, for whomever.
    pub(crate) fn len(&self) -> usize {
        self.0.methods.len()
    }

    fn collect<'a>(&'a self, node: usize, reader: Access, found: &mut Vec<&'a MethodInfo>) {
        let Some(node) = self.0.nodes.get(node) else {
            return;
        };
        let mut own: Vec<_> = node
            .methods
            .iter()
            .filter_map(|&at| self.0.methods.get(at))
            .collect();
        own.sort_by(|a, b| a.name.cmp(&b.name));
        found.extend(own.into_iter().filter(|method| method.access <= reader));
        for &(_, child) in &node.children {
            self.collect(child, reader, found);
        }
    }

    /// The router a method belongs to.
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

    pub(crate) fn cache(&self) -> &Cache {
        &self.0.cache
    }

    pub(crate) fn method(&self, index: usize) -> Option<&MethodInfo> {
        self.0.methods.get(index)
    }
}

/// One router of a [`Tree`]: the root, or one that was nested.
#[derive(Clone, Debug)]
pub struct Node {
    tree: Tree,
    index: usize,
}

impl Node {
    /// What stands before the names of its methods: `calc.`, or nothing for the root.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.inner().map_or("", |node| &node.prefix)
    }

    /// The prefix without the separator behind it: `calc`, or nothing for the root.
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

    /// The title: given, or the name of the type.
    #[must_use]
    pub fn title(&self) -> &str {
        self.inner().map_or("", |node| &node.title)
    }

    /// The documentation: given, or the doc comment of the `#[rpc]` block.
    #[must_use]
    pub fn documentation(&self) -> &str {
        self.inner().map_or("", |node| &node.documentation)
    }

    /// The version of the interface; empty if none is given.
    #[must_use]
    pub fn version(&self) -> &str {
        self.inner().map_or("", |node| &node.version)
    }

    /// The router this one is nested in; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let parent = self.inner()?.parent?;
        Some(self.tree.node(parent))
    }

    /// The router everything hangs on.
    #[must_use]
    pub fn root(&self) -> Self {
        self.tree.root()
    }

    /// Whether it is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.index == 0
    }

    /// The router nested under this name.
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
