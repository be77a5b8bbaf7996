//! Method: a handler and its documentation.

use std::fmt;
use std::sync::Arc;

use crate::call::{Call, CallFuture};
use crate::describe::schema_source::{DefaultSource, SchemaSource};
use crate::describe::{Access, ParamInfo};
use crate::error::{ErrorCodes, ErrorInfo};
use crate::subscription::{Options, Overflow};

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
    pub(crate) result: SchemaSource,
    pub(crate) errors: Vec<ErrorInfo>,
    pub(crate) examples: Vec<String>,
    pub(crate) deprecated: Option<String>,
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
            result: SchemaSource::none(),
            errors: Vec::new(),
            examples: Vec::new(),
            deprecated: None,
            access: Access::Public,
            subscription: None,
            handler: Arc::new(handler),
        }
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

    /// The type of the result, for documents; of an item, if the method is a subscription. The macros
    /// know it by themselves.
    #[cfg(feature = "describe")]
    #[must_use]
    pub fn returns<T: schemars::JsonSchema>(mut self) -> Self {
        self.result = SchemaSource::of::<T>();
        self
    }

    /// Errors of the program's own that it may answer with, besides those added before.
    #[must_use]
    pub fn errors<E: ErrorCodes>(mut self) -> Self {
        self.errors.extend_from_slice(E::ERRORS);
        self
    }

    /// An example of a call, besides those added before: a JSON text, as
    /// `{"params": [3, 4], "result": 7}`. The parameters may be named, and each of the two may be
    /// missing. Documents leave out what is not of this form.
    #[must_use]
    pub fn example(mut self, example: impl Into<String>) -> Self {
        self.examples.push(example.into());
        self
    }

    /// Tells callers to use something else, and why; the reason may be empty.
    #[must_use]
    pub fn deprecated(mut self, reason: impl Into<String>) -> Self {
        self.deprecated = Some(reason.into());
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
        Self::new(name.into(), true)
    }

    /// A parameter that a call may leave out.
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

    /// What documents say about it.
    #[must_use]
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.doc = doc.into();
        self
    }

    /// Its type, for documents. The macros know it by themselves.
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
