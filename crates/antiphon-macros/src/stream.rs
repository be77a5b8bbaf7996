//! Subscriptions: methods that return a stream, and the options for their messages.
//!
//! A macro sees names, not types. So a method returns a stream if its return type is written as
//! `impl Stream<…>`, alone or as the first argument of a `Result`, or if it has
//! `#[method(stream)]`. It follows a topic if its return type is written as `Subscription<T>` in the
//! same places.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{
    GenericArgument, LitStr, PathArguments, ReturnType, TraitBound, Type, TypeImplTrait,
    TypeParamBound, parse_quote,
};

use crate::attr::MethodOptions;
use crate::errors::Errors;
use crate::types::{last_segment, peel};

/// The values of `overflow` and the corresponding variants.
const OVERFLOWS: [(&str, &str); 6] = [
    ("disconnect", "Disconnect"),
    ("drop_oldest", "DropOldest"),
    ("drop_newest", "DropNewest"),
    ("latest_only", "LatestOnly"),
    ("conflate", "Conflate"),
    ("block", "Block"),
];

/// The subscription options of a method.
pub(crate) struct Subscription {
    /// The item type, which may be a `Result`; `None` if it cannot be named.
    pub(crate) item: Option<Type>,
    /// Whether the method returns a subscription to a topic, and no stream.
    pub(crate) is_of_topic: bool,
    pub(crate) unsubscribe: Option<LitStr>,
    notification: Option<LitStr>,
    is_plain: bool,
    /// The name of a variant of `antiphon::Overflow`.
    overflow: Option<&'static str>,
}

impl Subscription {
    /// The options of a method that returns a stream. For any other method, `None`, and such
    /// options are errors.
    pub(crate) fn of(
        output: Option<&Type>,
        options: &MethodOptions,
        errors: &mut Errors,
    ) -> Option<Self> {
        let topical = output.filter(|_| options.stream.is_none());
        let topical = topical.and_then(topical_item);
        if options.stream.is_none() && topical.is_none() && !output.is_some_and(is_stream) {
            refuse_options(options, errors);
            return None;
        }
        if let Some(blocking) = &options.blocking {
            errors.at(
                blocking,
                "a stream has no thread to block: remove `blocking`, and do such work with \
                 `spawn_blocking` inside of the stream",
            );
        }
        let given = options.stream.as_ref().and_then(|(_, item)| item.as_ref());
        let item = match given {
            Some(text) => given_item(text, errors),
            None => topical.cloned().or_else(|| output.and_then(shown_item)),
        };
        Some(Self {
            item,
            is_of_topic: topical.is_some(),
            unsubscribe: options.unsubscribe.clone(),
            notification: options.notification.clone(),
            is_plain: options.plain.is_some(),
            overflow: options
                .overflow
                .as_ref()
                .and_then(|word| overflow(word, errors)),
        })
    }

