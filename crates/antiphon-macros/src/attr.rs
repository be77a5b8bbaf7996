//! Parser of the attributes: tokens → options.
//!
//! `#[rpc(…)]`, `#[method(…)]` and `#[arg(…)]` share one grammar: comma-separated `word` and
//! `word = value`. Helper attributes are removed from the item, because the compiler does not know
//! them.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitBool, LitInt, LitStr, Meta, Path, Token};

use crate::errors::Errors;
use crate::json::check_example;
use crate::names::Rename;

/// Options of `#[rpc(…)]`.
pub(crate) struct RpcOptions {
    /// The prefix of remote methods, without the underscore.
    pub(crate) serve_as: Option<LitStr>,
    pub(crate) namespace: Option<LitStr>,
    pub(crate) separator: Option<LitStr>,
    pub(crate) title: Option<LitStr>,
    pub(crate) rename_all: Option<Rename>,
    /// The scopes that all methods need, separated by spaces.
    pub(crate) scope: Option<LitStr>,
    /// Whether to generate a client.
    pub(crate) client: bool,
}

impl RpcOptions {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self {
            serve_as: None,
            namespace: None,
            separator: None,
            title: None,
            rename_all: None,
            scope: None,
            client: true,
        };
        for option in split(tokens, errors) {
            match option.name.to_string().as_str() {
                "serve_as" => options.serve_as = option.text(errors),
                "namespace" => options.namespace = option.text(errors),
                "separator" => options.separator = option.text(errors),
                "title" => options.title = option.text(errors),
                "rename_all" => options.rename_all = option.rename(errors),
                "scope" => options.scope = option.scopes(errors),
                "client" => options.client = option.boolean(errors),
                _ => option.unknown(
                    "`serve_as`, `namespace`, `separator`, `title`, `rename_all`, `scope` and `client`",
                    errors,
                ),
            }
        }
        if let Some(prefix) = &options.serve_as {
            let text = prefix.value();
            let is_name = syn::parse_str::<Ident>(&text).is_ok() && !text.ends_with('_');
            if !is_name {
                errors.at(
                    prefix,
                    "`serve_as` is what stands before the underscore: `serve_as = \"rpc\"` makes \
                     `rpc_add` remote",
                );
                options.serve_as = None;
            }
        }
        for name in options.namespace.iter().chain(&options.separator) {
            if name.value().is_empty() {
                errors.at(
                    name,
                    "this text may not be empty: remove the option instead",
                );
            }
        }
        options
    }
}

/// Options of `#[method(…)]`, and of `#[rpc_method(…)]`, which takes the same ones except `skip`.
#[derive(Default)]
pub(crate) struct MethodOptions {
    /// Whether the attribute is present, which makes a method remote.
    pub(crate) given: bool,
    pub(crate) name: Option<LitStr>,
    pub(crate) doc: Option<LitStr>,
    pub(crate) format: Option<LitStr>,
    pub(crate) request_handler: Option<Path>,
    pub(crate) example: Option<LitStr>,
    pub(crate) errors: Option<Path>,
    /// The reason; empty if none is given.
    pub(crate) deprecated: Option<LitStr>,
    pub(crate) blocking: Option<Ident>,
    pub(crate) local: bool,
    pub(crate) admin: bool,
    pub(crate) public: Option<Ident>,
    /// The scopes that a caller needs, separated by spaces.
    pub(crate) scope: Option<LitStr>,
    pub(crate) cost: Option<LitInt>,
    pub(crate) idempotent: Option<Ident>,
    pub(crate) read_only: Option<Ident>,
    /// Whether a call may destroy something, if that is said.
    pub(crate) destructive: Option<bool>,
    /// Whether agents get it as a tool, if that is said.
    pub(crate) tool: Option<bool>,
    pub(crate) skip: Option<Ident>,
    /// `stream`, with the item type for the client if it is given.
    pub(crate) stream: Option<(Ident, Option<LitStr>)>,
    pub(crate) notification: Option<LitStr>,
    pub(crate) unsubscribe: Option<LitStr>,
    pub(crate) plain: Option<Ident>,
    pub(crate) overflow: Option<LitStr>,
}

