//! Expansion of the attribute macros: the item without helper attributes, and the generated code.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    FnArg, Item, ItemFn, ItemImpl, ItemTrait, ReturnType, TraitItem, TraitItemFn, parse_quote,
};

use crate::attr::{MethodOptions, RpcOptions};
use crate::client::{self, Source};
use crate::errors::Errors;
use crate::method::Method;
use crate::model::Service;
use crate::{docs::Doc, server, stream, types};

/// Expands `#[rpc]`.
pub(crate) fn rpc(options: TokenStream, item: &TokenStream) -> TokenStream {
    match syn::parse2(item.clone()) {
        Ok(Item::Impl(block)) if block.trait_.is_none() => rpc_impl(options, block),
        Ok(Item::Trait(interface)) => rpc_trait(options, interface),
        Ok(other) => {
            let message = "`#[rpc]` goes on a block `impl MyType { … }` or on a `trait`";
            let error = match &other {
                Item::Impl(block) => syn::Error::new(block.impl_token.span, message),
                _ => syn::Error::new(Span::call_site(), message),
            };
            let error = error.into_compile_error();
            quote!(#other #error)
        }
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#item #error)
        }
    }
}

fn rpc_impl(options: TokenStream, mut item: ItemImpl) -> TokenStream {
    let mut errors = Errors::default();
    let options = RpcOptions::parse(options, &mut errors);
    let service = Service::of_impl(&mut item, options, &mut errors);
    let self_ty = &item.self_ty;
    let cfgs = &service.cfgs;
    let mut generics = item.generics.clone();
    if !generics.params.is_empty() {
        let shared = parse_quote! {
            Self: ::antiphon::__private::Send + ::antiphon::__private::Sync + 'static
        };
        generics.make_where_clause().predicates.push(shared);
    }
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let client = match types::last_segment(self_ty) {
        Some(name) if service.options.client && generics.params.is_empty() => {
            let source = Source::Block(self_ty);
            Some(client::client(&service, name, &parse_quote!(pub), &source))
        }
        _ => None,
    };
    let body = body(&errors, || {
        server::router(&service, &quote!(Self), self_ty.span())
    });
    let errors = errors.into_tokens();
    quote! {
        #item
        #errors

        #(#cfgs)*
        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics ::antiphon::__private::IntoRouter for #self_ty #where_clause {
            fn into_router(self) -> ::antiphon::__private::Router {
                #body
            }
        }

        #client
    }
}

/// The body of a generated function. Where there are errors it is empty, so that the function is
/// there all the same and nobody is told that it is missing, too.
fn body(errors: &Errors, print: impl FnOnce() -> TokenStream) -> TokenStream {
    match errors.is_empty() {
        true => print(),
        false => quote!(::antiphon::__private::unreachable!()),
    }
}

