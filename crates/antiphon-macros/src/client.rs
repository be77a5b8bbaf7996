//! Expansion of the client: a struct around `antiphon::Client` with one method for each remote
//! method.
//!
//! All generated code is wrapped in `::antiphon::__private::client! { … }`. The macro expands to
//! its input if the library was built with the feature `client`, and to nothing otherwise, so the
//! output needs no `cfg`.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{GenericArgument, Lifetime, PathArguments, Type, Visibility};

use crate::method::{Method, ParamKind};
use crate::model::Service;
use crate::names::client_method;
use crate::types::{last_segment, peel};

/// The item from which a client is generated.
pub(crate) enum Source<'a> {
    /// An `impl` block. Its types may not work for a client: one that cannot be serialized or
    /// deserialized is an error only where the method is called.
    Block(&'a Type),
    /// A trait, which is the schema of both sides.
    Trait,
}

/// Generates the client of a service, named after `ident`.
pub(crate) fn client(
    service: &Service,
    ident: &Ident,
    vis: &Visibility,
    source: &Source<'_>,
) -> TokenStream {
    let name = format_ident!("{}Client", ident);
    let cfgs = &service.cfgs;
    let summary = format!("Calls the remote methods of `{ident}`.");
    let prefix = service.prefix();
    let methods = service
        .accepted()
        .map(|method| call(method, &prefix, source));
    quote! {
        ::antiphon::__private::client! {
            #(#cfgs)*
            #[doc = #summary]
            #[allow(dead_code, private_interfaces, unreachable_pub)]
            #[derive(::antiphon::__private::Clone, ::antiphon::__private::Debug)]
            #vis struct #name(::antiphon::__private::Client);

            #(#cfgs)*
            #[allow(
                dead_code,
                deprecated,
                private_bounds,
                private_interfaces,
                unreachable_pub,
                clippy::should_implement_trait,
                clippy::too_many_arguments,
                clippy::wrong_self_convention
            )]
            impl #name {
                /// Creates a client of the object whose methods need no further prefix. For a nested
                /// object, pass `client.namespace("its.name")`.
                #[must_use]
                pub fn new(client: ::antiphon::__private::Client) -> Self {
                    Self(client)
                }

                #(#methods)*
            }
        }
    }
}