impl MethodOptions {
    /// Removes `#[method]` from the attributes and parses it.
    pub(crate) fn take(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Self {
        let Some(tokens) = take(attrs, "method", errors) else {
            return Self::default();
        };
        Self::parse(tokens, errors)
    }

    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self {
            given: true,
            ..Self::default()
        };
        let found = split(tokens, errors);
        let is_alone = found.len() == 1;
        for option in found {
            match option.name.to_string().as_str() {
                "name" => options.name = option.text(errors),
                "doc" => options.doc = option.text(errors),
                "format" => options.format = option.text(errors),
                "request_handler" => options.request_handler = option.path("a function", errors),
                "example" => options.example = option.example(errors),
                "errors" => options.errors = option.path("an enum", errors),
                "deprecated" => options.deprecated = option.reason(errors),
                "blocking" => options.blocking = option.word(errors),
                "local" => options.local = option.word(errors).is_some(),
                "admin" => options.admin = option.word(errors).is_some(),
                "public" => options.public = option.word(errors),
                "scope" => options.scope = option.scopes(errors),
                "cost" => options.cost = option.number(errors),
                "idempotent" => options.idempotent = option.word(errors),
                "read_only" => options.read_only = option.word(errors),
                "destructive" if option.value.is_none() => options.destructive = Some(true),
                "destructive" => options.destructive = Some(option.boolean(errors)),
                "tool" => options.tool = Some(option.boolean(errors)),
                "stream" if option.value.is_none() => options.stream = Some((option.name, None)),
                "stream" => {
                    let name = option.name.clone();
                    options.stream = Some((name, option.text(errors)));
                }
                "notification" => options.notification = option.text(errors),
                "unsubscribe" => options.unsubscribe = option.text(errors),
                "plain" => options.plain = option.word(errors),
                "overflow" => options.overflow = option.text(errors),
                "skip" if is_alone => options.skip = option.word(errors),
                "skip" => errors.at(
                    option.name,
                    "`skip` makes the method private: it goes with no other option",
                ),
                _ => option.unknown(
                    "`name`, `doc`, `format`, `request_handler`, `example`, `errors`, `deprecated`, \
                     `blocking`, `local`, `admin`, `cost`, `public`, `scope`, `idempotent`, `read_only`, `destructive`, `tool`, `skip`, and for streams `stream`, `notification`, `unsubscribe`, `plain` and `overflow`",
                    errors,
                ),
            }
        }
        if let (Some(public), Some(_)) = (&options.public, &options.scope) {
            errors.at(
                public,
                "whoever has a scope is known: a method with `scope` is not `public`",
            );
        }
        options
    }
}

/// Options of `#[arg(…)]` and `#[ctx]` on a parameter.
#[derive(Default)]
pub(crate) struct ArgOptions {
    /// Whether either attribute is present.
    pub(crate) given: bool,
    pub(crate) name: Option<LitStr>,
    /// `default`, with its expression if it is given.
    pub(crate) default: Option<(Ident, Option<Expr>)>,
    pub(crate) flatten: Option<Ident>,
    pub(crate) is_context: bool,
}

impl ArgOptions {
    /// Removes the helper attributes from a parameter and parses them.
    pub(crate) fn take(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Self {
        let is_context = take(attrs, "ctx", errors).is_some();
        let arg = take(attrs, "arg", errors);
        let mut options = Self {
            given: is_context || arg.is_some(),
            is_context,
            ..Self::default()
        };
        for option in split(arg.unwrap_or_default(), errors) {
            match option.name.to_string().as_str() {
                "name" => options.name = option.text(errors),
                "default" => options.default = Some((option.name, option.value)),
                "flatten" => options.flatten = option.word(errors),
                _ => option.unknown("`name`, `default` and `flatten`", errors),
            }
        }
        options
    }
}

/// Removes all attributes of this name. Returns the tokens of the first one, if there is any.
fn take(attrs: &mut Vec<Attribute>, name: &str, errors: &mut Errors) -> Option<TokenStream> {
    let mut content: Option<TokenStream> = None;
    attrs.retain(|attr| {
        if !attr.path().is_ident(name) {
            return true;
        }
        if content.is_some() {
            let message = format!("`#[{name}]` comes twice: gather the options in one");
            errors.at(attr, message);
            return false;
        }
        content = Some(match &attr.meta {
            Meta::Path(_) => TokenStream::new(),
            Meta::List(list) => list.tokens.clone(),
            Meta::NameValue(_) => {
                let message = format!("options stand in parentheses: `#[{name}(…)]`");
                errors.at(attr, message);
                TokenStream::new()
            }
        });
        false
    });
    content
}

/// Parses the options of one attribute. A repeated name is an error.
fn split(tokens: TokenStream, errors: &mut Errors) -> Vec<Setting> {
    let parser = Punctuated::<Setting, Token![,]>::parse_terminated;
    let mut settings: Vec<Setting> = Vec::new();
    match parser.parse2(tokens) {
        Ok(all) => {
            for setting in all {
                if settings.iter().any(|known| known.name == setting.name) {
                    let message = format!("`{}` is given twice: keep one", setting.name);
                    errors.at(&setting.name, message);
                } else {
                    settings.push(setting);
                }
            }
        }
        Err(error) => errors.push(error),
    }
    settings
}

/// An option: `blocking`, or `name = "add"`.
struct Setting {
    name: Ident,
    value: Option<Expr>,
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any)?;
        let equals: Option<Token![=]> = input.parse()?;
        let value = equals.map(|_| input.parse()).transpose()?;
        Ok(Self { name, value })
    }
}

