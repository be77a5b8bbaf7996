//! Calls in both directions over one TCP connection: a method calls its client before it returns.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example two_way
//! the server asks: remove 3 files?
//! removed 3 files
//! ```

#![allow(clippy::print_stdout)] // it prints the calls

use std::error::Error;

use antiphon::{Client, Context, ErrorObject, Router, Server, call, rpc};

struct Files;

#[rpc]
impl Files {
    /// Removes files, once the caller has agreed to it.
    async fn rpc_remove(&self, ctx: &Context, count: u32) -> Result<String, ErrorObject> {
        // The client at the other end of this connection. Over HTTP there is none, and this returns an error.
        let caller = ctx.peer()?;
        let question = format!("remove {count} files?");
        let agreed: bool = call!(caller.confirm(question)).await?;
        Ok(match agreed {
            true => format!("removed {count} files"),
            false => "removed nothing".to_owned(),
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::new(Router::new().nest("files", Files));
    let server = server.bind("tcp://127.0.0.1:0").listen().await?;
    let (url, handle) = (server.url(), server.handle());
    let serving = tokio::spawn(server.serve());

    // Methods that the server may call on this client.
    let here = Router::new().method_fn("confirm", |question: String| {
        println!("the server asks: {question}");
        true
    });
    let client = Client::builder(&url).router(here).build()?;
    let outcome: String = call!(client.files.remove(3)).await?;
    println!("{outcome}");

    // The server stops when the connection has ended.
    drop(client);
    handle.stop();
    serving.await??;
    Ok(())
}
