//! Router, as a user builds it.

use std::sync::Arc;

use tower_layer::Layer;
use tower_service::Service;

use super::endpoint::{BoxLayer, Endpoint, box_layer};
use super::error::BoxError;
use super::function::Function;
use super::method::{IntoMethod, Method};
use crate::call::{Call, Reply};
use crate::describe::RemoteSource;

/// A tree of remote methods: methods under names, and nested routers under prefixes.
///
/// A [`Server`](crate::Server) serves a router, a [`Client`](crate::Client) in the same process
/// calls one, and [`into_service`](Self::into_service) makes a `tower` service of one for other
/// frameworks. A router is a plain value until it is built: add methods to it, nest it, merge it.
///
/// ```
/// use antiphon::Router;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let math = Router::new()
///     .method_fn("add", |a: f64, b: f64| a + b)
///     .method_fn("negate", |x: f64| -x);
/// let dispatcher = Router::new().nest("calc", math).build().unwrap();
///
/// let answer = dispatcher.handle(r#"{"jsonrpc":"2.0","id":1,"method":"calc.add","params":[3,7]}"#).await;
/// assert_eq!(answer.unwrap(), r#"{"jsonrpc":"2.0","id":1,"result":10.0}"#);
/// # });
/// ```
///
/// # Adding methods
///
/// | with | methods |
/// |---|---|
/// | [`new`](Self::new), [`nest`](Self::nest), [`merge`](Self::merge) | those of an object under [`#[rpc]`](macro@crate::rpc), or of another router |
/// | [`method`](Self::method) | a function under [`#[rpc_method]`](macro@crate::rpc_method), or a [`Method`] built by hand |
/// | [`method_fn`](Self::method_fn) | a closure |
///
/// The full name of a method consists of the names of the routers that it is nested in and its own
/// name, joined by a separator: `science.math.add`. The separator is `.` unless
/// [`separator`](Self::separator) sets another one. Names that begin with `rpc.` are reserved for
/// the protocol.
///
/// # Layers
///
/// [`layer`](Self::layer) wraps all methods of the router in a `tower` layer. The layer sees each
/// call exactly once, over every transport, including each call of a batch.
///
/// # Errors
///
/// The methods of `Router` that add to it never fail. Errors such as two methods with the same name
/// are found when the router is built, by [`build`](Self::build) or when a server starts. They are
/// all reported together in one [`RouterError`](crate::RouterError).
///
/// # See also
///
/// [`Dispatcher`](crate::Dispatcher) is a built router, [`Context`](crate::Context) is what a
/// method knows of its call, and [`Tree`](crate::Tree) describes the methods as data.
#[derive(Default)]
pub struct Router {
    pub(super) title: Option<String>,
    pub(super) documentation: Option<String>,
    pub(super) version: Option<String>,
    pub(super) separator: Option<String>,
    pub(super) methods: Vec<Method>,
    pub(super) children: Vec<(String, Self)>,
    /// Routers merged into this one that have layers, a separator or scopes of their own.
    pub(super) merged: Vec<Self>,
    pub(super) layers: Vec<BoxLayer>,
    /// The scopes that callers of all its methods need.
    pub(super) scopes: Vec<Box<str>>,
    /// What answers calls of all names that no method has.
    pub(super) rest: Option<Box<Rest>>,
}

/// A method for all names below the prefix of its router, and what is known of them.
pub(crate) struct Rest {
    pub(crate) method: Method,
    /// A method that several have is that of the first one.
    pub(crate) described: Vec<Arc<dyn RemoteSource>>,
}

/// A type that can be served or nested: a [`Router`], or a type whose `impl` block has the
/// attribute `#[rpc]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no remote methods",
    note = "put `#[antiphon::rpc]` on its `impl` block"
)]
pub trait IntoRouter {
    /// Converts the value into a router with its methods.
    fn into_router(self) -> Router;
}

impl IntoRouter for Router {
    fn into_router(self) -> Router {
        self
    }
}

impl Router {
    /// Creates an empty router.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a router with the methods of an object whose `impl` block carries `#[rpc]`.
    pub fn of(object: impl IntoRouter) -> Self {
        object.into_router()
    }

    /// Nests another router or object under a name: its method `add` becomes `name.add`.
    ///
    /// If another router is nested under this name, building this one fails. Use
    /// [`replace`](Self::replace) to replace the other one.
    #[must_use]
    pub fn nest(mut self, name: impl Into<String>, router: impl IntoRouter) -> Self {
        self.children.push((name.into(), router.into_router()));
        self
    }

