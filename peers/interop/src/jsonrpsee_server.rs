//! Test server based on `jsonrpsee`.

use std::future::pending;
use std::time::Duration;

use jsonrpsee::RpcModule;
use jsonrpsee::core::{SubscriptionError, to_json_raw_value};
use jsonrpsee::server::{PendingSubscriptionSink, Server};
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned, Params};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::{DIVISION, Dividend, Failure, Seen, Site, note};

/// Parameters by position or by name; `Params::parse` deserializes both into a struct.
#[derive(Deserialize)]
struct Operands<T> {
    a: T,
    b: T,
}

/// Starts the server.
///
/// # Errors
///
/// If the server cannot listen.
pub async fn start() -> Result<Site, Failure> {
    let (sender, noted) = mpsc::unbounded_channel();
    let mut module = RpcModule::new(());
    module.register_method("calc.add", |params, _, _| {
        let Operands { a, b } = params.parse::<Operands<f64>>()?;
        Ok::<_, ErrorObjectOwned>(a + b)
    })?;
    module.register_method("calc.divide", |params, _, _| divide(&params))?;
    module.register_method("ping", |_, _, _| "pong")?;
    module.register_method("echo", |params, _, _| params.one::<String>())?;
    module.register_method("note", move |params, _, _| {
        note(&sender, params.one()?);
        Ok::<_, ErrorObjectOwned>(())
    })?;

    let seen = Seen::default();
    subscriptions(&mut module, &seen)?;

    let server = Server::builder().build("127.0.0.1:0").await?;
    let address = server.local_addr()?;
    let handle = server.start(module);
    Ok(Site {
        url: format!("http://{address}"),
        address,
        noted,
        seen,
        stop: Some(Box::new(move || {
            // Fails if the server has already stopped.
            let _ = handle.stop();
        })),
    })
}

fn divide(params: &Params<'_>) -> Result<i64, ErrorObjectOwned> {
    let Operands { a, b } = params.parse::<Operands<i64>>()?;
    let (code, message) = DIVISION;
    let error = || ErrorObject::owned(code, message, Some(Dividend { dividend: a }));
    a.checked_div(b).ok_or_else(error)
}

/// Methods that are only available on a WebSocket.
fn subscriptions(module: &mut RpcModule<()>, seen: &Seen) -> Result<(), Failure> {
    for (name, item, stop, end) in [
        ("numbers", "numbers_item", "numbers_stop", End::Never),
        ("ending", "ending_item", "ending_stop", End::Silent),
        ("failing", "failing_item", "failing_stop", End::Object),
        ("saying", "saying_item", "saying_stop", End::Text),
    ] {
        let seen = seen.clone();
        module.register_subscription(name, item, stop, move |params, sink, _, _| {
            numbers(seen.clone(), params, sink, end)
        })?;
    }
    module.register_async_method("sleep", |params, _, _| async move {
        let ms: u64 = params.one()?;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok::<_, ErrorObjectOwned>(ms)
    })?;
    let seen = seen.clone();
    module.register_async_method("hold", move |_, _, _| {
        let seen = seen.clone();
        async move {
            let _gone = seen.gone.guard();
            seen.begun.add();
            pending::<()>().await;
        }
    })?;
    Ok(())
}

/// How a subscription behaves after its last item.
#[derive(Clone, Copy)]
enum End {
    /// It waits until the subscriber has gone.
    Never,
    /// It ends without telling the subscriber.
    Silent,
    /// It ends with an error object.
    Object,
    /// It ends with an error text, into which `?` converts most errors.
    Text,
}

async fn numbers(
    seen: Seen,
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    end: End,
) -> Result<(), SubscriptionError> {
    let last: u64 = match params.one() {
        Ok(last) => last,
        Err(error) => {
            pending.reject(error).await;
            return Ok(());
        }
    };
    seen.begun.add();
    let _gone = seen.gone.guard();
    let sink = pending.accept().await?;
    for n in 1..=last {
        sink.send(to_json_raw_value(&n)?).await?;
    }
    match end {
        End::Never => sink.closed().await,
        End::Silent => {}
        End::Object => {
            let error = ErrorObject::owned(9, "no more", Some("dry"));
            return Err(SubscriptionError::from_json(to_json_raw_value(&error)?));
        }
        End::Text => return Err("the well is dry".into()),
    }
    Ok(())
}
