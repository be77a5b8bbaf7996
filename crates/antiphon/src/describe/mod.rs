//! Descriptions of routers: their methods as data, and documents generated from them.
//!
//! | file | what it does |
//! |---|---|
//! | `tree.rs` | [`Tree`]: the methods of a frozen router, and their namespaces |
//! | `access.rs` | which callers a method is for |
//! | `effects.rs` | whether a call may run twice |
//! | `remote.rs`, `forwarded.rs` | methods of other servers that a router forwards; these in listings |
//! | `schema_source.rs`, `no_schema_source.rs` | JSON Schemas of types, and default values of parameters |
//! | `rst.rs` | reStructuredText, for the method `documentation` |
//! | `documents/` | OpenRPC, Markdown and HTML |
//! | `page/` | the documentation page for browsers |

mod access;
#[cfg(feature = "describe")]
mod documents;
mod effects;
mod forwarded;
#[cfg(all(feature = "describe", feature = "server"))]
pub(crate) mod page;
mod remote;
pub(crate) mod rst;
#[cfg_attr(not(feature = "describe"), path = "no_schema_source.rs")]
pub(crate) mod schema_source;
mod tree;

pub use access::Access;
#[cfg(feature = "mcp")]
pub(crate) use documents::{FOR_AGENTS, Tool, Tools};
#[cfg(feature = "describe")]
pub use documents::{OpenRpc, OpenRpcDocument, Specification};
pub(crate) use effects::Effects;
pub(crate) use remote::{
    RemoteMethod, RemoteMethods, RemoteNode, RemoteSource, ServedBy, UpstreamState,
};
pub(crate) use tree::{Inner, NodeInner};
pub use tree::{MethodInfo, Node, ParamInfo, Reader, Tree};
