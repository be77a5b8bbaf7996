//! Table of methods by full name, and the layers around it.

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

use crate::call::{Call, Reply};
use crate::call_future::CallFuture;
use crate::call_origin::Origin;
use crate::describe::MethodInfo;
use crate::error::internal_error;
use crate::router::BoxError;
use crate::router::error::MAX_METHOD_LEN;
use crate::router::method::Handler;

/// The service that a call layer wraps: the methods of a router, or the next inner layer.
///
/// It implements `Service<Call, Response = Reply>` and never fails. See
/// [`Router::layer`](crate::Router::layer).
#[derive(Clone)]
pub struct Endpoint {
    table: Arc<Table>,
    /// Where calls go first, if there are any.
    layers: Option<Handler>,
}

/// Methods by name, and those for all names below a prefix.
#[derive(Default)]
struct Table {
    /// By the bytes of the name: a call's need not be checked as UTF-8 to be looked up.
    names: HashMap<Box<[u8]>, Entry, BuildHasherDefault<NameHasher>>,
    /// By their prefixes, the longest first.
    below: Vec<(Box<[u8]>, Entry)>,
}

impl Table {
    #[inline]
    fn get(&self, name: &[u8]) -> Option<&Entry> {
        let entry = self.names.get(name);
        if entry.is_some() || self.below.is_empty() {
            return entry;
        }
        self.get_below(name)
    }

    /// The method for all names below a prefix of this one. What the protocol reserves is nobody's.
    fn get_below(&self, name: &[u8]) -> Option<&Entry> {
        if name.len() > MAX_METHOD_LEN || name.starts_with(RESERVED) {
            return None;
        }
        let is_below = |(prefix, _): &&(Box<[u8]>, Entry)| {
            let rest = name.strip_prefix(&**prefix);
            rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(RESERVED))
        };
        let (_, entry) = self.below.iter().find(is_below)?;
        Some(entry)
    }
}

/// The names of the protocol's own methods begin so.
const RESERVED: &[u8] = b"rpc.";

/// Methods with their full names, before they are a table.
pub(super) type Entries = Vec<(Box<str>, Entry)>;

/// A method, where calls find it.
pub(super) struct Entry {
    pub(super) handler: Handler,
    /// Index in the tree.
    pub(super) route: usize,
    /// How many calls it counts as, for rate limits.
    pub(super) cost: u32,
    /// Whether its name is a prefix, and it answers calls of all names below.
    pub(super) below: bool,
}

impl Endpoint {
    /// A table of these entries, without layers; and the names that are there twice.
    pub(super) fn new(
        entries: impl IntoIterator<Item = (Box<str>, Entry)>,
    ) -> (Self, Vec<Box<str>>) {
        let (mut table, mut twice) = (Table::default(), Vec::new());
        for (name, entry) in entries {
            if entry.below {
                let known = table
                    .below
                    .iter()
                    .any(|(prefix, _)| **prefix == *name.as_bytes());
                match known {
                    true => twice.push(name),
                    false => table.below.push((name.into_boxed_bytes(), entry)),
                }
            } else if table.names.contains_key(name.as_bytes()) {
                twice.push(name);
            } else {
                table.names.insert(name.into_boxed_bytes(), entry);
            }
        }
        table
            .below
            .sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        let table = Arc::new(table);
        let layers = None;
        (Self { table, layers }, twice)
    }

    /// Whether there is a method of this name, or a layer that may answer in its place.
    pub(crate) fn knows(&self, name: &[u8]) -> bool {
        self.layers.is_some() || self.table.get(name).is_some()
    }

    /// The index of a method, and what a call of it costs. One that the caller may not see costs as
    /// much as one that does not exist.
    pub(crate) fn cost(&self, name: &[u8], origin: &Origin) -> (usize, u32) {
        let unknown = (usize::MAX, 1);
        let Some(entry) = self.table.get(name) else {
            return unknown;
        };
        match origin.common.tree.method(entry.route) {
            Some(info) if info.access > origin.access() => unknown,
            _ => (entry.route, entry.cost),
        }
    }

