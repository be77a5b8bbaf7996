//! OpenRPC documents, and their forms for readers.
//!
//! | file | what it does |
//! |---|---|
//! | `openrpc.rs` | [`OpenRpc`]: builder of a document |
//! | `specification.rs` | [`Specification`]: its versions |
//! | `model.rs` | the members of an OpenRPC document, in the order of the specification |
//! | `method.rs` | a method of a router as one of a document |
//! | `schemas.rs` | the schemas of a document, each named type once |
//! | `types.rs` | the schemas of single parameters and results |
//! | `cache.rs` | the documents of one router, each made once |
//! | `document.rs` | [`OpenRpcDocument`]: the forms a document can have, and one from elsewhere |
//! | `references.rs` | references in documents from elsewhere |
//! | `markdown.rs` | the Markdown form |
//! | `schema_text.rs` | schemas as prose, for that |
//! | `html.rs`, `html.css` | the HTML form |

mod cache;
mod document;
mod html;
mod markdown;
mod method;
mod model;
mod openrpc;
mod references;
mod schema_text;
mod schemas;
mod specification;
mod types;

pub use document::OpenRpcDocument;
pub use openrpc::OpenRpc;
pub use specification::Specification;
