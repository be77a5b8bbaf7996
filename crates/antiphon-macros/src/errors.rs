//! Collector of the errors of one macro call, which reports them together.
//!
//! Each error points at the offending token and says what to write instead. The original item is
//! kept in the output, so that one mistake does not hide others in the item.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The errors so far.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    messages: Option<syn::Error>,
    count: usize,
}

impl Errors {
    /// Adds an error at the span of these tokens.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Adds an error that already has a span.
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