fn rpc_trait(options: TokenStream, mut item: ItemTrait) -> TokenStream {
    let mut errors = Errors::default();
    let options = RpcOptions::parse(options, &mut errors);
    let mut service = Service::of_trait(&mut item, options, &mut errors);
    if service.options.client {
        for method in &mut service.methods {
            let Some(span) = client::depends_on_self(method) else {
                continue;
            };
            method.is_refused = true;
            errors.push(syn::Error::new(
                span,
                "a client cannot know who implements the trait: write the type in place of `Self` \
                 (or `#[rpc(client = false)]`)",
            ));
        }
    }
    for inner in &mut item.items {
        if let TraitItem::Fn(inner) = inner {
            stream::promise_send(&mut inner.sig.output);
            promise_send(inner);
        }
    }
    let colon = syn::Token![:](item.ident.span());
    item.colon_token.get_or_insert(colon);
    for bound in [
        parse_quote!(::antiphon::__private::Send),
        parse_quote!(::antiphon::__private::Sync),
        parse_quote!('static),
    ] {
        item.supertraits.push(bound);
    }
    let ident = &item.ident;
    let body = body(&errors, || {
        server::router(&service, &quote!(<Self as #ident>), ident.span())
    });
    item.items.push(parse_quote! {
        /// The router with the methods of this object, to be served or nested.
        #[allow(deprecated)]
        fn into_router(self) -> ::antiphon::__private::Router
        where
            Self: ::antiphon::__private::Sized,
        {
            #body
        }
    });
    let client = (service.options.client)
        .then(|| client::client(&service, &item.ident, &item.vis, &Source::Trait));
    let errors = errors.into_tokens();
    quote!(#item #errors #client)
}

/// Desugars an `async fn` of a trait to a function that returns a `Send` future, which `async fn`
/// itself does not guarantee. Implementors can still write `async fn`.
fn promise_send(method: &mut TraitItemFn) {
    if method.sig.asyncness.take().is_none() {
        return;
    }
    let (output, span) = match &method.sig.output {
        ReturnType::Default => (quote!(()), method.sig.ident.span()),
        ReturnType::Type(_, ty) => (quote!(#ty), ty.span()),
    };
    let future = quote_spanned! {span=>
        impl ::antiphon::__private::Future<Output = #output> + ::antiphon::__private::Send
    };
    method.sig.output = parse_quote!(-> #future);
    if let Some(body) = &method.default {
        method.default = Some(parse_quote!({ async move #body }));
    }
}

/// Expands `#[rpc_method]`.
pub(crate) fn rpc_method(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut item: ItemFn = match syn::parse2(item.clone()) {
        Ok(item) => item,
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#item #error);
        }
    };
    let mut errors = Errors::default();
    let options = MethodOptions::parse(options, &mut errors);
    if let Some(skip) = &options.skip {
        errors.at(
            skip,
            "nothing is left to do: remove `#[rpc_method]` instead",
        );
    }
    if let Some(FnArg::Receiver(receiver)) = item.sig.inputs.first() {
        errors.at(
            receiver,
            "a method of an object: put `#[rpc]` on its `impl` block instead",
        );
        let errors = errors.into_tokens();
        return quote!(#item #errors);
    }
    let ident = item.sig.ident.clone();
    let name = syn::ext::IdentExt::unraw(&ident).to_string();
    let method = Method::new(
        &item.attrs,
        &mut item.sig,
        options,
        name.clone(),
        name,
        &mut errors,
    );
    item.attrs.extend(method.allowances());
    let definition = body(&errors, || server::definition(&method, &quote!(Self::call)));
    let function = function(item, &method, &definition);
    let errors = errors.into_tokens();
    quote!(#function #errors)
}

/// Replaces the function by a unit struct of the same name, which is the method, with the function
/// itself as the associated function `call`.
fn function(mut item: ItemFn, method: &Method, definition: &TokenStream) -> TokenStream {
    let ident = item.sig.ident.clone();
    let vis = item.vis.clone();
    let cfgs = &method.cfgs;
    let docs = Doc::of(&item.attrs).to_attrs();
    let is_on_type = |name: &str| matches!(name, "cfg" | "deprecated");
    let attrs: Vec<_> = item
        .attrs
        .iter()
        .filter(|attr| {
            attr.path()
                .get_ident()
                .is_some_and(|name| is_on_type(&name.to_string()))
        })
        .cloned()
        .collect();
    item.attrs.retain(|attr| !attr.path().is_ident("cfg"));
    item.sig.ident = syn::Ident::new("call", ident.span());
    // A missing doc comment is reported once, on the struct.
    let undocumented = Doc::of(&item.attrs)
        .is_empty()
        .then(|| quote!(#[allow(missing_docs)]));
    quote! {
        #docs
        #(#attrs)*
        #[allow(non_camel_case_types)]
        #[derive(::antiphon::__private::Clone, ::antiphon::__private::Copy, ::antiphon::__private::Debug)]
        #vis struct #ident;

        #(#cfgs)*
        #[allow(deprecated)]
        impl #ident {
            #undocumented
            #item
        }

        #(#cfgs)*
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::antiphon::__private::IntoMethod for #ident {
            fn into_method(self) -> ::antiphon::__private::Method {
                #definition
            }
        }
    }
}
