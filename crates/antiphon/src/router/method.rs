//! One method: a handler, and what documents say of it.

use std::fmt;
use std::sync::Arc;

use crate::call::{Call, CallFuture};
use crate::router::function::Function;
use crate::subscription::{Options, Overflow};
use crate::tree::{Access, ParamInfo};

pub(crate) type Handler = Arc<dyn Fn(Call) -> CallFuture + Send + Sync>;

/// A method that can be added to a router.
///
/// The macros make these. By hand one is made from a closure:
///
/// ```
/// use antiphon::{Method, Router};
///
/// let add = Method::function("add", |a: f64, b: f64| a + b)
///     .params(["a", "b"])
///     .doc("Adds two numbers.");
/// let router = Router::default().method(add);
/// ```
pub struct Method {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) format: String,
    pub(crate) params: Vec<ParamInfo>,
    pub(crate) access: Access,
    pub(crate) subscription: Option<Options>,
    pub(crate) handler: Handler,
}

/// What [`Router::method`](crate::Router::method) takes: a [`Method`], or a function under
/// `#[rpc_method]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a remote method",
    note = "put `#[antiphon::rpc_method]` on the function, or use `router.method_fn(\"name\", …)`"
)]
pub trait IntoMethod {
    /// The method.
    fn into_method(self) -> Method;
}

impl IntoMethod for Method {
    fn into_method(self) -> Method {
        self
    }
}

impl Method {
    /// A method that gets the call as it is and answers it.
    pub fn new(
        name: impl Into<String>,
        handler: impl Fn(Call) -> CallFuture + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            doc: String::new(),
            format: "json".to_owned(),
            params: Vec::new(),
            access: Access::Public,
            subscription: None,
            handler: Arc::new(handler),
        }
    }

    /// A closure or function as a method. Unless [`params`](Self::params) gives names it takes its
    /// parameters by position only.
    pub fn function<Marker>(name: impl Into<String>, function: impl Function<Marker>) -> Self {
        function.into_method(name.into())
    }

    /// What documents say about it.
    #[must_use]
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.doc = doc.into();
        self
    }

    /// A word for request handlers and [`Context::format`](crate::Context::format); `json` by
    /// default. What goes over the wire is JSON all the same.
    #[must_use]
    pub fn format(mut self, format: impl Into<String>) -> Self {
        self.format = format.into();
        self
    }

    /// The parameters in order.
    #[must_use]
    pub fn params<P: Into<ParamInfo>>(mut self, params: impl IntoIterator<Item = P>) -> Self {
        self.params = params.into_iter().map(Into::into).collect();
        self
    }

    /// Who may see and call it; everybody by default.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }
}

/// Subscriptions: what a method that returns a stream may say of its messages.
impl Method {
    /// The method returns a stream. Those made of functions know that by themselves.
    #[must_use]
    pub fn subscription(mut self) -> Self {
        self.subscription.get_or_insert_default();
        self
    }

    fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(self.subscription.get_or_insert_default());
        self
    }

    /// The name of the notifications that carry the items; the method's own by default.
    #[must_use]
    pub fn notification(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.options(|options| options.notification = Some(name))
    }

    /// The full name of a method that ends subscriptions by their id, besides `rpc.unsubscribe`.
    /// Several methods may share it.
    #[must_use]
    pub fn unsubscribe(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.options(|options| options.unsubscribe = Some(name))
    }

    /// Messages without `seq` and `end`, as Ethereum's clients know them. Such a subscription ends
    /// without a word, unless it ends with an error; that its subscriber has lagged is one (−32000).
    #[must_use]
    pub fn plain(self) -> Self {
        self.options(|options| options.plain = true)
    }

    /// What happens to a subscriber that does not keep up; [`Overflow::Disconnect`] by default.
    #[must_use]
    pub fn overflow(self, overflow: Overflow) -> Self {
        self.options(|options| options.overflow = overflow)
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
    /// A parameter that a call must give.
    pub fn required(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            required: true,
        }
    }

    /// A parameter that a call may leave out.
    pub fn optional(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            required: false,
        }
    }
}

impl From<&str> for ParamInfo {
    fn from(name: &str) -> Self {
        Self::required(name)
    }
}
