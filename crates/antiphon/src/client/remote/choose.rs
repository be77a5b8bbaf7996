//! Choice among other servers whose methods have their own names here: the one that describes it.

use std::sync::Arc;

use antiphon_proto::{ErrorCode, ErrorObject};

use super::document::Told;
use super::fault;
use super::forward::Forwarder;
use crate::call::{Call, Reply};
use crate::call_future::CallFuture;
use crate::describe::RemoteMethods;

/// Other servers, in the order in which they are asked whose a method is.
pub(super) struct Choice {
    forwarders: Vec<Arc<Forwarder>>,
}

/// Who forwards a call, and what its server has told of its methods.
type Chosen<'a> = (&'a Forwarder, Option<Arc<RemoteMethods>>);

impl Choice {
    pub(super) fn new(forwarders: Vec<Arc<Forwarder>>) -> Self {
        Self { forwarders }
    }

    /// Answers a call of any name below the prefix of the router.
    pub(super) fn call(self: &Arc<Self>, call: Call) -> CallFuture {
        let context = call.context();
        let node = context.node();
        let Some(name) = call.method().strip_prefix(node.prefix()).map(str::to_owned) else {
            return CallFuture::ready(Reply::error(ErrorCode::METHOD_NOT_FOUND));
        };
        let this = Arc::clone(self);
        let ctx = context.clone();
        CallFuture::boxed(&context, async move {
            match this.choose(&name).await {
                Ok((forwarder, told)) => {
                    let told = told.as_deref();
                    forwarder.answer(&name, told, call, &ctx).await
                }
                Err(error) => Reply::error(error),
            }
        })
    }

    /// Who forwards calls of this name: the first one whose server describes it. A single one forwards
    /// what nobody describes, too; among several it is the first one whose server describes nothing.
    async fn choose(&self, name: &str) -> Result<Chosen<'_>, ErrorObject> {
        for forwarder in &self.forwarders {
            forwarder.watch.begin();
        }
        if let [only] = &*self.forwarders {
            return Ok((only, only.documents.known().await?));
        }
        // First those that have told already: one that is away does not delay the others.
        let (mut silent, mut undescribed) = (Vec::new(), None);
        for forwarder in &self.forwarders {
            match forwarder.documents.told() {
                Told::Methods(told) if told.get(name).is_some() => {
                    return Ok((forwarder, Some(told)));
                }
                Told::Methods(_) => {}
                Told::None => undescribed = undescribed.or(Some(forwarder)),
                Told::Silent => silent.push(forwarder),
            }
        }
        for forwarder in &silent {
            forwarder.documents.refresh();
        }
        let mut is_away = false;
        for forwarder in silent {
            match forwarder.documents.known().await {
                Ok(Some(told)) if told.get(name).is_some() => return Ok((forwarder, Some(told))),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => match forwarder.documents.told() {
                    Told::None => undescribed = undescribed.or(Some(forwarder)),
                    _ => is_away = true,
                },
            }
        }
        match undescribed.filter(|forwarder| !forwarder.described_only) {
            Some(forwarder) => Ok((forwarder, None)),
            None if is_away => Err(fault::unavailable(false)),
            None => Err(ErrorObject::of(ErrorCode::METHOD_NOT_FOUND)),
        }
    }
}
