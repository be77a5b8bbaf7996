//! Model of a service, built and validated from an `impl` block or a trait.
//!
//! Both become the same [`Service`], so that one code generator each for the handlers and the
//! client is enough.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Ident, ImplItem, ItemImpl, ItemTrait, Signature, TraitItem};

use crate::attr::{MethodOptions, RpcOptions};
use crate::docs::Doc;
use crate::errors::Errors;
use crate::method::{self, Method};
use crate::types;

/// The default prefix of remote methods in a block.
const PREFIX: &str = "rpc";

/// A service: the methods of one object.
pub(crate) struct Service {
    pub(crate) options: RpcOptions,
    pub(crate) title: String,
    pub(crate) doc: Doc,
    pub(crate) methods: Vec<Method>,
    /// The `#[cfg]` attributes of the whole item.
    pub(crate) cfgs: Vec<Attribute>,
}

impl Service {
    pub(crate) fn of_impl(item: &mut ItemImpl, options: RpcOptions, errors: &mut Errors) -> Self {
        let title = match types::last_segment(&item.self_ty) {
            Some(name) => name.unraw().to_string(),
            None => {
                errors.at(
                    &item.self_ty,
                    "only a type with a name has remote methods: wrap it in a struct",
                );
                String::new()
            }
        };
        let prefix = match &options.serve_as {
            Some(prefix) => prefix.value(),
            None => PREFIX.to_owned(),
        };
        let mut service = Self::new(&item.attrs, options, title);
        for inner in &mut item.items {
            if let ImplItem::Fn(inner) = inner {
                service.add(&mut inner.attrs, &mut inner.sig, Some(&prefix), errors);
            }
        }
        if service.methods.is_empty() {
            let message = format!(
                "no method here is remote: let its name begin with `{prefix}_`, or put `#[method]` on it"
            );
            errors.push(syn::Error::new(item.self_ty.span(), message));
        }
        service.check_names(errors);
        service
    }

    pub(crate) fn of_trait(item: &mut ItemTrait, options: RpcOptions, errors: &mut Errors) -> Self {
        for param in &item.generics.params {
            errors.at(
                param,
                "a remote interface cannot be generic: write the types that callers send",
            );
        }
        let prefix = options.serve_as.as_ref().map(syn::LitStr::value);
        let title = item.ident.unraw().to_string();
        let mut service = Self::new(&item.attrs, options, title);
        for inner in &mut item.items {
            if let TraitItem::Fn(inner) = inner {
                service.add(&mut inner.attrs, &mut inner.sig, prefix.as_deref(), errors);
            }
        }
        service.check_names(errors);
        service
    }

    fn new(attrs: &[Attribute], options: RpcOptions, type_name: String) -> Self {
        let is_cfg = |attr: &&Attribute| attr.path().is_ident("cfg");
        Self {
            title: match &options.title {
                Some(title) => title.value(),
                None => type_name,
            },
            options,
            doc: Doc::of(attrs),
            methods: Vec::new(),
            cfgs: attrs.iter().filter(is_cfg).cloned().collect(),
        }
    }

    /// Adds a method if it is remote: because of its prefix, because of `#[method]`, or because all
    /// are.
    fn add(
        &mut self,
        attrs: &mut Vec<Attribute>,
        sig: &mut Signature,
        prefix: Option<&str>,
        errors: &mut Errors,
    ) {
        let options = MethodOptions::take(attrs, errors);
        let name = sig.ident.unraw().to_string();
        let stem = match prefix {
            None => Some(name),
            Some(prefix) => match without_prefix(&name, prefix) {
                Some(stem) => Some(stem.to_owned()),
                None => options.given.then_some(name),
            },
        };
        let Some(stem) = stem.filter(|_| options.skip.is_none()) else {
            method::check_private(sig, options.skip.is_some(), errors);
            return;
        };
        let renamed = match self.options.rename_all {
            Some(rule) => rule.apply(&stem),
            None => stem.clone(),
        };
        let known = errors.count();
        let mut method = Method::new(attrs, sig, options, stem, renamed, errors);
        method.is_refused = errors.count() > known;
        attrs.extend(method.allowances());
        self.methods.push(method);
    }

    /// Rejects repeated names at compile time rather than when the router is built. Methods with
    /// `#[cfg]` may share a name: only one of them is compiled.
    fn check_names(&mut self, errors: &mut Errors) {
        for n in 0..self.methods.len() {
            let (before, rest) = self.methods.split_at_mut(n);
            let Some(method) = rest.first_mut() else {
                return;
            };
            let name = method.name.clone();
            let is_twin = |known: &Method| known.name == name && known.cfgs.is_empty();
            if method.cfgs.is_empty() && before.iter().any(is_twin) {
                let message = format!(
                    "two methods have the remote name `{}`: rename one",
                    method.name
                );
                errors.at(&method.ident, message);
                method.is_refused = true;
            }
        }
    }

    /// The methods without errors, for the client.
    pub(crate) fn accepted(&self) -> impl Iterator<Item = &Method> {
        self.methods.iter().filter(|method| !method.is_refused)
    }

    /// The prefix that `namespace` adds to the names of the methods.
    pub(crate) fn prefix(&self) -> String {
        match &self.options.namespace {
            Some(namespace) => {
                let separator = self.options.separator.as_ref().map(syn::LitStr::value);
                namespace.value() + separator.as_deref().unwrap_or(".")
            }
            None => String::new(),
        }
    }
}

/// Strips the prefix: `rpc_add` → `add`.
fn without_prefix<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let stem = name.strip_prefix(prefix)?.strip_prefix('_')?;
    (!stem.is_empty()).then_some(stem)
}

/// An identifier that cannot collide with those in user code.
pub(crate) fn hidden(name: &str) -> Ident {
    Ident::new(&format!("__{name}"), Span::mixed_site())
}
