//! Model of a remote method, built from a signature and its attributes.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Expr, ExprLit, FnArg, GenericParam, Ident, Lit, LitInt, LitStr, Pat, PatType, Path,
    Receiver, ReceiverKind, ReturnType, Safety, Signature, Type, TypeReference, parse_quote,
};

use crate::attr::{ArgOptions, MethodOptions};
use crate::docs::{self, Doc};
use crate::errors::Errors;
use crate::stream::Subscription;
use crate::types::{last_segment, peel};

/// Maximum count of parameters, which is what the library can decode.
const MAX_PARAMS: usize = 16;

/// A remote method.
pub(crate) struct Method {
    /// The identifier of the Rust method.
    pub(crate) ident: Ident,
    /// The Rust name without the prefix.
    pub(crate) stem: String,
    /// The remote name.
    pub(crate) name: String,
    pub(crate) doc: Doc,
    pub(crate) format: Option<LitStr>,
    pub(crate) request_handler: Option<Path>,
    pub(crate) example: Option<LitStr>,
    pub(crate) errors: Option<Path>,
    /// The reason; empty if none is given.
    pub(crate) deprecated: Option<TokenStream>,
    pub(crate) is_blocking: bool,
    pub(crate) is_local: bool,
    pub(crate) is_admin: bool,
    pub(crate) is_public: bool,
    pub(crate) scope: Option<LitStr>,
    /// How many calls it counts as for rate limits.
    pub(crate) cost: Option<LitInt>,
    pub(crate) is_idempotent: bool,
    pub(crate) is_read_only: bool,
    pub(crate) destructive: Option<bool>,
    pub(crate) tool: Option<bool>,
    pub(crate) is_async: bool,
    pub(crate) has_receiver: bool,
    pub(crate) args: Vec<Arg>,
    pub(crate) output: Option<Type>,
    /// The options of the subscription, if the method returns a stream.
    pub(crate) subscription: Option<Subscription>,
    /// The `#[cfg]` attributes, which are repeated on the registration of the method.
    pub(crate) cfgs: Vec<Attribute>,
    /// The attributes that the client's method has as well.
    pub(crate) client_attrs: Vec<Attribute>,
    /// Whether there are errors about it: the client is printed without it.
    pub(crate) is_refused: bool,
}

/// An argument of the Rust method, in declaration order.
pub(crate) enum Arg {
    Context { is_reference: bool },
    Param(Box<Param>),
}

/// An argument that the caller sends.
pub(crate) struct Param {
    pub(crate) ident: Ident,
    /// The remote name.
    pub(crate) name: String,
    pub(crate) doc: Doc,
    pub(crate) ty: Type,
    pub(crate) kind: ParamKind,
}

pub(crate) enum ParamKind {
    Required,
    /// With a closure that makes the default value.
    Optional(TokenStream),
    Flatten,
}

