//! Builder of a client.
//!
//! | file | what it does |
//! |---|---|
//! | `options.rs` | [`ClientBuilder`]: every option, its default and its limit |
//! | `build.rs` | [`ClientBuilder::build`]: options → client |

mod build;
mod options;

pub use options::ClientBuilder;
