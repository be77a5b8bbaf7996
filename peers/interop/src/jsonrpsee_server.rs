//! The methods behind `jsonrpsee`.

use jsonrpsee::RpcModule;
use jsonrpsee::server::Server;
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned, Params};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::{DIVISION, Dividend, Failure, Site, note};

/// Its `parse` reads positions and names into a struct.
#[derive(Deserialize)]
struct Two<T> {
    a: T,
    b: T,
}

/// Starts it.
///
/// # Errors
///
/// If it cannot listen.
pub async fn start() -> Result<Site, Failure> {
    let (sender, noted) = mpsc::unbounded_channel();
    let mut module = RpcModule::new(());
    module.register_method("calc.add", |params, _, _| {
        let Two { a, b } = params.parse::<Two<f64>>()?;
        Ok::<_, ErrorObjectOwned>(a + b)
    })?;
    module.register_method("calc.divide", |params, _, _| divide(&params))?;
    module.register_method("ping", |_, _, _| "pong")?;
    module.register_method("echo", |params, _, _| params.one::<String>())?;
    module.register_method("note", move |params, _, _| {
        note(&sender, params.one()?);
        Ok::<_, ErrorObjectOwned>(())
    })?;

    let server = Server::builder().build("127.0.0.1:0").await?;
    let url = format!("http://{}", server.local_addr()?);
    let handle = server.start(module);
    Ok(Site {
        url,
        noted,
        stop: Some(Box::new(move || {
            // It may have stopped by itself.
            let _ = handle.stop();
        })),
    })
}

fn divide(params: &Params<'_>) -> Result<i64, ErrorObjectOwned> {
    let Two { a, b } = params.parse::<Two<i64>>()?;
    let (code, message) = DIVISION;
    let error = || ErrorObject::owned(code, message, Some(Dividend { dividend: a }));
    a.checked_div(b).ok_or_else(error)
}
