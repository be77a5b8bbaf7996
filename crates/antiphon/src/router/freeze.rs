//! Router → one table of full names.
//!
//! Freezing happens once. It finds every conflict, applies the layers, and builds the [`Tree`] that
//! documents are made from. Afterwards a call costs one look-up.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use antiphon_proto::{ErrorCode, ErrorObject};
use tower_layer::Layer;
use tower_service::Service;

use crate::call::{Call, CallFuture, Reply};
use crate::error::internal_error;
#[cfg(feature = "describe")]
use crate::router::builtin::{DISCOVER, discover};
use crate::router::builtin::{UNSUBSCRIBE, unsubscribe};
use crate::router::method::{Handler, Method};
use crate::router::{BoxError, Router};
use crate::tree::{Inner, MethodInfo, NodeInner, Tree};

/// The longest name a method may have, in bytes.
pub(crate) const MAX_METHOD_LEN: usize = 256;

/// A router whose methods cannot be served as they are: all that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterError(Vec<Problem>);

/// One thing that is wrong with a router.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Two methods have this full name.
    DuplicateMethod(String),
    /// Two routers were nested under this name; `replace` would take the place of the first.
    UsedPrefix(String),
    /// Names that begin with `rpc.` belong to the protocol (JSON-RPC 2.0, section 8).
    ReservedName(String),
    /// A name is empty, longer than 256 bytes, or has a control character in it.
    BadName(String),
}

