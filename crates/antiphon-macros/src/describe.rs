//! Expansion of a method's description: doc comment, parameters, result, errors, example.
//!
//! A macro of the library decides whether a type has a schema. So the output is the same with and
//! without the feature `describe`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::visit_mut::{self, VisitMut};
use syn::{BoundLifetimes, Lifetime, Type, TypeImplTrait, TypeNever, parse_quote};

use crate::method::{Method, Param, ParamKind};

/// Adds the description to `made`, the expression that creates the method.
pub(crate) fn described(method: &Method, made: &TokenStream) -> TokenStream {
    let doc = (!method.doc.is_empty()).then(|| {
        let doc = method.doc.to_expr();
        quote!(.doc(#doc))
    });
    let params: Vec<_> = method.params().map(param).collect();
    let params = (!params.is_empty()).then(|| quote!(.params([#(#params),*])));
    let errors = method.errors.iter();
    let example = method.example.iter();
    let deprecated = method.deprecated.iter();
    let made = quote! {
        #made
        #doc
        #params
        #(.errors::<#errors>())*
        #(.example(#example))*
        #(.deprecated(#deprecated))*
    };
    match result(method) {
        Some(ty) => quote! {
            ::antiphon::__private::returning(#made, ::antiphon::__private::schema_of_outcome!(#ty))
        },
        None => made,
    }
}

fn param(param: &Param) -> TokenStream {
    let Param { name, ty, kind, .. } = param;
    let doc = (!param.doc.is_empty()).then(|| {
        let doc = param.doc.to_expr();
        quote!(.doc(#doc))
    });
    let required = quote!(::antiphon::__private::ParamInfo::required(#name) #doc);
    let optional = quote!(::antiphon::__private::ParamInfo::optional(#name) #doc);
    let schema = quote!(::antiphon::__private::schema_of!(#ty));
    let no_default = quote!(::antiphon::__private::Default::default());
    match kind {
        ParamKind::Required => {
            quote!(::antiphon::__private::param(#required, #schema, #no_default))
        }
        ParamKind::Optional(make) => quote! {
            ::antiphon::__private::param(
                #optional,
                #schema,
                ::antiphon::__private::default_of!(#ty, #make),
            )
        },
        ParamKind::Flatten => quote!(::antiphon::__private::flattened(#optional, #schema)),
    }
}

/// The type of the result or item, if it can be named outside of the method, where the lifetimes of
/// the method are unknown.
fn result(method: &Method) -> Option<Type> {
    struct Named {
        is_nameless: bool,
    }

    impl VisitMut for Named {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if lifetime.ident != "static" {
                *lifetime = Lifetime::new("'_", Span::mixed_site());
            }
        }

        /// A type with `for<'a> …`, such as a function pointer, has its own lifetimes and no
        /// schema.
        fn visit_bound_lifetimes_mut(&mut self, _: &mut BoundLifetimes) {
            self.is_nameless = true;
        }

        fn visit_type_impl_trait_mut(&mut self, _: &mut TypeImplTrait) {
            self.is_nameless = true;
        }

        fn visit_type_never_mut(&mut self, _: &mut TypeNever) {
            self.is_nameless = true;
        }

        fn visit_type_mut(&mut self, ty: &mut Type) {
            visit_mut::visit_type_mut(self, ty);
        }
    }

    let mut ty = match (&method.subscription, &method.output) {
        (Some(subscription), _) => subscription.item.clone()?,
        (None, Some(output)) => output.clone(),
        (None, None) => parse_quote!(()),
    };
    let mut named = Named { is_nameless: false };
    named.visit_type_mut(&mut ty);
    (!named.is_nameless).then_some(ty)
}