    /// The `Method` that a handler makes, which is known to open subscriptions.
    pub(crate) fn opened(&self, method: &TokenStream) -> TokenStream {
        match self.is_of_topic {
            true => quote!(::antiphon::__private::follows(#method)),
            false => quote!(::antiphon::__private::streams(#method)),
        }
    }

    /// The builder calls for its options.
    pub(crate) fn to_setters(&self) -> TokenStream {
        let notification = self.notification.iter();
        let unsubscribe = self.unsubscribe.iter();
        let plain = self.is_plain.then(|| quote!(.plain()));
        let overflow = self.overflow.map(|variant| {
            let variant = quote::format_ident!("{variant}");
            quote!(.overflow(::antiphon::__private::Overflow::#variant))
        });
        quote! {
            #(.notification(#notification))*
            #(.unsubscribe(#unsubscribe))*
            #plain
            #overflow
        }
    }
}

/// Adds `Send` to a stream in a trait, because the stream may be polled on another thread.
pub(crate) fn promise_send(output: &mut ReturnType) {
    if let ReturnType::Type(_, ty) = output
        && let Some(stream) = anonymous(ty)
    {
        stream
            .bounds
            .push(parse_quote!(::antiphon::__private::Send));
    }
}

fn refuse_options(options: &MethodOptions, errors: &mut Errors) {
    let texts = [
        ("notification", &options.notification),
        ("unsubscribe", &options.unsubscribe),
        ("overflow", &options.overflow),
    ];
    let texts = texts
        .iter()
        .filter_map(|(name, text)| Some((*name, text.as_ref()?.to_token_stream())));
    let plain = options.plain.iter();
    let plain = plain.map(|word| ("plain", word.to_token_stream()));
    for (name, tokens) in texts.chain(plain) {
        let message = format!(
            "`{name}` is for methods that return `impl Stream<Item = T>` or `Subscription<T>`; for a \
             stream with another name add `stream`"
        );
        errors.at(tokens, message);
    }
}

fn overflow(word: &LitStr, errors: &mut Errors) -> Option<&'static str> {
    let text = word.value();
    let found = OVERFLOWS.iter().find(|(known, _)| *known == text);
    if found.is_none() {
        let known = OVERFLOWS.map(|(word, _)| format!("\"{word}\"")).join(", ");
        errors.at(word, format!("no such word; there are {known}"));
    }
    found.map(|(_, variant)| *variant)
}

fn given_item(text: &LitStr, errors: &mut Errors) -> Option<Type> {
    let item = text.parse().ok();
    if item.is_none() {
        errors.at(
            text,
            "write the type of the items: `stream = \"Vec<String>\"`",
        );
    }
    item
}

fn is_stream(ty: &Type) -> bool {
    anonymous(&mut ty.clone()).is_some()
}

/// Finds the `impl Stream<…>` in a return type.
fn anonymous(ty: &mut Type) -> Option<&mut TypeImplTrait> {
    match ty {
        Type::Group(group) => anonymous(&mut group.elem),
        Type::Paren(paren) => anonymous(&mut paren.elem),
        Type::ImplTrait(stream) => stream
            .bounds
            .iter()
            .any(|bound| stream_bound(bound).is_some())
            .then_some(stream),
        Type::Path(path) => {
            let segment = path.path.segments.last_mut()?;
            let PathArguments::AngleBracketed(arguments) = &mut segment.arguments else {
                return None;
            };
            let success = arguments.args.first_mut();
            match success {
                Some(GenericArgument::Type(ty)) if segment.ident == "Result" => {
                    matches!(peel(ty), Type::ImplTrait(_)).then(|| anonymous(ty))?
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// The `T` of `Subscription<T>`, alone or as the first argument of a `Result`.
fn topical_item(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = peel(ty) else {
        return None;
    };
    let segment = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    let Some(GenericArgument::Type(first)) = arguments.args.first() else {
        return None;
    };
    match segment.ident.to_string().as_str() {
        "Subscription" if arguments.args.len() == 1 => Some(first),
        "Result" => topical_item(first)
            .filter(|_| last_segment(first).is_some_and(|name| name == "Subscription")),
        _ => None,
    }
}

fn stream_bound(bound: &TypeParamBound) -> Option<&TraitBound> {
    match bound {
        TypeParamBound::Trait(bound) => {
            (bound.path.segments.last()?.ident == "Stream").then_some(bound)
        }
        _ => None,
    }
}

/// The `T` of the first `Stream<Item = T>` in a type, including `Box<dyn Stream>`.
fn shown_item(ty: &Type) -> Option<Type> {
    struct Find(Option<Type>);

    impl VisitMut for Find {
        fn visit_type_param_bound_mut(&mut self, bound: &mut TypeParamBound) {
            let found = stream_bound(bound).and_then(item_of);
            if self.0.is_none() {
                self.0 = found;
            }
            visit_mut::visit_type_param_bound_mut(self, bound);
        }
    }

    let mut find = Find(None);
    find.visit_type_mut(&mut ty.clone());
    find.0
}

fn item_of(bound: &TraitBound) -> Option<Type> {
    let PathArguments::AngleBracketed(arguments) = &bound.path.segments.last()?.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(item) if item.ident == "Item" => Some(item.ty.clone()),
        _ => None,
    })
}
