//! The Model Context Protocol: a router's methods as the tools of agents.
//!
//! [`Mcp`] makes a server of a router, over HTTP and over standard input and output, in the versions
//! 2026-07-28, 2025-11-25 and 2025-06-18. The rest of this module is for methods that want to say more
//! to an agent than their result.
//!
//! | in this module | for |
//! |---|---|
//! | [`ToolResult`], [`Content`] | results that decide themselves what an agent sees |
//! | [`Context::mcp`](crate::Context::mcp), [`Request`] | what the client says of its request |
//! | [`Context::progress`](crate::Context::progress), [`Context::log`](crate::Context::log) | notifications while a method runs |
//! | [`Context::elicit`](crate::Context::elicit), [`Context::sample`](crate::Context::sample), [`Context::roots`](crate::Context::roots) | questions to the client, its user and its model |
//! | [`Resources`], [`ReadResource`], [`Prompts`], [`GetPrompt`], [`Complete`] | results of methods with the protocol's names |
//! | [`Changes`] | what clients listen to |
//!
//! Every call of a client is one of the router's, so whatever holds for those holds here. The protocol
//! itself has no transport and no state: what a request says is all that is known of its client.
//!
//! | file | what it does |
//! |---|---|
//! | `builder.rs` | [`Mcp`], which a user sets up |
//! | `service.rs` | what becomes of each request, before the router sees it |
//! | `version.rs`, `negotiation.rs` | versions; which one a request has |
//! | `params.rs`, `headers.rs` | parameters and header fields that the protocol reads |
//! | `tools.rs`, `features.rs` | the list of tools; the methods with names of the protocol |
//! | `exchange.rs`, `errors.rs` | the reply of a method as an answer of the protocol; errors that it defines |
//! | `request.rs`, `ask.rs`, `logging.rs` | what a method learns of its client, asks it and tells it |
//! | `listen.rs` | `subscriptions/listen` |
//! | `content.rs`, `resources.rs`, `prompts.rs` | types of results |

mod ask;
mod builder;
mod content;
mod errors;
mod exchange;
mod features;
mod headers;
mod listen;
mod logging;
mod negotiation;
mod params;
mod prompts;
mod request;
mod resources;
mod service;
mod tools;
mod version;

pub use ask::Elicited;
pub use builder::Mcp;
pub use content::{Content, Role, ToolResult};
pub(crate) use exchange::Exchange;
pub use listen::Changes;
pub use logging::LogLevel;
pub use prompts::{
    Complete, Completion, GetPrompt, Prompt, PromptArgument, PromptMessage, Prompts,
};
pub use request::Request;
pub use resources::{
    ReadResource, Resource, ResourceContents, ResourceTemplate, ResourceTemplates, Resources,
    no_such_resource,
};
pub(crate) use service::{Begun, Service};
pub use version::Version;
