//! Errors that do not convert: the compiler names the types that do.

use std::error::Error;
use std::io;

use antiphon::{Context, NamedParams, Router, rpc};
use futures_core::Stream;

struct Files;

#[rpc]
impl Files {
    fn rpc_text(&self) -> Result<u8, String> {
        Ok(1)
    }

    async fn rpc_any(&self) -> Result<u8, Box<dyn Error + Send + Sync>> {
        Ok(1)
    }

    fn rpc_lines(&self) -> Result<impl Stream<Item = u8> + Send, io::Error> {
        Ok(futures_util::stream::empty())
    }

    #[method(request_handler = check)]
    fn rpc_checked(&self) {}
}

fn check(_: &Context, _: &str, _: &mut NamedParams) -> Result<(), &'static str> {
    Ok(())
}

fn main() {
    Router::of(Files);
}
