//! Doc comments as string values, with the white space rules of rustdoc.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta};

/// The lines of a doc comment, or one text that replaces it.
#[derive(Default)]
pub(crate) struct Doc(Vec<Expr>);

impl Doc {
    /// Collects the doc comment from the attributes.
    pub(crate) fn of(attrs: &[Attribute]) -> Self {
        let lines = attrs.iter().filter_map(|attr| match &attr.meta {
            Meta::NameValue(doc) if doc.path.is_ident("doc") => Some(doc.value.clone()),
            _ => None,
        });
        Self(lines.collect())
    }

    pub(crate) fn text(text: &LitStr) -> Self {
        Self(vec![Expr::Lit(ExprLit {
            attrs: Vec::new(),
            lit: Lit::Str(text.clone()),
        })])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first line that is not empty.
    pub(crate) fn first_line(&self) -> Option<String> {
        let lines = self.0.iter().filter_map(literal);
        lines
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .map(|line| line.trim().to_owned())
            .find(|line| !line.is_empty())
    }

    /// Whether the doc comment consists of exactly this text.
    pub(crate) fn is_only(&self, text: &str) -> bool {
        let lines: Option<Vec<String>> = self.0.iter().map(literal).collect();
        lines.is_some_and(|lines| lines.join("\n").trim() == text)
    }

    /// An expression for the text. `#[doc = include_str!(…)]` is passed on, so that the compiler
    /// reads the file.
    pub(crate) fn to_expr(&self) -> TokenStream {
        let literals: Option<Vec<String>> = self.0.iter().map(literal).collect();
        if let Some(lines) = literals {
            let text = lines.join("\n");
            return text.trim().to_token_stream();
        }
        let lines = self.0.iter().map(|line| match literal(line) {
            Some(text) => text.to_token_stream(),
            None => line.to_token_stream(),
        });
        quote!(::antiphon::__private::concat!(#(#lines, "\n"),*))
    }

    /// The text as attributes for a generated item.
    pub(crate) fn to_attrs(&self) -> TokenStream {
        let lines = &self.0;
        quote!(#(#[doc = #lines])*)
    }
}

/// The reason in `#[deprecated]`, empty if it gives none; `None` without the attribute.
pub(crate) fn deprecation(attrs: &[Attribute]) -> Option<TokenStream> {
    let attr = attrs
        .iter()
        .find(|attr| attr.path().is_ident("deprecated"))?;
    let mut note = None;
    match &attr.meta {
        Meta::NameValue(reason) => note = Some(reason.value.clone()),
        // Errors are ignored here: the compiler reports an invalid attribute itself.
        Meta::List(_) => drop(attr.parse_nested_meta(|meta| {
            let value: Expr = meta.value()?.parse()?;
            if meta.path.is_ident("note") {
                note = Some(value);
            }
            Ok(())
        })),
        Meta::Path(_) => {}
    }
    Some(note.map_or_else(|| quote!(""), |note| note.to_token_stream()))
}

/// The text of a line without the space after `///`.
fn literal(line: &Expr) -> Option<String> {
    match line {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => {
            let text = text.value();
            Some(text.strip_prefix(' ').unwrap_or(&text).to_owned())
        }
        _ => None,
    }
}
