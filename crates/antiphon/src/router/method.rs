//! Method: a handler and its documentation.

use std::fmt;
use std::sync::Arc;

use crate::call::{Call, Reply};
use crate::call_future::CallFuture;
use crate::describe::schema_source::{DefaultSource, SchemaSource};
use crate::describe::{Access, Effects, ParamInfo};
use crate::error::{ErrorCodes, ErrorInfo};
use crate::identity::Requirement;
use crate::subscription::{Kind, Options};
use crate::topic::Overflow;

/// What runs a call.
///
/// It takes the call out of its place. A call is large: each function that it were handed to would copy
/// it.
#[derive(Clone)]
pub(crate) struct Handler(Arc<Run>);

type Run = dyn Fn(&mut Option<Call>) -> CallFuture + Send + Sync;

impl Handler {
    pub(crate) fn new(handler: impl Fn(Call) -> CallFuture + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |call| match call.take() {
            Some(call) => handler(call),
            None => CallFuture::lost(),
        }))
    }

    /// One that has the reply when it returns, and leaves the call where it is.
    fn immediate(handler: impl Fn(&mut Call) -> Reply + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |call| match call {
            Some(call) => CallFuture::ready(handler(call)),
            None => CallFuture::lost(),
        }))
    }

    pub(crate) fn run(&self, call: &mut Option<Call>) -> CallFuture {
        (self.0)(call)
    }
}

/// A method that can be added to a [`Router`](crate::Router).
///
/// The macros create methods from Rust functions. Without them, create one from a closure and
/// describe it:
///
/// ```
/// use antiphon::{Method, Router};
///
/// let add = Method::function("add", |a: f64, b: f64| a + b)
///     .params(["a", "b"])
///     .doc("Adds two numbers.");
/// let router = Router::new().method(add);
/// ```
pub struct Method {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) format: String,
    pub(crate) params: Vec<ParamInfo>,
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
    pub(crate) subscription: Option<Options>,
    pub(crate) handler: Handler,
}

/// A type that [`Router::method`](crate::Router::method) accepts: a [`Method`], or a function with
/// `#[rpc_method]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a remote method",
    note = "put `#[antiphon::rpc_method]` on the function, or use `router.method_fn(\"name\", …)`"
)]
pub trait IntoMethod {
    /// Converts the value into a method.
    fn into_method(self) -> Method;
}

impl IntoMethod for Method {
    fn into_method(self) -> Method {
        self
    }
}

impl Method {
    /// Creates a method from a handler that reads the [`Call`] and creates the
    /// [`Reply`](crate::Reply) itself.
    ///
    /// [`function`](Self::function) is simpler: it decodes the parameters and encodes the result.
    ///
    /// ```
    /// use antiphon::{Call, CallFuture, Method};
    ///
    /// let length = Method::new("length", |call: Call| {
    ///     let bytes = call.params().map_or(0, str::len);
    ///     CallFuture::ready(call.answer(Ok(bytes)))
    /// });
    /// ```
    pub fn new(
        name: impl Into<String>,
        handler: impl Fn(Call) -> CallFuture + Send + Sync + 'static,
    ) -> Self {
        Self::of(name.into(), Handler::new(handler))
    }

    /// A method whose handler has the reply when it returns.
    pub(crate) fn immediate(
        name: String,
        handler: impl Fn(&mut Call) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::of(name, Handler::immediate(handler))
    }

    fn of(name: String, handler: Handler) -> Self {
        Self {
            name,
            doc: String::new(),
            format: "json".to_owned(),
            params: Vec::new(),
            result: SchemaSource::none(),
            errors: Vec::new(),
            examples: Vec::new(),
            deprecated: None,
            access: Access::Public,
            requirement: Requirement::default(),
            cost: 1,
            effects: Effects::Any,
            destructive: None,
            is_tool: true,
            subscription: None,
            handler,
        }
    }

