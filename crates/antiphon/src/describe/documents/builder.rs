//! Builder of an OpenRPC document.

use std::collections::BTreeMap;

use crate::describe::documents::document::OpenRpcDocument;
use crate::describe::documents::method::{about, method, summary};
use crate::describe::documents::model::{Components, Document, Info, Server};
use crate::describe::documents::schemas::Schemas;
use crate::describe::documents::specification::{NO_VERSION, Specification};
use crate::describe::{Access, Reader, Tree};

/// Default title.
const NO_TITLE: &str = "Remote methods";

/// Builder of the OpenRPC document of a router: its methods with their types, errors and examples.
///
/// [OpenRPC](https://spec.open-rpc.org) is the format from which other programs generate clients,
/// documentation and tests. [`OpenRpcDocument`] has further output formats. Every router returns
/// this document from `rpc.discover`, restricted to what the caller may see. The output is
/// deterministic: the same router always has the same document, byte for byte.
///
/// Types have a schema if they implement [`JsonSchema`](schemars::JsonSchema). For any other type
/// the schema is `true`, which accepts anything, with `"x-no-schema": true` beside it. What OpenRPC
/// cannot express is in extension members:
///
/// | member of a method | meaning |
/// |---|---|
/// | `x-subscription` | the items that follow as notifications: `notification` and `unsubscribe` are method names, `item` has the `schema` of an item, `plain` means without `seq` and `end`, and `resumes` that items have a `cursor`, behind which a request with `after` goes on |
/// | `x-additional-params` | the schema of further parameters that may be passed by name |
/// | `x-access` | `local` or `admin`, if only such callers may call the method |
/// | `x-public` | `true`, if anonymous callers may call it once the server asks who they are |
/// | `x-scopes` | the scopes that callers need, all of them |
/// | `x-cost` | how many calls it counts as for rate limits, if not 1; 0 if it is exempt |
/// | `x-idempotent` | `true`, if a call may run twice with the same effect as once |
/// | `x-read-only` | `true`, if it changes nothing |
/// | `x-destructive` | whether a call may destroy something, if the method says so |
/// | `x-tool` | `false`, if agents do not get it as a tool |
/// | `x-served-by` | the server that a call is forwarded to, by its name in a [`Gateway`](crate::Gateway) |
/// | `x-deprecated-reason` | what to use instead |
/// | `x-error-docs` | the documentation of errors, by code |
///
/// The document itself may have `x-namespaces`: the documentation of namespaces, by name, where it
/// is longer than one sentence.
///
/// ```
/// use antiphon::{Access, Method, OpenRpc, ParamInfo, Router};
///
/// let add = Method::function("add", |a: f64, b: f64| a + b)
///     .params([ParamInfo::required("a").typed::<f64>(), ParamInfo::required("b").typed::<f64>()])
///     .returns::<f64>();
/// let dispatcher = Router::new().title("Sums").method(add).build().unwrap();
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
    reader: Reader,
    specification: Specification,
    title: Option<String>,
    version: Option<String>,
    servers: Vec<String>,
}

impl OpenRpc {
    /// Creates a builder for this router, with public access.
    pub fn of(tree: &Tree) -> Self {
        Self {
            tree: tree.clone(),
            reader: Access::Public.into(),
            specification: Specification::default(),
            title: None,
            version: None,
            servers: Vec::new(),
        }
    }

    /// Sets the reader, or its access level: methods that it may not see are left out.
    pub fn access(mut self, reader: impl Into<Reader>) -> Self {
        self.reader = reader.into();
        self
    }

    /// Sets the version of the specification; 1.3.2 by default.
    pub fn specification(mut self, specification: Specification) -> Self {
        self.specification = specification;
        self
    }

    /// Sets the title; by default the router's title is used.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Sets the version of the interface; by default the router's version is used, or `0.0.0` if it
    /// has none.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Adds the URL of a server.
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.servers.push(url.into());
        self
    }

    /// Generates the document, which can be written as JSON, Markdown, reStructuredText or HTML.
    #[must_use]
    pub fn document(&self) -> OpenRpcDocument {
        OpenRpcDocument(self.assemble())
    }

    fn assemble(&self) -> Document {
        let root = self.tree.root();
        let mut schemas = Schemas::new();
        let methods = self.tree.methods(self.reader).into_iter();
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
        let (forwarded, theirs) = self.tree.forwarded_documents(self.reader);
        methods.extend(forwarded);
        let mut schemas = definitions.schemas;
        for (name, schema) in theirs {
            schemas.entry(name).or_insert(schema);
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
            components: Components { schemas },
            namespaces: self.namespaces(),
        }
    }

    /// The documentation of namespaces that have more than one sentence; the first sentence is at
    /// each method.
    fn namespaces(&self) -> BTreeMap<String, String> {
        let mut told = BTreeMap::new();
        for method in self.tree.methods(self.reader) {
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
    /// The OpenRPC document of this router for this reader, or access level; [`OpenRpc`] has more
    /// options.
    #[must_use]
    pub fn openrpc(&self, reader: impl Into<Reader>) -> OpenRpcDocument {
        OpenRpc::of(self).access(reader).document()
    }
}
