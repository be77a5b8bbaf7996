//! Builder of an OpenRPC document.

use std::collections::BTreeMap;

use crate::describe::documents::document::OpenRpcDocument;
use crate::describe::documents::method::{about, method, summary};
use crate::describe::documents::model::{Components, Document, Info, Server};
use crate::describe::documents::schemas::Schemas;
use crate::describe::documents::specification::{NO_VERSION, Specification};
use crate::describe::{Access, Tree};

/// What stands where nobody has given a title.
const NO_TITLE: &str = "Remote methods";
/// The document of a router: its methods, their types, errors and examples.
///
/// It is [OpenRPC](https://spec.open-rpc.org), from which other programs make clients, pages and
/// tests; [`OpenRpcDocument`] has the other forms. Every router answers `rpc.discover` with it, as far as the
/// caller may see. Two documents of one router are the same, byte for byte.
///
/// Types have schemas if they implement [`JsonSchema`](schemars::JsonSchema). Of any other type the
/// document says `true`, which means anything, and `"x-no-schema": true` beside it. What OpenRPC has
/// no word for is told in members of our own:
///
/// | member of a method | tells |
/// |---|---|
/// | `x-subscription` | the items that follow as notifications: `notification` and `unsubscribe`, names of methods; `item`, whose `schema` an item has; `plain`, without `seq` and `end` |
/// | `x-additional-params` | the schema of further parameters that may be given by name |
/// | `x-access` | `local` or `admin`, if not everybody sees the method |
/// | `x-deprecated-reason` | what to use instead |
/// | `x-error-docs` | what is said of errors beyond their messages, by code |
///
/// The document itself may have `x-namespaces`: the documentation of namespaces that is longer than a
/// sentence, by name.
///
/// ```
/// use antiphon::{Access, Method, OpenRpc, ParamInfo, Router};
///
/// let add = Method::function("add", |a: f64, b: f64| a + b)
///     .params([ParamInfo::required("a").typed::<f64>(), ParamInfo::required("b").typed::<f64>()])
///     .returns::<f64>();
/// let dispatcher = Router::default().title("Sums").method(add).build().unwrap();
///
/// let document = OpenRpc::of(dispatcher.tree())
///     .access(Access::Public)
///     .server("http://localhost:8060/")
///     .document()
///     .to_value();
/// assert_eq!(document["info"]["title"], "Sums");
/// assert_eq!(document["methods"][0]["params"][1]["schema"]["type"], "number");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct OpenRpc {
    tree: Tree,
    access: Access,
    specification: Specification,
    title: Option<String>,
    version: Option<String>,
    servers: Vec<String>,
}

impl OpenRpc {
    /// The document of this router, for everybody.
    pub fn of(tree: &Tree) -> Self {
        Self {
            tree: tree.clone(),
            access: Access::Public,
            specification: Specification::default(),
            title: None,
            version: None,
            servers: Vec::new(),
        }
    }

    /// Who reads it: methods beyond what the reader may call are left out.
    pub fn access(mut self, reader: Access) -> Self {
        self.access = reader;
        self
    }

    /// The version of the specification; 1.3.2 by default.
    pub fn specification(mut self, specification: Specification) -> Self {
        self.specification = specification;
        self
    }

    /// The title, in place of the router's own.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// The version of your interface, in place of the router's own; without either it is `0.0.0`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Adds an address at which the methods are served.
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.servers.push(url.into());
        self
    }

    /// The document, to be written as JSON, Markdown, reStructuredText or HTML.
    #[must_use]
    pub fn document(&self) -> OpenRpcDocument {
        OpenRpcDocument(self.assemble())
    }

    fn assemble(&self) -> Document {
        let root = self.tree.root();
        let mut schemas = Schemas::new();
        let methods = self.tree.methods(self.access).into_iter();
        let mut methods: Vec<_> = methods
            .map(|info| method(&self.tree, info, &mut schemas))
            .collect();
        let definitions = schemas.into_definitions();
        for method in &mut methods {
            if let Some(result) = &mut method.result {
                definitions.correct(&mut result.schema);
            }
            if let Some(subscription) = &mut method.subscription {
                definitions.correct(&mut subscription.item.schema);
            }
        }
        let given = |own: &Option<String>, routers: &str, none: &str| match own {
            Some(text) => text.clone(),
            None if routers.is_empty() => none.to_owned(),
            None => routers.to_owned(),
        };
        let title = given(&self.title, root.title(), NO_TITLE);
        let servers = self.servers.iter().map(|url| Server {
            name: title.clone(),
            url: url.clone(),
        });
        Document {
            openrpc: self.specification.number().to_owned(),
            servers: servers.collect(),
            info: Info {
                title,
                description: root.documentation().to_owned(),
                version: given(&self.version, root.version(), NO_VERSION),
            },
            methods,
            components: Components {
                schemas: definitions.schemas,
            },
            namespaces: self.namespaces(),
        }
    }

    /// What there is to say of namespaces beyond a sentence, which stands at each method.
    fn namespaces(&self) -> BTreeMap<String, String> {
        let mut told = BTreeMap::new();
        for method in self.tree.methods(self.access) {
            let node = self.tree.node_of(method);
            let about = about(&node);
            if !node.is_root() && about.trim() != summary(about) {
                told.insert(node.namespace().to_owned(), about.to_owned());
            }
        }
        told
    }
}

/// With feature `describe`.
impl Tree {
    /// The OpenRPC document of this router, for a reader with this access; [`OpenRpc`] has choices.
    #[must_use]
    pub fn openrpc(&self, reader: Access) -> OpenRpcDocument {
        OpenRpc::of(self).access(reader).document()
    }
}
