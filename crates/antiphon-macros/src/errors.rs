//! Errors of one macro call, reported together.
//!
//! Each message points at the token that is wrong and says what to write in its place. The block
//! itself is printed all the same, so that one mistake does not hide the others behind it.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The messages found so far.
#[derive(Debug, Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    /// Adds a message that points at these tokens.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Adds a message that has its place already.
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// What `print` makes, or the messages if there are any.
    pub(crate) fn or_print(self, print: impl FnOnce() -> TokenStream) -> TokenStream {
        match self.0 {
            Some(errors) => errors.into_compile_error(),
            None => print(),
        }
    }
}
