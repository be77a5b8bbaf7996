//! Errors of one macro call, reported together.
//!
//! Each message points at the token that is wrong and says what to write in its place. The block
//! itself is printed all the same, so that one mistake does not hide the others behind it.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The messages found so far.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    messages: Option<syn::Error>,
    count: usize,
}

impl Errors {
    /// Adds a message that points at these tokens.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Adds a message that has its place already.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.count += 1;
        match &mut self.messages {
            Some(errors) => errors.combine(error),
            None => self.messages = Some(error),
        }
    }

    /// Whether there is no message.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The number of messages so far.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The messages, for the compiler to report.
    pub(crate) fn into_tokens(self) -> Option<TokenStream> {
        self.messages.map(syn::Error::into_compile_error)
    }
}