impl RouterError {
    /// What is wrong, in the order in which it was found.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for RouterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            let comma = if n > 0 { "; " } else { "" };
            match problem {
                Problem::DuplicateMethod(name) => {
                    write!(f, "{comma}two methods have the name {name:?}")?;
                }
                Problem::UsedPrefix(name) => {
                    write!(
                        f,
                        "{comma}two routers are nested under {name:?} (use `replace`?)"
                    )?;
                }
                Problem::ReservedName(name) => {
                    write!(
                        f,
                        "{comma}the name {name:?} begins with `rpc.`, which is reserved"
                    )?;
                }
                Problem::BadName(name) => write!(
                    f,
                    "{comma}{name:?} is no name: it must have 1 to {MAX_METHOD_LEN} bytes and no \
                     control characters"
                )?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for RouterError {}

/// A router that can be called.
pub(crate) struct Frozen {
    pub(crate) tree: Tree,
    pub(crate) endpoint: Endpoint,
}

/// What calls go to: the table of a router, or the layers around one.
///
/// It is the service that call layers wrap.
#[derive(Clone)]
pub struct Endpoint {
    table: Arc<Table>,
    /// Where calls go first, if there are any.
    layers: Option<Handler>,
}

/// By the bytes of the name: a call's need not be checked as UTF-8 to be looked up.
type Table = HashMap<Box<[u8]>, Entry, BuildHasherDefault<NameHasher>>;

struct Entry {
    handler: Handler,
    /// Index in the tree.
    route: usize,
}

impl Endpoint {
    /// Looks up the method's full name and calls it, through the layers if there are any. Also says
    /// which method that is: its index in the tree.
    pub(crate) fn route(&self, mut call: Call) -> (CallFuture, usize) {
        let entry = self.table.get(call.request.method_bytes());
        let route = entry.map_or(usize::MAX, |entry| entry.route);
        if let Some(layers) = &self.layers {
            return (layers(call), route);
        }
        if let Some(entry) = entry {
            call.route = route;
            let caller = call.scope.access();
            if call.method_info().is_none_or(|info| info.access <= caller) {
                return ((entry.handler)(call), route);
            }
        }
        let unknown = Reply::error(ErrorCode::METHOD_NOT_FOUND);
        (CallFuture::ready(unknown), usize::MAX)
    }
}

impl Service<Call> for Endpoint {
    type Response = Reply;
    type Error = Infallible;
    type Future = CallFuture;

    fn poll_ready(&mut self, _cx: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> CallFuture {
        self.route(call).0
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.table.keys().map(|name| String::from_utf8_lossy(name));
        f.debug_set().entries(names).finish()
    }
}

/// A layer of any type, applied to whatever is inside of it.
pub(crate) type BoxLayer = Arc<dyn Fn(Endpoint) -> Endpoint + Send + Sync>;

pub(crate) fn box_layer<L>(layer: L) -> BoxLayer
where
    L: Layer<Endpoint> + Send + Sync + 'static,
    L::Service: Service<Call, Response = Reply> + Clone + Send + Sync + 'static,
    <L::Service as Service<Call>>::Error: Into<BoxError>,
    <L::Service as Service<Call>>::Future: Send,
{
    Arc::new(move |inside| {
        let table = Arc::clone(&inside.table);
        let service = layer.layer(inside);
        let layers: Handler = Arc::new(move |call: Call| {
            let context = call.context();
            let mut service = service.clone();
            CallFuture::boxed(&context, async move {
                let ready = poll_fn(|cx| service.poll_ready(cx))
                    .await
                    .map_err(Into::into);
                let reply = match ready {
                    Ok(()) => service.call(call).await.map_err(Into::into),
                    Err(error) => Err(error),
                };
                reply.unwrap_or_else(|error| Reply::error(layer_error(error)))
            })
        });
        Endpoint {
            table,
            layers: Some(layers),
        }
    })
}

/// What a layer's error says to the caller.
fn layer_error(error: BoxError) -> ErrorObject {
    if error.is::<tower::timeout::error::Elapsed>() {
        return ErrorObject::of(ErrorCode::TIMEOUT);
    }
    if error.is::<tower::load_shed::error::Overloaded>() {
        return ErrorObject::of(ErrorCode::OVERLOADED);
    }
    match error.downcast::<ErrorObject>() {
        Ok(object) => *object,
        Err(error) => internal_error(&crate::error::Chain(&*error)),
    }
}

impl Router {
    pub(crate) fn freeze(self) -> Result<Frozen, RouterError> {
        let mut build = Build::default();
        let layers = self.layers.clone();
        let mut entries = build.node(self, "", ".", None);
        build.endings(&mut entries);
        #[cfg(feature = "describe")]
        discovery(&mut entries);
        let table = build.table(entries);
        if !build.problems.is_empty() {
            return Err(RouterError(build.problems));
        }
        Ok(Frozen {
            tree: Tree::new(build.tree),
            endpoint: stack(table, &layers),
        })
    }
}

/// Applies layers in order, each around what the ones before it made.
fn stack(endpoint: Endpoint, layers: &[BoxLayer]) -> Endpoint {
    layers.iter().fold(endpoint, |inside, layer| layer(inside))
}

#[derive(Default)]
struct Build {
    tree: Inner,
    problems: Vec<Problem>,
}

type Entries = Vec<(Box<str>, Entry)>;

impl Build {
    /// Adds a node for a router and for all that is nested in it; returns their entries. The layers
    /// of the router itself are left to the caller: at the root they see unknown methods too.
    fn node(
        &mut self,
        router: Router,
        prefix: &str,
        separator: &str,
        parent: Option<usize>,
    ) -> Entries {
        let node = self.tree.nodes.len();
        self.tree.nodes.push(NodeInner {
            prefix: prefix.to_owned(),
            title: router.title.clone().unwrap_or_default(),
            documentation: router.documentation.clone().unwrap_or_default(),
            version: router.version.clone().unwrap_or_default(),
            parent,
            children: Vec::new(),
            methods: Vec::new(),
        });
        self.content(router, prefix, separator, node)
    }

    /// Adds what is in a router to a node that exists.
    fn content(&mut self, router: Router, prefix: &str, separator: &str, node: usize) -> Entries {
        let separator = router.separator.as_deref().unwrap_or(separator);
        let mut entries = Entries::new();
        for method in router.methods {
            entries.push(self.method(method, prefix, node));
        }
        for (name, child) in router.children {
            self.child(&name, node);
            let layers = child.layers.clone();
            let prefix = format!("{prefix}{name}{separator}");
            let nested = self.node(child, &prefix, separator, Some(node));
            entries.extend(self.layered(nested, &layers));
        }
        for merged in router.merged {
            let layers = merged.layers.clone();
            let content = self.content(merged, prefix, separator, node);
            entries.extend(self.layered(content, &layers));
        }
        entries
    }

    /// Notes that the next node hangs under this name.
    fn child(&mut self, name: &str, node: usize) {
        if !is_name(name) {
            self.problems.push(Problem::BadName(name.to_owned()));
        }
        let next = self.tree.nodes.len();
        let Some(node) = self.tree.nodes.get_mut(node) else {
            return;
        };
        if node.children.iter().any(|(known, _)| known == name) {
            self.problems.push(Problem::UsedPrefix(name.to_owned()));
        }
        node.children.push((name.to_owned(), next));
    }

    fn method(&mut self, method: Method, prefix: &str, node: usize) -> (Box<str>, Entry) {
        let name = format!("{prefix}{}", method.name);
        if !is_name(&method.name) || name.len() > MAX_METHOD_LEN {
            self.problems.push(Problem::BadName(name.clone()));
        } else if name.starts_with("rpc.") {
            self.problems.push(Problem::ReservedName(name.clone()));
        }
        let route = self.tree.methods.len();
        if let Some(node) = self.tree.nodes.get_mut(node) {
            node.methods.push(route);
        }
        let handler = method.handler;
        self.tree.methods.push(MethodInfo {
            name: name.clone(),
            doc: method.doc,
            format: method.format,
            params: method.params,
            result: method.result,
            errors: method.errors,
            examples: method.examples,
            deprecated: method.deprecated,
            access: method.access,
            subscription: method.subscription,
            node,
        });
        (name.into(), Entry { handler, route })
    }

    /// Adds the methods that end subscriptions, unless the user has methods of these names.
    fn endings(&self, entries: &mut Entries) {
        let options = self.tree.methods.iter();
        let options: Vec<_> = options.filter_map(|m| m.subscription.as_ref()).collect();
        if options.is_empty() {
            return;
        }
        let named = options.iter().filter_map(|o| o.unsubscribe.as_deref());
        for name in named.chain([UNSUBSCRIBE]) {
            if !entries.iter().any(|(known, _)| &**known == name) {
                let handler: Handler = Arc::new(unsubscribe);
                // It is in no document: those tell of it where a method is a subscription.
                let route = usize::MAX;
                entries.push((name.into(), Entry { handler, route }));
            }
        }
    }

    /// The same entries, all going through one instance of the layers.
    fn layered(&mut self, entries: Entries, layers: &[BoxLayer]) -> Entries {
        if layers.is_empty() {
            return entries;
        }
        let names: Vec<_> = entries
            .iter()
            .map(|(name, entry)| (name.clone(), entry.route))
            .collect();
        let endpoint = stack(self.table(entries), layers);
        let handler: Handler = Arc::new(move |call| endpoint.route(call).0);
        let through = |(name, route)| {
            let handler = Arc::clone(&handler);
            (name, Entry { handler, route })
        };
        names.into_iter().map(through).collect()
    }

    fn table(&mut self, entries: Entries) -> Endpoint {
        let mut table = Table::default();
        for (name, entry) in entries {
            if table.contains_key(name.as_bytes()) {
                self.problems.push(Problem::DuplicateMethod(name.into()));
            } else {
                table.insert(name.into_boxed_bytes(), entry);
            }
        }
        Endpoint {
            table: Arc::new(table),
            layers: None,
        }
    }
}

/// Adds the method that describes all others. As what ends subscriptions it is in no document.
#[cfg(feature = "describe")]
fn discovery(entries: &mut Entries) {
    if !entries.iter().any(|(known, _)| &**known == DISCOVER) {
        let handler: Handler = Arc::new(discover);
        let route = usize::MAX;
        entries.push((DISCOVER.into(), Entry { handler, route }));
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER)
}

/// FNV-1a. The names in the table are the program's own, so a peer cannot choose ones that collide,
/// and a look-up of a short name costs a few nanoseconds instead of twenty.
#[derive(Clone)]
struct NameHasher(u64);

impl Default for NameHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Access;

    fn problems(router: Router) -> Vec<Problem> {
        router
            .freeze()
            .err()
            .map(|error| error.0)
            .unwrap_or_default()
    }

    fn one(name: &str) -> Router {
        Router::default().method_fn(name, || 1)
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let router = one("a")
            .method_fn("a", || 2)
            .method_fn("rpc.x", || 1)
            .method_fn("", || 1)
            .nest("n", one("a"))
            .nest("n", one("b"));
        assert_eq!(
            problems(router),
            [
                Problem::ReservedName("rpc.x".into()),
                Problem::BadName(String::new()),
                Problem::UsedPrefix("n".into()),
                Problem::DuplicateMethod("a".into()),
            ]
        );
    }

    #[test]
    fn a_nested_name_may_not_meet_a_flat_one() {
        let router = one("n.a").nest("n", one("a"));
        assert_eq!(problems(router), [Problem::DuplicateMethod("n.a".into())]);
        assert_eq!(
            problems(one("a").merge(one("a"))),
            [Problem::DuplicateMethod("a".into())]
        );
        assert_eq!(
            problems(Router::default().nest("rpc", one("a"))),
            [Problem::ReservedName("rpc.a".into())]
        );
    }

    #[test]
    fn replace_takes_the_place_of_what_was_there() {
        let router = one("z")
            .nest("n", one("a"))
            .nest("m", one("a"))
            .replace("n", one("b"));
        let frozen = router.freeze().unwrap();
        let names: Vec<_> = frozen
            .tree
            .methods(Access::Admin)
            .iter()
            .map(|m| m.name.clone())
            .collect();
        assert_eq!(names, ["z", "n.b", "m.a"]);
    }

    #[test]
    fn separators_go_downwards_until_another_is_set() {
        let inner = one("c").separator("/").nest("d", one("e"));
        let router = Router::default()
            .separator("_")
            .nest("a", Router::default().nest("b", inner));
        let frozen = router.freeze().unwrap();
        let names: Vec<_> = frozen
            .tree
            .methods(Access::Admin)
            .iter()
            .map(|m| m.name.clone())
            .collect();
        assert_eq!(names, ["a_b_c", "a_b_d/e"]);
        let slashed = Router::default().separator("/").nest("x", one("y"));
        let merged = Router::default()
            .merge(slashed)
            .nest("x2", one("y"))
            .freeze()
            .unwrap();
        let names: Vec<_> = merged
            .tree
            .methods(Access::Admin)
            .iter()
            .map(|m| m.name.clone())
            .collect();
        assert_eq!(names, ["x2.y", "x/y"]);
        let deepest = frozen
            .tree
            .root()
            .get("a")
            .unwrap()
            .get("b")
            .unwrap()
            .get("d")
            .unwrap();
        assert_eq!(deepest.prefix(), "a_b_d/");
        assert_eq!(deepest.parent().unwrap().parent().unwrap().prefix(), "a_");
    }
}