    /// Whether a method of this name opens a subscription, and this caller may see it. If that is a
    /// method of another server which has not told yet, the one that forwards it asks.
    pub(crate) fn only_streams(&self, name: &[u8], origin: &Origin) -> bool {
        let Some(entry) = self.table.get(name) else {
            return false;
        };
        let tree = &origin.common.tree;
        let streams = |info: &MethodInfo| match entry.below {
            true => {
                let name = std::str::from_utf8(name).unwrap_or_default();
                tree.remote_streams(entry.route, name) != Some(false)
            }
            false => info.only_streams(),
        };
        let info = tree.method(entry.route);
        info.is_some_and(|info| info.access <= origin.access() && streams(info))
    }

    /// Whether a method of this name ends subscriptions: only that one costs nothing and has no place in the
    /// tree.
    pub(crate) fn ends_subscriptions(&self, name: &[u8]) -> bool {
        let entry = self.table.get(name);
        entry.is_some_and(|entry| entry.route == usize::MAX && entry.cost == 0)
    }

    /// Looks up the method's full name and calls it.
    pub(super) fn answer(&self, call: Call) -> CallFuture {
        let mut found = usize::MAX;
        self.route(&mut Some(call), &mut found)
    }

    /// The index of the method that a call is for; `None` if nobody looks at its parameters, because
    /// this caller cannot call such a method and there are no layers.
    pub(crate) fn find(&self, call: &Call) -> Option<usize> {
        let entry = self.table.get(call.request.method_bytes());
        let route = entry.map_or(usize::MAX, |entry| entry.route);
        let info = call.origin.common.tree.method(route);
        let origin = &call.origin;
        let runs = |info: &MethodInfo| {
            let is_asked = origin.identification.is_asked();
            let may_call = || info.requirement.check(call.identity.as_ref()).is_ok();
            info.access <= origin.access() && (!is_asked || may_call())
        };
        let runs = entry.is_some() && info.is_none_or(runs);
        (runs || self.layers.is_some()).then_some(route)
    }

    /// Looks up the method's full name and calls it, through the layers if there are any. Before that
    /// it says in `found` which method that is: its index in the tree.
    pub(crate) fn route(&self, place: &mut Option<Call>, found: &mut usize) -> CallFuture {
        let Some(call) = place else {
            return CallFuture::lost();
        };
        let entry = self.table.get(call.request.method_bytes());
        let route = entry.map_or(usize::MAX, |entry| entry.route);
        *found = route;
        if let Some(layers) = &self.layers {
            return layers.run(place);
        }
        if let Some(entry) = entry {
            call.route = route;
            let origin = &call.origin;
            let (caller, info) = (origin.access(), call.method_info());
            if info.is_none_or(|info| info.access <= caller) {
                let asks = info.filter(|_| origin.identification.is_asked());
                let check = |info: &MethodInfo| info.requirement.check(call.identity.as_ref());
                return match asks.map_or(Ok(()), check) {
                    Ok(()) => entry.handler.run(place),
                    Err(error) => CallFuture::ready(Reply::error(error)),
                };
            }
        }
        let unknown = Reply::error(ErrorCode::METHOD_NOT_FOUND);
        *found = usize::MAX;
        CallFuture::ready(unknown)
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
        self.answer(call)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self
            .table
            .names
            .keys()
            .map(|name| String::from_utf8_lossy(name));
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
        let layers = Handler::new(move |call: Call| {
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

/// Applies layers in order, each around what the ones before it made.
pub(super) fn stack(endpoint: Endpoint, layers: &[BoxLayer]) -> Endpoint {
    layers.iter().fold(endpoint, |inside, layer| layer(inside))
}

/// Multiplications of words, folded. The names in the table are the program's own, so a peer cannot
/// choose ones that collide, and a look-up of a short name costs a few nanoseconds instead of twenty.
#[derive(Clone, Default)]
struct NameHasher(u64);

impl NameHasher {
    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        let [low, high] = [product, product >> 64].map(|half| half as u64);
        self.0 = low ^ high;
    }
}

impl Hasher for NameHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let word = word.first_chunk().copied().unwrap_or_default();
            self.mix(u64::from_le_bytes(word));
        }
        let rest = words.remainder().iter();
        self.mix(rest.fold(1, |word, byte| word << 8 | u64::from(*byte)));
    }

    /// Of the length, which is nothing new.
    #[inline]
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
