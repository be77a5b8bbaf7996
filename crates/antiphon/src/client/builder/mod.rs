//! Builder of a client.
//!
//! | file | what it does |
//! |---|---|
//! | `options.rs` | [`ClientBuilder`]: every option, its default and its limit |
//! | `identity.rs` | the options that say who the client is: tokens and certificates |
//! | `build.rs` | [`ClientBuilder::build`]: options → client |

mod build;
mod identity;
mod options;

pub use options::ClientBuilder;
