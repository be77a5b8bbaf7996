//! Router: the tree of methods under names, with routers nested in routers.
//!
//! | file | what it does |
//! |---|---|
//! | `builder.rs` | [`Router`] |
//! | `method.rs` | [`Method`]: a handler and its documentation |
//! | `function.rs` | closures as methods |
//! | `params.rs` | parameters → Rust arguments, by position or by name |
//! | `named.rs` | [`NamedParams`], which request handlers change |
//! | `discover.rs`, `unsubscribe.rs`, `authenticate.rs` | methods that the protocol adds |
//! | `freeze.rs`, `error.rs` | router → one table of full names; [`RouterError`] |
//! | `endpoint.rs` | [`Endpoint`]: that table, and the layers around it |

mod authenticate;
mod builder;
#[cfg(feature = "describe")]
mod discover;
pub(crate) mod endpoint;
mod error;
mod freeze;
mod function;
mod method;
mod named;
pub(crate) mod params;
mod unsubscribe;

pub(crate) use builder::Rest;
pub use builder::{IntoRouter, Router};
pub use endpoint::Endpoint;
pub use error::{BoxError, RouterError, RouterProblem};
pub use function::Function;
pub use method::{IntoMethod, Method};
pub use named::NamedParams;
