//! Router, as a user builds it.

use tower_layer::Layer;
use tower_service::Service;

use super::endpoint::{BoxLayer, Endpoint, box_layer};
use super::error::BoxError;
use super::function::Function;
use super::method::{IntoMethod, Method};
use crate::call::{Call, Reply};

/// The tree of remote methods: methods under names, and routers nested under prefixes.
///
/// A router is what a [`Server`](crate::Server), a [`Client`](crate::Client) in the same process, or
/// a service of another framework ([`into_service`](Self::into_service)) serves. It is a plain value:
/// build it up, nest it, merge it, hand it on.
///
/// ```
/// use antiphon::Router;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let math = Router::default()
///     .method_fn("add", |a: f64, b: f64| a + b)
///     .method_fn("negate", |x: f64| -x);
/// let dispatcher = Router::default().nest("calc", math).build().unwrap();
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
/// A full name is the names on the way to the method, with a separator between them, `.` by default:
/// `science.math.add`. Names that begin with `rpc.` are reserved for the protocol.
///
/// # Layers
///
/// [`layer`](Self::layer) wraps the methods below in any `tower` layer, which sees each call exactly
/// once, over every transport and inside of batches.
///
/// # Errors
///
/// Building a router never fails. Conflicts, such as two methods of one name, are found when it is
/// frozen, by [`build`](Self::build) or when a server starts, and are reported all at once in a
/// [`RouterError`].
///
/// # See also
///
/// [`Dispatcher`](crate::Dispatcher), a frozen router; [`Context`](crate::Context), what a method
/// knows of its call; [`Tree`](crate::Tree), the methods as data.
#[derive(Default)]
pub struct Router {
    pub(super) title: Option<String>,
    pub(super) documentation: Option<String>,
    pub(super) version: Option<String>,
    pub(super) separator: Option<String>,
    pub(super) methods: Vec<Method>,
    pub(super) children: Vec<(String, Self)>,
    /// Routers merged into this one that have layers or a separator of their own.
    pub(super) merged: Vec<Self>,
    pub(super) layers: Vec<BoxLayer>,
}

/// What can be served or nested: a [`Router`], or an object whose `impl` block carries `#[rpc]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no remote methods",
    note = "put `#[antiphon::rpc]` on its `impl` block"
)]
pub trait IntoRouter {
    /// The router with the object's methods.
    fn into_router(self) -> Router;
}

impl IntoRouter for Router {
    fn into_router(self) -> Router {
        self
    }
}

impl Router {
    /// A router with the methods of an object.
    pub fn new(object: impl IntoRouter) -> Self {
        object.into_router()
    }

    /// Nests another router or object under a name: its `add` becomes `name.add`. Any depth.
    ///
    /// A name that is used already is an error when the router is frozen; see
    /// [`replace`](Self::replace).
    #[must_use]
    pub fn nest(mut self, name: impl Into<String>, router: impl IntoRouter) -> Self {
        self.children.push((name.into(), router.into_router()));
        self
    }

    /// Like [`nest`](Self::nest), but replaces what is nested under this name already.
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

    /// Adds the methods and nested routers of another router to this one, under no further name.
    ///
    /// Layers and separator of the other router stay with what it brings. Its title and
    /// documentation are not taken over.
    #[must_use]
    pub fn merge(mut self, router: impl IntoRouter) -> Self {
        let other = router.into_router();
        if other.layers.is_empty() && other.separator.is_none() {
            self.methods.extend(other.methods);
            self.children.extend(other.children);
            self.merged.extend(other.merged);
        } else {
            self.merged.push(other);
        }
        self
    }

    /// Adds one method: a function under `#[rpc_method]`, or a [`Method`] built by hand.
    #[must_use]
    pub fn method(mut self, method: impl IntoMethod) -> Self {
        self.methods.push(method.into_method());
        self
    }

    /// Adds a closure under a name. It takes its parameters by position; see
    /// [`Method::function`] for names and docs.
    #[must_use]
    pub fn method_fn<Marker>(
        self,
        name: impl Into<String>,
        function: impl Function<Marker>,
    ) -> Self {
        self.method(Method::function(name, function))
    }

    /// Wraps everything in this router, and in what is nested in it, in a `tower` layer.
    ///
    /// A layer sees every call exactly once, also those inside a batch. On the router that is
    /// served it sees calls of unknown methods too; on a nested one it sees its own methods only.
    /// The layer added last is the outermost. An error that it returns becomes −32001 if it is
    /// `tower`'s `Elapsed`, −32000 if it is `Overloaded`, itself if it is an
    /// [`ErrorObject`](crate::ErrorObject), and −32603 else.
    ///
    /// ```
    /// use antiphon::Router;
    /// use tower::limit::ConcurrencyLimitLayer;
    ///
    /// let router = Router::default()
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

    /// Adds layers that are boxed already.
    pub(crate) fn layers(mut self, layers: &[BoxLayer]) -> Self {
        self.layers.extend(layers.iter().cloned());
        self
    }

    /// The title of this router in documents; the name of the type by default.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// The documentation of this router; the doc comment of the `#[rpc]` block by default.
    #[must_use]
    pub fn documentation(mut self, text: impl Into<String>) -> Self {
        self.documentation = Some(text.into());
        self
    }

    /// The version of the interface in documents: `1.2.0`. Only that of the outermost router is used.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The separator between the name of a nested router and the names of its methods, here and
    /// below: `.` by default.
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
