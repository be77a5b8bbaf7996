//! Template of an error message: text with fields in braces, in the syntax of `format!`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::LitStr;

use crate::errors::Errors;

/// A message and the fields that it refers to.
pub(crate) struct Message {
    /// The text with each field renamed by its index, as in `{f0}`. So tuple indices, keywords and
    /// any other names become valid arguments of `format!`.
    text: String,
    /// The text for documentation, with the original field names.
    pub(crate) shown: String,
    /// Whether `text` is a template. A text from a doc comment is not, and may contain braces.
    is_template: bool,
    span: Span,
    pub(crate) fields: Vec<usize>,
}

impl Message {
    /// A message in which braces have no special meaning.
    pub(crate) fn plain(text: String) -> Self {
        Self {
            shown: text.clone(),
            text,
            is_template: false,
            span: Span::mixed_site(),
            fields: Vec::new(),
        }
    }

    /// Parses a template; `names` are the names of the fields.
    pub(crate) fn parse(template: &LitStr, names: &[String], errors: &mut Errors) -> Self {
        let mut message = Self {
            text: String::new(),
            shown: template.value().replace("{{", "{").replace("}}", "}"),
            is_template: true,
            span: template.span(),
            fields: Vec::new(),
        };
        let text = template.value();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            message.text.push_str(before);
            message.text.push('{');
            rest = after;
            if let Some(after) = rest.strip_prefix('{') {
                message.text.push('{');
                rest = after;
                continue;
            }
            // `format!` reports the unclosed brace.
            let Some((placeholder, after)) = rest.split_once('}') else {
                break;
            };
            match message.placeholder(placeholder, names) {
                Ok(placeholder) => message.text.push_str(&placeholder),
                Err(error) => errors.at(template, error),
            }
            message.text.push('}');
            rest = after;
        }
        message.text.push_str(rest);
        message
    }

    /// Rewrites a placeholder: a field, and after a colon its format specification (`{0:>width$}`).
    fn placeholder(&mut self, text: &str, names: &[String]) -> Result<String, String> {
        let (name, spec) = match text.split_once(':') {
            Some((name, spec)) => (name, Some(spec)),
            None => (text, None),
        };
        let mut shown = self.field(name.trim(), names)?;
        if let Some(spec) = spec {
            shown.push(':');
            shown.push_str(&self.spec(spec, names)?);
        }
        Ok(shown)
    }

    /// Rewrites a format specification, in which `width$` refers to a field as well.
    fn spec(&mut self, spec: &str, names: &[String]) -> Result<String, String> {
        let mut parts = spec.split('$').peekable();
        let mut shown = String::new();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                shown.push_str(part);
                break;
            }
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let start = part.trim_end_matches(is_name).len();
            let (before, name) = part.split_at(start);
            shown.push_str(before);
            shown.push_str(&self.field(name, names)?);
            shown.push('$');
        }
        Ok(shown)
    }

    fn field(&mut self, name: &str, names: &[String]) -> Result<String, String> {
        let Some(at) = names.iter().position(|known| known == name) else {
            let known: Vec<_> = names.iter().map(|name| format!("`{{{name}}}`")).collect();
            return Err(match (name, known.is_empty()) {
                (_, true) => {
                    "this variant has no fields: remove the braces, or double them".to_owned()
                }
                ("", false) => format!("say which field: {}", known.join(", ")),
                _ => format!(
                    "no such field: `{{{name}}}`; there are {}",
                    known.join(", ")
                ),
            });
        };
        if !self.fields.contains(&at) {
            self.fields.push(at);
        }
        Ok(format!("f{at}"))
    }

    /// The message as an expression; `binding` is the variable that holds a field.
    pub(crate) fn to_expr(&self, binding: impl Fn(usize) -> Ident) -> TokenStream {
        if !self.is_template {
            return self.text.to_token_stream();
        }
        let template = LitStr::new(&self.text, self.span);
        let arguments = self.fields.iter().map(|&at| {
            let (name, value) = (format_ident!("f{at}"), binding(at));
            quote!(#name = #value)
        });
        quote!(::antiphon::__private::format!(#template #(, #arguments)*))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(template: &str) -> (String, Vec<usize>) {
        let names = ["what", "left", "0"].map(str::to_owned);
        let mut errors = Errors::default();
        let literal = LitStr::new(template, Span::call_site());
        let message = Message::parse(&literal, &names, &mut errors);
        assert!(errors.is_empty(), "{template}");
        (message.text, message.fields)
    }

    #[test]
    fn fields_get_names_that_format_takes() {
        for (template, text, fields) in [
            ("gone", "gone", vec![]),
            ("out of {what}", "out of {f0}", vec![0]),
            (
                "{left:?} of {what}, {left}",
                "{f1:?} of {f0}, {f1}",
                vec![1, 0],
            ),
            ("{{{0}}} {{what}}", "{{{f2}}} {{what}}", vec![2]),
            ("{what:>left$.2}", "{f0:>f1$.2}", vec![0, 1]),
        ] {
            assert_eq!(parse(template), (text.to_owned(), fields));
        }
    }
}