impl Method {
    /// Builds the model of a remote method, and removes the helper attributes from its signature.
    pub(crate) fn new(
        attrs: &[Attribute],
        sig: &mut Signature,
        options: MethodOptions,
        stem: String,
        renamed: String,
        errors: &mut Errors,
    ) -> Self {
        check_signature(sig, &options, errors);
        let mut has_receiver = false;
        let mut args = Vec::new();
        for input in &mut sig.inputs {
            match input {
                FnArg::Receiver(receiver) => {
                    has_receiver = true;
                    check_receiver(receiver, errors);
                }
                FnArg::Typed(typed) => {
                    let arg = Arg::new(typed, errors);
                    let is_context = |arg: &Arg| matches!(arg, Arg::Context { .. });
                    if arg.as_ref().is_some_and(is_context) && args.iter().any(is_context) {
                        errors.at(&typed.pat, "one context is enough: remove the second");
                    }
                    args.extend(arg);
                }
            }
        }
        check_args(&args, errors);
        let output = match &sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(ty.as_ref().clone()),
        };
        let subscription = Subscription::of(output.as_ref(), &options, errors);
        let doc = match &options.doc {
            Some(text) => Doc::text(text),
            None => Doc::of(attrs),
        };
        let keep = |names: &[&str]| {
            let kept = |attr: &&Attribute| names.iter().any(|name| attr.path().is_ident(name));
            attrs.iter().filter(kept).cloned().collect()
        };
        Self {
            ident: sig.ident.clone(),
            stem,
            name: options.name.map_or(renamed, |name| name.value()),
            doc,
            format: options.format,
            request_handler: options.request_handler,
            example: options.example,
            errors: options.errors,
            deprecated: match options.deprecated {
                Some(reason) => Some(reason.to_token_stream()),
                None => docs::deprecation(attrs),
            },
            is_blocking: options.blocking.is_some(),
            is_local: options.local,
            is_admin: options.admin,
            is_public: options.public.is_some(),
            scope: options.scope,
            cost: options.cost,
            is_idempotent: options.idempotent.is_some(),
            is_read_only: options.read_only.is_some(),
            destructive: options.destructive,
            tool: options.tool,
            is_async: sig.asyncness.is_some(),
            has_receiver,
            args,
            output,
            subscription,
            cfgs: keep(&["cfg"]),
            client_attrs: keep(&["cfg", "deprecated", "allow"]),
            is_refused: false,
        }
    }

    /// The arguments that the caller sends, in order.
    pub(crate) fn params(&self) -> impl Iterator<Item = &Param> {
        self.args.iter().filter_map(|arg| match arg {
            Arg::Param(param) => Some(param.as_ref()),
            Arg::Context { .. } => None,
        })
    }

    pub(crate) fn takes_context(&self) -> bool {
        let is_context = |arg: &Arg| matches!(arg, Arg::Context { .. });
        self.args.iter().any(is_context)
    }

    /// Allows a Clippy lint: a remote method owns its parameters even if it only reads them.
    pub(crate) fn allowances(&self) -> Option<Attribute> {
        let allowance = parse_quote!(#[allow(clippy::needless_pass_by_value)]);
        (!self.args.is_empty()).then_some(allowance)
    }

    /// The tokens at which errors about the return type are reported.
    pub(crate) fn output_tokens(&self) -> TokenStream {
        match &self.output {
            Some(ty) => ty.to_token_stream(),
            None => self.ident.to_token_stream(),
        }
    }
}

impl Arg {
    fn new(typed: &mut PatType, errors: &mut Errors) -> Option<Self> {
        let options = ArgOptions::take(&mut typed.attrs, errors);
        // The compiler rejects doc comments on parameters, so they are removed.
        let doc = Doc::of(&typed.attrs);
        typed.attrs.retain(|attr| !attr.path().is_ident("doc"));
        if let Some(cfg) = typed.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
            errors.at(
                cfg,
                "a parameter cannot come and go: put `#[cfg]` on the whole method",
            );
        }
        let is_reference = matches!(peel(&typed.ty), Type::Reference(_));
        if options.is_context || is_context(&typed.ty) {
            if options.name.is_some() || options.default.is_some() || options.flatten.is_some() {
                errors.at(
                    &typed.pat,
                    "the context is no parameter of the caller's: remove `#[arg]`",
                );
            }
            return Some(Self::Context { is_reference });
        }
        check_type(&typed.ty, errors);
        let ident = argument_name(&typed.pat, errors)?;
        let kind = kind(&typed.ty, &options, errors);
        Some(Self::Param(Box::new(Param {
            name: match &options.name {
                Some(name) => name.value(),
                None => ident.unraw().to_string(),
            },
            ident,
            doc,
            ty: typed.ty.as_ref().clone(),
            kind,
        })))
    }
}