    /// Nests another router or object under a name, like [`nest`](Self::nest), and replaces the one
    /// that already has this name.
    #[must_use]
    pub fn replace(mut self, name: impl Into<String>, router: impl IntoRouter) -> Self {
        let name = name.into();
        let router = router.into_router();
        match self.children.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = router,
            None => self.children.push((name, router)),
        }
        self
    }

    /// Adds the methods and nested routers of another router to this one, without a prefix.
    ///
    /// The layers, the separator and the scopes of the other router continue to apply to its own methods. Its
    /// title, documentation and version are dropped.
    #[must_use]
    pub fn merge(mut self, router: impl IntoRouter) -> Self {
        let other = router.into_router();
        let is_plain = other.layers.is_empty() && other.scopes.is_empty() && other.rest.is_none();
        if is_plain && other.separator.is_none() {
            self.methods.extend(other.methods);
            self.children.extend(other.children);
            self.merged.extend(other.merged);
        } else {
            self.merged.push(other);
        }
        self
    }

    /// Adds one method: a function with `#[rpc_method]`, or a [`Method`] built by hand.
    #[must_use]
    pub fn method(mut self, method: impl IntoMethod) -> Self {
        self.methods.push(method.into_method());
        self
    }

    /// Adds a closure or function as a method, whose parameters can be passed by position only.
    ///
    /// This is short for [`method`](Self::method) with [`Method::function`], which describes the
    /// possible functions. Use these to add parameter names and documentation.
    #[must_use]
    pub fn method_fn<Marker>(
        self,
        name: impl Into<String>,
        function: impl Function<Marker>,
    ) -> Self {
        self.method(Method::function(name, function))
    }

    /// Wraps all methods of this router, including those of nested routers, in a `tower` layer.
    ///
    /// The layer sees every call exactly once, including each call of a batch. A layer of the
    /// outermost router also sees calls of unknown methods. A layer of a nested router sees only
    /// calls of the methods in that router. The layer that was added last is the outermost one.
    ///
    /// On a server with an [`Authenticator`](crate::Authenticator) layers run before it is checked
    /// whether the caller may call the method, so a layer that answers itself, as a cache does, has to
    /// look at [`Context::identity`](crate::Context::identity). A layer of the outermost router also
    /// sees the parameters of `rpc.authenticate`, which contain a token.
    ///
    /// If the layer returns an error, the response depends on its type:
    ///
    /// | error of the layer | response |
    /// |---|---|
    /// | `Elapsed` of `tower` | error −32001 |
    /// | `Overloaded` of `tower` | error −32000 |
    /// | [`ErrorObject`](crate::ErrorObject) | this error |
    /// | any other | error −32603; the details are only logged |
    ///
    /// ```
    /// use antiphon::Router;
    /// use tower::limit::ConcurrencyLimitLayer;
    ///
    /// let router = Router::new()
    ///     .method_fn("add", |a: f64, b: f64| a + b)
    ///     .layer(ConcurrencyLimitLayer::new(16));
    /// ```
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Endpoint> + Send + Sync + 'static,
        L::Service: Service<Call, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as Service<Call>>::Error: Into<BoxError>,
        <L::Service as Service<Call>>::Future: Send,
    {
        self.layers.push(box_layer(layer));
        self
    }

    /// Requires a scope of the callers of all methods of this router, including those of nested
    /// routers, beside the scopes of each method.
    ///
    /// Scopes count once a server has an [`Authenticator`](crate::Authenticator); a server without
    /// one asks nobody. A caller who is known and lacks a scope gets error −32007, an anonymous one
    /// −32006. No method of the router may be [`public`](Method::public).
    ///
    /// ```
    /// use antiphon::Router;
    ///
    /// let accounts = Router::new()
    ///     .method_fn("balance", |account: String| account.len())
    ///     .require_scope("accounts:read");
    /// let router = Router::new().nest("accounts", accounts);
    /// ```
    #[must_use]
    pub fn require_scope(mut self, scope: impl Into<Box<str>>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// A router whose method has all names that none of its others has.
    pub(crate) fn with_rest(rest: Rest) -> Self {
        Self {
            rest: Some(Box::new(rest)),
            ..Self::default()
        }
    }

    /// Adds layers that are boxed already.
    pub(crate) fn layers(mut self, layers: &[BoxLayer]) -> Self {
        self.layers.extend(layers.iter().cloned());
        self
    }

    /// Sets the title of this router in documents. By default it is the name of the type with
    /// `#[rpc]`.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Sets the documentation of this router. By default it is the doc comment of the `#[rpc]`
    /// block.
    #[must_use]
    pub fn documentation(mut self, text: impl Into<String>) -> Self {
        self.documentation = Some(text.into());
        self
    }

    /// Sets the version of the interface in documents, for example `1.2.0`. Documents show only the
    /// version of the outermost router.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sets the separator between the name of a nested router and the names of its methods, for
    /// this router and those nested in it. Default: `.`, or the separator of the router that this
    /// one is nested in.
    #[must_use]
    pub fn separator(mut self, separator: impl Into<String>) -> Self {
        self.separator = Some(separator.into());
        self
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router")
            .field("title", &self.title)
            .field("methods", &self.methods)
            .field("children", &self.children)
            .finish_non_exhaustive()
    }
}
