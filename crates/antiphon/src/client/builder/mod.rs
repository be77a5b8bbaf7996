//! Builder of a client.
//!
//! | file | what it does |
//! |---|---|
//! | `options.rs` | [`ClientBuilder`]: every option, its default and its limit |
//! | `identity.rs` | the options that say who calls: tokens, certificates, the caller of the running method |
//! | `build.rs` | [`ClientBuilder::build`]: options → client |

mod build;
mod identity;
mod options;

pub use options::ClientBuilder;