fn kind(ty: &Type, options: &ArgOptions, errors: &mut Errors) -> ParamKind {
    match (&options.flatten, &options.default) {
        (Some(flatten), Some(_)) => {
            errors.at(
                flatten,
                "`flatten` takes whatever is left and has no default: keep one of the two",
            );
            ParamKind::Flatten
        }
        (Some(_), None) => ParamKind::Flatten,
        (None, Some((_, Some(expr)))) => {
            // A string literal is converted, so that it can be the default of a `String`.
            let value = match expr {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(_), ..
                }) => {
                    quote!(::antiphon::__private::Into::into(#expr))
                }
                _ => expr.to_token_stream(),
            };
            ParamKind::Optional(quote!(|| #value))
        }
        (None, Some((_, None))) => {
            ParamKind::Optional(quote!(::antiphon::__private::Default::default))
        }
        (None, None) if last_segment(ty).is_some_and(|name| name == "Option") => {
            ParamKind::Optional(quote!(::antiphon::__private::Default::default))
        }
        (None, None) => ParamKind::Required,
    }
}

fn check_signature(sig: &Signature, options: &MethodOptions, errors: &mut Errors) {
    for param in &sig.generics.params {
        if !matches!(param, GenericParam::Lifetime(_)) {
            errors.at(
                param,
                "a remote method cannot be generic: write the type that callers send",
            );
        }
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.at(
            token,
            "a remote method cannot be `unsafe`: anybody may call it",
        );
    }
    if let (Some(blocking), true) = (&options.blocking, sig.asyncness.is_some()) {
        errors.at(
            blocking,
            "`blocking` is for a plain `fn`: remove it here, or `async` below",
        );
    }
}

fn check_receiver(receiver: &Receiver, errors: &mut Errors) {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, None) => {}
        ReceiverKind::Reference(_, _, Some(_)) => errors.at(
            receiver,
            "remote methods run side by side: take `&self` and keep state behind a Mutex",
        ),
        _ => errors.at(receiver, "one object answers many calls: take `&self`"),
    }
}

fn check_args(args: &[Arg], errors: &mut Errors) {
    let params: Vec<&Param> = args
        .iter()
        .filter_map(|arg| match arg {
            Arg::Param(param) => Some(param.as_ref()),
            Arg::Context { .. } => None,
        })
        .collect();
    if let Some(param) = params.get(MAX_PARAMS) {
        let message =
            format!("a method takes at most {MAX_PARAMS} parameters: gather some in a struct");
        errors.at(&param.ident, message);
    }
    for (n, param) in params.iter().enumerate() {
        let before = params.get(..n).unwrap_or_default();
        if before.iter().any(|known| known.name == param.name) {
            let message = format!("two parameters have the name `{}`: rename one", param.name);
            errors.at(&param.ident, message);
        }
    }
    let is_flat = |param: &&&Param| matches!(param.kind, ParamKind::Flatten);
    if let Some(param) = params.iter().filter(is_flat).nth(1) {
        errors.at(
            &param.ident,
            "only one parameter can take what is left: flatten the other inside of its type",
        );
    }
}

fn check_type(ty: &Type, errors: &mut Errors) {
    struct References<'a>(&'a mut Errors);

    impl VisitMut for References<'_> {
        fn visit_type_reference_mut(&mut self, ty: &mut TypeReference) {
            let fix = match peel(&ty.elem) {
                Type::Path(path) if path.path.is_ident("str") => "take `String`",
                Type::Slice(_) => "take `Vec<T>`",
                _ => "take an owned value",
            };
            self.0.at(ty, format!("a parameter may not borrow: {fix}"));
        }

        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::ImplTrait(_) = ty {
                let message = "callers must know what to send: write a type in place of `impl`";
                self.0.at(ty, message);
            } else {
                visit_mut::visit_type_mut(self, ty);
            }
        }
    }

    References(errors).visit_type_mut(&mut ty.clone());
}

/// The identifier of `name: T` or `mut name: T`.
fn argument_name(pat: &Pat, errors: &mut Errors) -> Option<Ident> {
    match pat {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
            return Some(name.ident.clone());
        }
        Pat::Wild(_) => errors.at(
            pat,
            "callers need a name for this parameter: write one (`_name` if it is not used, with \
             `#[arg(name = \"name\")]`)",
        ),
        _ => errors.at(
            pat,
            "callers need a name for this parameter: write one, and take the value apart in the body",
        ),
    }
    None
}

/// Whether a type is called `Context`, or is a reference to such a type.
fn is_context(ty: &Type) -> bool {
    let ty = match peel(ty) {
        Type::Reference(reference) => &reference.elem,
        ty => ty,
    };
    last_segment(ty).is_some_and(|name| name == "Context")
}

/// Removes helper attributes from a method that is not remote; their presence is an error.
pub(crate) fn check_private(sig: &mut Signature, is_skipped: bool, errors: &mut Errors) {
    for input in &mut sig.inputs {
        let FnArg::Typed(typed) = input else { continue };
        let options = ArgOptions::take(&mut typed.attrs, errors);
        if options.given && !is_skipped {
            errors.at(
                &typed.pat,
                "this method is not remote: put `#[method]` on it, or remove the attribute here",
            );
        }
    }
}
