//! Expansion of `#[derive(ErrorCodes)]`: an enum of errors → codes, messages and data.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Expr, ExprLit, ExprUnary, Fields, Lit, LitStr, Meta, UnOp,
    Variant,
};

use crate::docs::Doc;
use crate::errors::Errors;
use crate::message::Message;
use crate::model::hidden;
use crate::names::words;

/// Codes that are reserved by the protocol: those of the specification, and the code of cancelled
/// calls.
const RESERVED: std::ops::RangeInclusive<i64> = -32768..=-32000;
const CANCELLED: i64 = -32800;

pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let Data::Enum(data) = &input.data else {
        errors.at(
            &input.ident,
            "`ErrorCodes` is for an enum: each of its variants is an error with a code",
        );
        return conversions(&input, None, &[], errors);
    };
    let mut codes = Vec::new();
    let (arms, infos): (Vec<_>, Vec<_>) = data
        .variants
        .iter()
        .map(|variant| arm(&input.ident, variant, &mut codes, &mut errors))
        .unzip();
    let (arms, infos) = match errors.is_empty() {
        true => (Some(arms), infos),
        false => (None, Vec::new()),
    };
    conversions(&input, arms, &infos, errors)
}

/// Both implementations, and the errors. Where there are errors the implementations are there all the
/// same, without a body, so that nobody is told that they are missing, too.
fn conversions(
    input: &DeriveInput,
    arms: Option<Vec<TokenStream>>,
    infos: &[TokenStream],
    errors: Errors,
) -> TokenStream {
    let ident = &input.ident;
    let (generics, arguments, where_clause) = input.generics.split_for_impl();
    let errors = errors.into_tokens();
    let body = match arms {
        Some(arms) => quote!(match error { #(#arms)* }),
        None => quote!({
            let _ = error;
            ::antiphon::__private::unreachable!()
        }),
    };
    quote! {
        #errors

        #[automatically_derived]
        #[allow(deprecated)]
        impl #generics ::antiphon::__private::From<#ident #arguments>
            for ::antiphon::__private::ErrorObject
        #where_clause
        {
            fn from(error: #ident #arguments) -> Self {
                #body
            }
        }

        #[automatically_derived]
        impl #generics ::antiphon::__private::ErrorCodes for #ident #arguments #where_clause {
            const ERRORS: &'static [::antiphon::__private::ErrorInfo] = &[#(#infos,)*];
        }
    }
}

/// The match arm of one variant, with the fields that its message or data needs, and the expression
/// that documents the error.
fn arm(
    owner: &Ident,
    variant: &Variant,
    codes: &mut Vec<i64>,
    errors: &mut Errors,
) -> (TokenStream, TokenStream) {
    let names = field_names(&variant.fields);
    let code = code(variant, codes, errors);
    let message = message(variant, &names, errors);
    let (data, in_data) = data(variant, &names, errors);

    let used = |at: &usize| message.fields.contains(at) || in_data.contains(at);
    let fields = (0..names.len()).filter(used).filter_map(|at| {
        let (name, binding) = (member(&variant.fields, at)?, binding(at));
        Some(quote!(#name: #binding,))
    });
    let ident = &variant.ident;
    let cfgs = variant
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("cfg"));
    let cfgs: Vec<_> = cfgs.collect();
    let text = message.to_expr(binding);
    let arm = quote! {
        #(#cfgs)*
        #owner::#ident { #(#fields)* .. } => ::antiphon::__private::error_object(#code, #text) #data,
    };
    let shown = &message.shown;
    let doc = Doc::of(&variant.attrs);
    let doc = match doc.is_only(shown) {
        true => quote!(""),
        false => doc.to_expr(),
    };
    let info = quote! {
        #(#cfgs)*
        ::antiphon::__private::error_info(#code, #shown, #doc)
    };
    (arm, info)
}

fn code(variant: &Variant, codes: &mut Vec<i64>, errors: &mut Errors) -> i64 {
    let Some(attr) = only(&variant.attrs, "code", errors) else {
        errors.at(
            &variant.ident,
            "every error has a code: put `#[code(1404)]` on the variant",
        );
        return 0;
    };
    let code = attr.parse_args::<Expr>().ok().as_ref().and_then(integer);
    let Some(code) = code else {
        errors.at(attr, "a code is an integer: `#[code(1404)]`");
        return 0;
    };
    if RESERVED.contains(&code) || code == CANCELLED {
        errors.at(
            attr,
            "the protocol keeps -32768 to -32000 and -32800 for itself: take a code outside, like 1404",
        );
    } else if codes.contains(&code) {
        let message = format!("another variant has the code {code} already: give each its own");
        errors.at(attr, message);
    }
    codes.push(code);
    code
}

fn integer(expr: &Expr) -> Option<i64> {
    let digits = |expr: &Expr| match expr {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => Some(number.base10_digits().to_owned()),
        _ => None,
    };
    match expr {
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => format!("-{}", digits(expr)?).parse().ok(),
        _ => digits(expr)?.parse().ok(),
    }
}

/// The message: from `#[message]`, or else the first line of the doc comment, or else the name of
/// the variant.
fn message(variant: &Variant, names: &[String], errors: &mut Errors) -> Message {
    let Some(attr) = only(&variant.attrs, "message", errors) else {
        let line = Doc::of(&variant.attrs).first_line();
        return Message::plain(line.unwrap_or_else(|| words(&variant.ident.unraw().to_string())));
    };
    match attr.parse_args::<LitStr>() {
        Ok(template) => Message::parse(&template, names, errors),
        Err(_) => {
            errors.at(attr, "a message is a text: `#[message(\"out of {what}\")]`");
            Message::plain(String::new())
        }
    }
}

/// The call of `with_data`, if there is data, and the indices of the fields in it.
fn data(
    variant: &Variant,
    names: &[String],
    errors: &mut Errors,
) -> (Option<TokenStream>, Vec<usize>) {
    let on_variant = only(&variant.attrs, "data", errors);
    let mut marked = Vec::new();
    for (at, field) in variant.fields.iter().enumerate() {
        if let Some(attr) = only(&field.attrs, "data", errors) {
            check_bare(attr, errors);
            marked.push(at);
        }
    }
    if let Some(attr) = on_variant {
        check_bare(attr, errors);
        if names.is_empty() {
            errors.at(attr, "this variant has no fields: remove `#[data]`");
        } else if !marked.is_empty() {
            errors.at(
                attr,
                "all fields are data already: keep `#[data]` here or on the fields",
            );
        }
        marked = (0..names.len()).collect();
    }
    let is_named = matches!(variant.fields, Fields::Named(_));
    let values = |at: &usize| {
        let binding = binding(*at);
        let span = variant.fields.iter().nth(*at).map(|field| field.ty.span());
        quote_spanned!(span.unwrap_or_else(|| variant.span())=> &#binding)
    };
    let data = match marked.as_slice() {
        [] => None,
        [at] if on_variant.is_none() || !is_named => {
            let value = values(at);
            Some(quote!(.with_data(#value)))
        }
        _ if is_named => {
            let names = marked.iter().filter_map(|at| names.get(*at));
            let values = marked.iter().map(values);
            let members = quote!([#((#names, ::antiphon::__private::json(#values))),*]);
            Some(quote!(.with_data(&::antiphon::__private::Members(#members))))
        }
        _ => {
            let values = marked.iter().map(values);
            Some(quote!(.with_data(&(#(#values,)*))))
        }
    };
    (data, marked)
}

fn check_bare(attr: &Attribute, errors: &mut Errors) {
    if !matches!(attr.meta, Meta::Path(_)) {
        errors.at(attr, "`#[data]` takes no value: write `#[data]`");
    }
}

/// The attribute of this name. A second one is an error.
fn only<'a>(attrs: &'a [Attribute], name: &str, errors: &mut Errors) -> Option<&'a Attribute> {
    let mut found = attrs.iter().filter(|attr| attr.path().is_ident(name));
    let first = found.next();
    if let Some(second) = found.next() {
        errors.at(second, format!("`#[{name}]` comes twice: keep one"));
    }
    first
}

/// The names of the fields in messages and data. The fields of a tuple are numbered.
fn field_names(fields: &Fields) -> Vec<String> {
    let name = |(at, field): (usize, &syn::Field)| match &field.ident {
        Some(name) => name.unraw().to_string(),
        None => at.to_string(),
    };
    fields.iter().enumerate().map(name).collect()
}

/// The name or index of a field, for a pattern with braces, which is valid for every kind of
/// variant.
fn member(fields: &Fields, at: usize) -> Option<TokenStream> {
    let field = fields.iter().nth(at)?;
    Some(match &field.ident {
        Some(name) => name.to_token_stream(),
        None => syn::Index::from(at).to_token_stream(),
    })
}

fn binding(at: usize) -> Ident {
    hidden(&format!("field{at}"))
}