/// Generates one method of the client.
fn call(method: &Method, prefix: &str, source: &Source<'_>) -> TokenStream {
    let ident = client_method(&method.stem, method.ident.span());
    let remote = format!("{prefix}{}", method.name);
    let docs = method.doc.to_attrs();
    let attrs = &method.client_attrs;
    let mut bounds = Vec::new();
    let args: Vec<_> = method
        .params()
        .map(|param| {
            let ident = &param.ident;
            let ty = source.owned(&param.ty);
            bounds.extend(source.bound(&ty, &quote!(::antiphon::__private::Serialize)));
            quote!(#ident: #ty)
        })
        .collect();
    // A type that cannot be named becomes a type parameter, which the caller of the client chooses.
    let result = result(method);
    let (generics, result) = match result {
        Some(ty) => {
            let ty = source.owned(&ty);
            bounds.extend(source.bound(
                &ty,
                &quote!(::antiphon::__private::Deserialize<'__antiphon>),
            ));
            (None, ty.to_token_stream())
        }
        None => (
            Some(quote!(<__Antiphon: ::antiphon::__private::DeserializeOwned>)),
            quote!(__Antiphon),
        ),
    };
    let bounds = (!bounds.is_empty()).then(|| quote!(where #(#bounds),*));
    let params = params(method);
    if let Some(subscription) = &method.subscription {
        let unsubscribe = subscription.unsubscribe.as_ref();
        let unsubscribe = unsubscribe.map(|name| quote!(.unsubscribe_method(#name)));
        return quote! {
            #docs
            #(#attrs)*
            pub fn #ident #generics (
                &self,
                #(#args),*
            ) -> ::antiphon::__private::PendingSubscription<#result>
            #bounds
            {
                self.0.subscribe::<#result>(#remote, #params) #unsubscribe
            }
        };
    }
    let may_repeat = method.is_idempotent || method.is_read_only;
    let repeats = may_repeat.then(|| quote!(.idempotent()));
    quote! {
        #docs
        #(#attrs)*
        pub async fn #ident #generics (
            &self,
            #(#args),*
        ) -> ::antiphon::__private::Result<#result, ::antiphon::__private::ClientError>
        #bounds
        {
            self.0.call(#remote, #params) #repeats .await
        }
    }
}

/// The type that a client deserializes: the result, or the item of a subscription. `None` if the
/// type cannot be named.
fn result(method: &Method) -> Option<Type> {
    match (&method.subscription, &method.output) {
        (Some(subscription), _) => subscription.item.as_ref().and_then(success),
        (None, Some(ty)) => success(ty),
        (None, None) => Some(unit()),
    }
}

/// The parameters of a call: positional, or named if one of them is flattened.
fn params(method: &Method) -> TokenStream {
    let flat = method
        .params()
        .find(|param| matches!(param.kind, ParamKind::Flatten));
    let Some(flat) = flat else {
        let values = method.params().map(|param| &param.ident);
        return quote!(::antiphon::__private::Params::none() #(.push(#values))*);
    };
    let rest = &flat.ident;
    let others = method.params().filter(|param| param.ident != flat.ident);
    let members = others.map(|param| {
        let (name, value) = (&param.name, &param.ident);
        quote!(.insert(#name, #value))
    });
    quote!(::antiphon::__private::Params::from_value(&#rest) #(#members)*)
}

impl Source<'_> {
    /// The type in a client, where references that the server may borrow become owned values.
    fn owned(&self, ty: &Type) -> Type {
        let mut ty = ty.clone();
        Owned.visit_type_mut(&mut ty);
        match self {
            Self::Trait => ty,
            Self::Block(this) => match syn::parse2(replace_self(ty.to_token_stream(), this)) {
                Ok(replaced) => replaced,
                Err(_) => ty,
            },
        }
    }

    /// A bound that reports an unsupported type where the method is called. `for<'__antiphon>`
    /// defers the check: the compiler rejects an unmet bound without it at the definition.
    fn bound(&self, ty: &Type, bound: &TokenStream) -> Option<TokenStream> {
        let is_needed = matches!(self, Self::Block(_)) && !is_plain(ty);
        is_needed.then(|| quote!(for<'__antiphon> #ty: #bound))
    }
}

/// Whether a type certainly implements both serde traits. Bounds on such types would only clutter
/// the documentation of the client.
fn is_plain(ty: &Type) -> bool {
    const PLAIN: [&str; 16] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16",
        "u32", "u64", "u128", "usize",
    ];
    match peel(ty) {
        Type::Tuple(tuple) => tuple.elems.iter().all(is_plain),
        Type::Path(path) => PLAIN.iter().any(|plain| path.path.is_ident(plain)),
        _ => false,
    }
}

fn unit() -> Type {
    Type::Tuple(syn::TypeTuple {
        attrs: Vec::new(),
        paren_token: syn::token::Paren::default(),
        elems: syn::punctuated::Punctuated::new(),
    })
}

/// The `T` of a result. `None` if it cannot be named (`impl Serialize`, or an alias of a `Result`).
fn success(ty: &Type) -> Option<Type> {
    match peel(ty) {
        Type::ImplTrait(_) => return None,
        Type::Never(_) => return Some(unit()),
        _ => {}
    }
    if last_segment(ty).is_none_or(|name| name != "Result") {
        return Some(ty.clone());
    }
    let Type::Path(path) = peel(ty) else {
        return None;
    };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
        return None;
    };
    let ty = arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })?;
    (!matches!(peel(ty), Type::ImplTrait(_))).then(|| ty.clone())
}

/// Visitor that makes types owned: `&str` → `String`, `&[T]` → `Vec<T>`, `&T` → `T`; every other
/// lifetime becomes `'static`.
struct Owned;

impl VisitMut for Owned {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        while let Type::Reference(reference) = peel(ty) {
            *ty = match peel(&reference.elem) {
                Type::Path(path) if path.path.is_ident("str") => {
                    syn::parse_quote!(::antiphon::__private::String)
                }
                Type::Slice(slice) => {
                    let elem = &slice.elem;
                    syn::parse_quote!(::antiphon::__private::Vec<#elem>)
                }
                elem => elem.clone(),
            };
        }
        visit_mut::visit_type_mut(self, ty);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        *lifetime = Lifetime::new("'static", lifetime.span());
    }
}

/// Replaces `Self` by the type of the block; in the client it would be the client.
fn replace_self(tokens: TokenStream, this: &Type) -> TokenStream {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(name) if name == "Self" => this.to_token_stream(),
            TokenTree::Group(group) => {
                let inner = replace_self(group.stream(), this);
                let mut replaced = proc_macro2::Group::new(group.delimiter(), inner);
                replaced.set_span(group.span());
                TokenTree::from(replaced).to_token_stream()
            }
            other => other.to_token_stream(),
        })
        .collect()
}

/// The span of `Self` in a type of the method, if there is one. The type depends on the implementor
/// of the trait, so a client cannot name it.
pub(crate) fn depends_on_self(method: &Method) -> Option<Span> {
    fn find(tokens: TokenStream) -> Option<Span> {
        tokens.into_iter().find_map(|token| match token {
            TokenTree::Ident(name) if name == "Self" => Some(name.span()),
            TokenTree::Group(group) => find(group.stream()),
            _ => None,
        })
    }
    let params = method.params().map(|param| param.ty.to_token_stream());
    params
        .chain(result(method).map(ToTokens::into_token_stream))
        .find_map(find)
}