impl Setting {
    fn text(self, errors: &mut Errors) -> Option<LitStr> {
        match self.value {
            Some(Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            })) => Some(text),
            _ => {
                let message = format!("`{0}` takes a text: `{0} = \"…\"`", self.name);
                errors.at(self.name, message);
                None
            }
        }
    }

    /// A text of scopes (RFC 6749, section 3.3).
    fn scopes(self, errors: &mut Errors) -> Option<LitStr> {
        let text = self.text(errors)?;
        let value = text.value();
        let is_allowed = |byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~');
        if value.trim().is_empty() || !value.bytes().all(is_allowed) {
            errors.at(
                &text,
                "scopes are separated by spaces, and contain printable ASCII characters other than \
                 quotation marks and backslashes",
            );
            return None;
        }
        Some(text)
    }

    fn number(self, errors: &mut Errors) -> Option<LitInt> {
        match self.value {
            Some(Expr::Lit(ExprLit {
                lit: Lit::Int(number),
                ..
            })) if number.base10_parse::<u32>().is_ok() => Some(number),
            _ => {
                let message = format!(
                    "`{0}` takes a number from 0 to {1}: `{0} = 10`",
                    self.name,
                    u32::MAX
                );
                errors.at(self.name, message);
                None
            }
        }
    }

    /// The value as a path; `kind` describes the expected item in error messages.
    fn path(self, kind: &str, errors: &mut Errors) -> Option<Path> {
        match self.value {
            Some(Expr::Path(path)) => Some(path.path),
            _ => {
                let example = match kind {
                    "a function" => "my_function",
                    _ => "MyErrors",
                };
                let message = format!(
                    "`{0}` takes the path of {kind}: `{0} = {example}`",
                    self.name
                );
                errors.at(self.name, message);
                None
            }
        }
    }

    fn example(self, errors: &mut Errors) -> Option<LitStr> {
        let text = self.text(errors)?;
        if let Err(reason) = check_example(&text.value()) {
            let message = format!(
                "an example is JSON like {{\"params\": [3, 4], \"result\": 7}}, and in this one {reason}"
            );
            errors.at(&text, message);
        }
        Some(text)
    }

    /// A string, or the empty string if there is no value.
    fn reason(self, errors: &mut Errors) -> Option<LitStr> {
        match self.value {
            None => Some(LitStr::new("", self.name.span())),
            Some(_) => self.text(errors),
        }
    }

    fn boolean(self, errors: &mut Errors) -> bool {
        match self.value {
            Some(Expr::Lit(ExprLit {
                lit: Lit::Bool(LitBool { value, .. }),
                ..
            })) => value,
            _ => {
                let message = format!("`{0}` takes `true` or `false`: `{0} = false`", self.name);
                errors.at(self.name, message);
                true
            }
        }
    }

    fn rename(self, errors: &mut Errors) -> Option<Rename> {
        let text = self.text(errors)?;
        let rule = Rename::of(&text.value());
        if rule.is_none() {
            let known = Rename::ALL
                .map(|(name, _)| format!("\"{name}\""))
                .join(", ");
            errors.at(text, format!("no such rule; there are {known}"));
        }
        rule
    }

    /// An option without a value.
    fn word(self, errors: &mut Errors) -> Option<Ident> {
        if let Some(value) = self.value {
            errors.at(
                value,
                format!("`{0}` takes no value: write `{0}`", self.name),
            );
        }
        Some(self.name)
    }

    fn unknown(self, known: &str, errors: &mut Errors) {
        let message = format!("no such option: `{}`; there are {known}", self.name);
        errors.at(self.name, message);
    }
}
