//! Expansion of the handlers: a router with one `Method` for each remote method.
//!
//! The generated code uses full paths under `::antiphon::__private` and no trait of the prelude,
//! because a program may shadow any of them.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use crate::describe::described;
use crate::method::{Arg, Method, ParamKind};
use crate::model::{Service, hidden};
use crate::stream::Subscription;

/// Names of the variables in generated code. They are hygienic, so expressions in user code cannot
/// see them.
struct Names {
    object: Ident,
    router: Ident,
    call: Ident,
    context: Ident,
    own_context: Ident,
    params: Ident,
    decoded: Ident,
    outcome: Ident,
    error: Ident,
    producer: Ident,
    item: Ident,
}

impl Names {
    fn new() -> Self {
        Self {
            object: hidden("object"),
            router: hidden("router"),
            call: hidden("call"),
            context: hidden("context"),
            own_context: hidden("own_context"),
            params: hidden("params"),
            decoded: hidden("decoded"),
            outcome: hidden("outcome"),
            error: hidden("error"),
            producer: hidden("producer"),
            item: hidden("item"),
        }
    }
}

/// The body of `into_router(self)`. `owner` is the path prefix for calling the methods.
pub(crate) fn router(service: &Service, owner: &TokenStream, type_span: Span) -> TokenStream {
    let names = Names::new();
    let Names { object, router, .. } = &names;
    let title = &service.title;
    let doc = service.doc.to_expr();
    let methods = service.methods.iter().map(|method| {
        let ident = &method.ident;
        let cfgs = &method.cfgs;
        let made = definition(method, &quote!(#owner::#ident));
        let shared = method
            .has_receiver
            .then(|| quote!(let #object = ::antiphon::__private::Clone::clone(&#object);));
        quote! {
            #(#cfgs)*
            let #router = #router.method({
                #shared
                #made
            });
        }
    });
    let namespace = service.options.namespace.as_ref().map(
        |namespace| quote!(let #router = ::antiphon::__private::namespace(#namespace, #router);),
    );
    let separator = service
        .options
        .separator
        .as_ref()
        .map(|separator| quote!(let #router = #router.separator(#separator);));
    let scopes = scopes(service.options.scope.as_ref())
        .map(|scope| quote!(let #router = #router.require_scope(#scope);));
    // The span reports an object that is not `Send + Sync` at its type.
    let share = quote_spanned!(at(type_span)=> ::antiphon::__private::share::<Self>);
    quote! {
        let #object = #share(self);
        let #router = ::antiphon::__private::object(#title, #doc);
        #(#methods)*
        #(#scopes)*
        #namespace
        #separator
        #router
    }
}

/// The expression that creates a `Method` which calls `callee`.
pub(crate) fn definition(method: &Method, callee: &TokenStream) -> TokenStream {
    let names = Names::new();
    let call = &names.call;
    let name = &method.name;
    let may_stream = method.subscription.as_ref().map(|_| {
        let error = &names.error;
        quote! {
            if let ::antiphon::__private::Err(#error) = ::antiphon::__private::may_stream(&#call) {
                return ::antiphon::__private::refuse(#call, #error);
            }
        }
    });
    let handler = if is_immediate(method) {
        let body = immediate(method, callee, &names);
        quote! {
            ::antiphon::__private::immediate(
                #name,
                move |#call: &mut ::antiphon::__private::Call| { #body },
            )
        }
    } else {
        let body = match method.request_handler {
            Some(_) => handled(method, callee, &names),
            None => decoded(method, callee, &names),
        };
        quote! {
            ::antiphon::__private::Method::new(
                #name,
                move |mut #call: ::antiphon::__private::Call| { #may_stream #body },
            )
        }
    };
    let handler = match &method.subscription {
        Some(subscription) => subscription.opened(&handler),
        None => handler,
    };
    let format = method
        .format
        .as_ref()
        .map(|format| quote!(.format(#format)));
    let subscription = method.subscription.as_ref().map(Subscription::to_setters);
    let access = match (method.is_admin, method.is_local) {
        (true, _) => Some(quote!(.access(::antiphon::__private::Access::Admin))),
        (false, true) => Some(quote!(.access(::antiphon::__private::Access::Local))),
        (false, false) => None,
    };
    let public = method.is_public.then(|| quote!(.public()));
    let scopes = scopes(method.scope.as_ref()).map(|scope| quote!(.scope(#scope)));
    let cost = method.cost.iter();
    let effects = match (method.is_read_only, method.is_idempotent) {
        (true, _) => Some(quote!(.read_only())),
        (false, true) => Some(quote!(.idempotent())),
        (false, false) => None,
    };
    let destructive = method.destructive.iter();
    let tool = method.tool.iter();
    let made = quote! {
        #handler
        #format
        #access
        #public
        #(#scopes)*
        #(.cost(#cost))*
        #effects
        #(.destructive(#destructive))*
        #(.tool(#tool))*
        #subscription
    };
    described(method, &made)
}

/// The scopes in a text.
fn scopes(text: Option<&syn::LitStr>) -> impl Iterator<Item = String> {
    let text = text.map(syn::LitStr::value).unwrap_or_default();
    let scopes: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
    scopes.into_iter()
}

/// Whether the method has its response when it returns.
fn is_immediate(method: &Method) -> bool {
    let waits = method.is_async || method.is_blocking || method.subscription.is_some();
    !waits && method.request_handler.is_none()
}

/// The handler body of a method that has its response when it returns. The call stays where it is.
fn immediate(method: &Method, callee: &TokenStream, names: &Names) -> TokenStream {
    let Names {
        call,
        own_context,
        outcome,
        error,
        ..
    } = names;
    let slots = slots(method);
    let values = values(method);
    let own = method
        .takes_context()
        .then(|| quote!(let #own_context = #call.context();));
    let invoked = outcome_of(method, callee, names, own_context);
    let answer = quote_spanned! {at(method.output_tokens().span())=>
        ::antiphon::__private::answer(#call, #outcome)
    };
    quote! {
        match ::antiphon::__private::decode(#call, #slots) {
            ::antiphon::__private::Ok(#values) => {
                #own
                let #outcome = #invoked;
                #answer
            }
            ::antiphon::__private::Err(#error) => ::antiphon::__private::Reply::error(#error),
        }
    }
}

/// The handler body that decodes the parameters, and then runs the method in a future, on a thread
/// where it may block, or as a subscription.
fn decoded(method: &Method, callee: &TokenStream, names: &Names) -> TokenStream {
    let Names {
        call,
        context,
        own_context,
        error,
        ..
    } = names;
    let slots = slots(method);
    let values = values(method);
    let finish = finish(method, callee, names, own_context);
    let object = keep_object(method, names);
    let own = keep_context(method, own_context, context);
    let run = match method.is_blocking {
        true => blocking(&quote!(&#context), &finish),
        false => boxed(method, context, &finish),
    };
    quote! {
        match ::antiphon::__private::decode(&mut #call, #slots) {
            ::antiphon::__private::Ok(#values) => {
                #object
                let #context = #call.context();
                #own
                #run
            }
            ::antiphon::__private::Err(#error) => ::antiphon::__private::refuse(#call, #error),
        }
    }
}

/// The handler body that passes the parameters to the request handler before decoding.
fn handled(method: &Method, callee: &TokenStream, names: &Names) -> TokenStream {
    let Names {
        call,
        context,
        own_context,
        params,
        decoded,
        outcome,
        error,
        ..
    } = names;
    let Some(handler) = &method.request_handler else {
        return TokenStream::new();
    };
    let format = match &method.format {
        Some(format) => format.value(),
        None => "json".to_owned(),
    };
    let slots = slots(method);
    let values = values(method);
    let object = keep_object(method, names);
    let settle = quote_spanned! {at(handler.span())=>
        ::antiphon::__private::Handled(#handler(&#own_context, #format, &mut #params)).settle().await
    };
    let run = if method.is_blocking {
        let kept = hidden("kept_context");
        let keep = keep_context(method, &kept, own_context);
        let finish = finish(method, callee, names, &kept);
        let future = blocking(&quote!(&#own_context), &finish);
        quote! {
            #keep
            ::antiphon::__private::settled(#future).await
        }
    } else {
        finish(method, callee, names, own_context)
    };
    let then = quote! {
        use ::antiphon::__private::AsyncHandled as _;
        let #outcome = #settle;
        if let ::antiphon::__private::Err(#error) = #outcome {
            return ::antiphon::__private::Reply::error(#error);
        }
        let #decoded = ::antiphon::__private::decode_named(&#call, &#params, #slots);
        match #decoded {
            ::antiphon::__private::Ok(#values) => { #run }
            ::antiphon::__private::Err(#error) => ::antiphon::__private::Reply::error(#error),
        }
    };
    let future = boxed(method, context, &then);
    quote! {
        match ::antiphon::__private::named_params(&mut #call) {
            ::antiphon::__private::Ok(mut #params) => {
                #object
                let #context = #call.context();
                let #own_context = ::antiphon::__private::Clone::clone(&#context);
                #future
            }
            ::antiphon::__private::Err(#error) => ::antiphon::__private::refuse(#call, #error),
        }
    }
}

/// Calls the method and writes the response, at the end of a future or of blocking work. The
/// separate statements end all borrows of the arguments before the arguments are dropped.
fn finish(method: &Method, callee: &TokenStream, names: &Names, context: &Ident) -> TokenStream {
    let Names { outcome, .. } = names;
    if method.subscription.is_some() {
        return subscribed(method, callee, names, context);
    }
    let invoked = outcome_of(method, callee, names, context);
    let answer = answer(method, names);
    quote! {
        let #outcome = #invoked;
        let #outcome = #answer;
        #outcome
    }
}

/// Calls a method that returns a stream. The stream is polled within the future that calls the
/// method, so it may borrow from the object, the context and the other values in that future. The
/// spans report a future that is not `Send` at the name of the method, and an unsupported item at
/// the return type.
fn subscribed(
    method: &Method,
    callee: &TokenStream,
    names: &Names,
    context: &Ident,
) -> TokenStream {
    let span = at(method.output_tokens().span());
    // With one span for all of this, the compiler reports an unsuitable stream only once.
    let placed = |name: &Ident| Ident::new(&name.to_string(), span);
    let [outcome, producer, item] = [&names.outcome, &names.producer, &names.item].map(placed);
    let call = &names.call;
    let returned = returned(method, callee, names, context);
    let follows = |subscription: &Subscription| subscription.is_of_topic;
    if method.subscription.as_ref().is_some_and(follows) {
        return quote_spanned! {span=> {
            let #outcome = ::antiphon::__private::Followed(#returned).subscription();
            ::antiphon::__private::follow(#call, #outcome)
        }};
    }
    let body = quote_spanned! {span=>
        let #outcome = {
            use ::antiphon::__private::PlainOpened as _;
            ::antiphon::__private::Opened(#returned).stream()?
        };
        let #outcome = #producer.run(#outcome, |#item| {
            use ::antiphon::__private::PlainOutcome as _;
            ::antiphon::__private::Outcome(#item).outcome()
        }).await;
        #outcome
    };
    let subscribe = quote_spanned!(at(method.ident.span())=> ::antiphon::__private::subscribe);
    quote!(#subscribe(#call, move |#producer| async move { #body }).await)
}

/// Writes the response. It has the span of [`outcome_of`], so the compiler reports a result that
/// cannot be serialized only once.
fn answer(method: &Method, names: &Names) -> TokenStream {
    let Names { call, outcome, .. } = names;
    quote_spanned!(at(method.output_tokens().span())=> #call.answer(#outcome))
}

/// The result or error of the method. The span reports an unsupported type at the return type.
fn outcome_of(
    method: &Method,
    callee: &TokenStream,
    names: &Names,
    context: &Ident,
) -> TokenStream {
    let returned = returned(method, callee, names, context);
    let span = at(method.output_tokens().span());
    quote_spanned! {span=> {
        use ::antiphon::__private::PlainOutcome as _;
        ::antiphon::__private::Outcome(#returned).outcome()
    }}
}

/// The return value of the method, awaited if it is `async`.
fn returned(method: &Method, callee: &TokenStream, names: &Names, context: &Ident) -> TokenStream {
    let object = &names.object;
    let receiver = method.has_receiver.then(|| quote!(&#object,));
    let mut value = 0..;
    let args = method.args.iter().map(|arg| match arg {
        Arg::Context { is_reference: true } => quote!(&#context),
        Arg::Context {
            is_reference: false,
        } => context.to_token_stream(),
        Arg::Param(_) => value_name(value.next().unwrap_or_default()).to_token_stream(),
    });
    let wait = method.is_async.then(|| quote!(.await));
    quote!(#callee(#receiver #(#args),*) #wait)
}

/// Boxes a future. The span reports a future that is not `Send` at the name of the method.
fn boxed(method: &Method, context: &Ident, body: &TokenStream) -> TokenStream {
    let boxed = quote_spanned!(at(method.ident.span())=> ::antiphon::__private::CallFuture::boxed);
    quote!(#boxed(&#context, async move { #body }))
}

fn blocking(context: &TokenStream, body: &TokenStream) -> TokenStream {
    quote!(::antiphon::__private::CallFuture::blocking(#context, move || { #body }))
}

/// Clones the object for the future: the handler may be called again while the future runs.
fn keep_object(method: &Method, names: &Names) -> Option<TokenStream> {
    let object = &names.object;
    let keep = quote!(let #object = ::antiphon::__private::Clone::clone(&#object););
    method.has_receiver.then_some(keep)
}

fn keep_context(method: &Method, kept: &Ident, context: &Ident) -> Option<TokenStream> {
    let keep = quote!(let #kept = ::antiphon::__private::Clone::clone(&#context););
    method.takes_context().then_some(keep)
}

/// The tuple of slots for the decoder. The spans report a type that cannot be decoded where it is
/// written.
fn slots(method: &Method) -> TokenStream {
    let slots = method.params().map(|param| {
        let ty = &param.ty;
        match &param.kind {
            ParamKind::Required => {
                quote_spanned!(at(ty.span())=> ::antiphon::__private::required::<#ty>())
            }
            ParamKind::Optional(default) => {
                let slot = quote_spanned!(at(ty.span())=> ::antiphon::__private::optional::<#ty>);
                quote!(#slot(#default))
            }
            ParamKind::Flatten => {
                quote_spanned!(at(ty.span())=> ::antiphon::__private::flatten::<#ty>())
            }
        }
    });
    quote!((#(#slots,)*))
}

/// The pattern that binds the decoded values.
fn values(method: &Method) -> TokenStream {
    let values = (0..method.params().count()).map(value_name);
    quote!((#(#values,)*))
}

fn value_name(at: usize) -> Ident {
    format_ident!("__value{at}", span = Span::mixed_site())
}

/// The location of a user's token with the hygiene of the macro. Errors point at the token, and
/// lints recognise generated code.
fn at(span: Span) -> Span {
    span.resolved_at(Span::mixed_site())
}
