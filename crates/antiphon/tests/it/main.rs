//! The tests of the library, one binary: a file for each subject.

#[cfg(feature = "macros")]
mod macros;
#[cfg(feature = "macros")]
mod rpc_trait;
mod spec;
#[cfg(feature = "macros")]
mod ui;