    /// Sets the documentation, as Markdown. Default: empty.
    #[must_use]
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.doc = doc.into();
        self
    }

    /// Sets a word that request handlers get, and that [`Context::format`](crate::Context::format)
    /// returns. Default: `json`. Messages are always JSON, whatever this is.
    #[must_use]
    pub fn format(mut self, format: impl Into<String>) -> Self {
        self.format = format.into();
        self
    }

    /// Sets the parameters, in order. With names, callers can also pass them by name. A plain
    /// `&str` is a [required](ParamInfo::required) parameter.
    #[must_use]
    pub fn params<P: Into<ParamInfo>>(mut self, params: impl IntoIterator<Item = P>) -> Self {
        self.params = params.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the type of the result for documents, or of an item if the method is a subscription.
    /// The macros do this by themselves.
    #[cfg(feature = "describe")]
    #[must_use]
    pub fn returns<T: schemars::JsonSchema>(mut self) -> Self {
        self.result = SchemaSource::of::<T>();
        self
    }

    /// Adds application errors that the method may return, for documents.
    #[must_use]
    pub fn errors<E: ErrorCodes>(mut self) -> Self {
        self.errors.extend_from_slice(E::ERRORS);
        self
    }

    /// Adds an example for documents, as JSON text: `{"params": [3, 4], "result": 7}`.
    ///
    /// The parameters may be an array or an object. Each of the two members may be missing.
    /// Documents omit an example that does not have this form.
    #[must_use]
    pub fn example(mut self, example: impl Into<String>) -> Self {
        self.examples.push(example.into());
        self
    }

    /// Marks the method as deprecated. The reason tells callers what to use instead, and may be
    /// empty.
    #[must_use]
    pub fn deprecated(mut self, reason: impl Into<String>) -> Self {
        self.deprecated = Some(reason.into());
        self
    }

    /// Sets the access level that callers need. Default: [`Access::Public`].
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Allows the method to anonymous callers. Otherwise, once a server has an
    /// [`Authenticator`](crate::Authenticator), callers must be known.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.requirement.public = true;
        self
    }

    /// Requires a scope of the caller, beside those that other calls of this method add and those of
    /// the router: see [`Router::require_scope`](crate::Router::require_scope).
    ///
    /// ```
    /// use antiphon::{Method, Router};
    ///
    /// let withdraw = Method::function("withdraw", |amount: u64| amount).scope("accounts:write");
    /// let router = Router::new().method(withdraw);
    /// ```
    #[must_use]
    pub fn scope(mut self, scope: impl AsRef<str>) -> Self {
        self.requirement.add(scope.as_ref());
        self
    }

    /// Sets how many calls it counts as where the server limits the calls of each caller; see
    /// [`RateLimit`](crate::RateLimit). Default: 1. With 0 it is exempt.
    ///
    /// A server does not start if its limit allows fewer calls at once: no call of the method could
    /// ever run.
    ///
    /// ```
    /// use antiphon::Method;
    ///
    /// let report = Method::function("report", || "…").cost(10);
    /// let ping = Method::function("ping", || "pong").cost(0);
    /// ```
    #[must_use]
    pub fn cost(mut self, calls: u32) -> Self {
        self.cost = calls;
        self
    }

    /// Declares that it may run twice for one call, with the same effect as once. Documents say so, and
    /// a [router that forwards](crate::Router::nest_remote) it may then send a call again, to another
    /// server, if it cannot know whether the first one has run it.
    ///
    /// ```
    /// use antiphon::Method;
    ///
    /// let rename = Method::function("rename", |id: u64, name: String| (id, name)).idempotent();
    /// ```
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.effects = self.effects.max(Effects::Idempotent);
        self
    }

    /// Declares that it changes nothing, which makes it [`idempotent`](Self::idempotent), too. A router
    /// that forwards it may then answer equal calls at the same time with one result.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.effects = Effects::ReadOnly;
        self
    }

    /// Declares that a call may destroy something, or with `false` that it only ever adds something.
    /// Agents are told, and may ask a human before; see the feature `mcp`.
    #[must_use]
    pub fn destructive(mut self, is_destructive: bool) -> Self {
        self.destructive = Some(is_destructive);
        self
    }

    /// Sets whether agents get it as a tool; see the feature `mcp`. Default: they do, unless it returns
    /// a stream.
    ///
    /// ```
    /// use antiphon::Method;
    ///
    /// let wipe = Method::function("wipe", || "gone").destructive(true);
    /// let tick = Method::function("tick", || "tock").tool(false);
    /// ```
    #[must_use]
    pub fn tool(mut self, is_tool: bool) -> Self {
        self.is_tool = is_tool;
        self
    }
}

/// Options of subscriptions. Each of them makes the method a subscription.
impl Method {
    /// Declares that the method is a subscription: documents describe its stream. Methods made from
    /// functions that return a stream are subscriptions already.
    #[must_use]
    pub fn subscription(mut self) -> Self {
        self.subscription.get_or_insert_default();
        self
    }

    /// The name of a method for all names below a prefix, in the log and in metrics.
    pub(crate) const REST: &'static str = "*";

    /// Sets what the handler is known to return.
    pub(crate) fn opens(self, kind: Kind) -> Self {
        self.options(|options| options.kind = kind)
    }

    fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(self.subscription.get_or_insert_default());
        self
    }

    /// Sets the method name of the notifications that carry the items. Default: the full name of
    /// the method.
    #[must_use]
    pub fn notification(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.options(|options| options.notification = Some(name))
    }

    /// Sets the full name of a method that ends subscriptions by their id. `rpc.unsubscribe` does
    /// so, too. Several methods may have the same one.
    #[must_use]
    pub fn unsubscribe(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.options(|options| options.unsubscribe = Some(name))
    }

    /// Sends messages without the members `seq` and `end`, as Ethereum clients expect them. If the
    /// stream ends without an error, the subscriber then gets no last message. A subscriber that
    /// lagged behind gets error −32000.
    #[must_use]
    pub fn plain(self) -> Self {
        self.options(|options| options.plain = true)
    }

    /// Sets what happens if a subscriber does not keep up. Default: [`Overflow::Disconnect`].
    #[must_use]
    pub fn overflow(self, overflow: Overflow) -> Self {
        self.options(|options| options.overflow = Some(overflow))
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Method")
            .field("name", &self.name)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

impl ParamInfo {
    /// Creates a parameter that every call must pass.
    pub fn required(name: impl Into<String>) -> Self {
        Self::new(name.into(), true)
    }

    /// Creates a parameter that a call may leave out.
    pub fn optional(name: impl Into<String>) -> Self {
        Self::new(name.into(), false)
    }

    fn new(name: String, required: bool) -> Self {
        Self {
            name,
            doc: String::new(),
            required,
            flattened: false,
            schema: SchemaSource::none(),
            default: DefaultSource::none(),
        }
    }

    /// Sets the description for documents.
    #[must_use]
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.doc = doc.into();
        self
    }

    /// Sets the type for documents. The macros do this by themselves.
    #[cfg(feature = "describe")]
    #[must_use]
    pub fn typed<T: schemars::JsonSchema>(mut self) -> Self {
        self.schema = SchemaSource::of::<T>();
        self
    }
}

impl From<&str> for ParamInfo {
    fn from(name: &str) -> Self {
        Self::required(name)
    }
}
