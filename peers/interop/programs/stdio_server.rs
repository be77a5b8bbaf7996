//! Server of the `antiphon` methods on standard input and output, for one caller:
//!
//! ```text
//! stdio_server            messages with `Content-Length`
//! stdio_server newline    one message a line
//! ```

use antiphon::{Framing, Server};
use interop::{Failure, Seen, antiphon_server, session_methods};
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let (sender, _noted) = mpsc::unbounded_channel();
    let methods = antiphon_server::router(sender).merge(session_methods::router(&Seen::default()));
    let server = Server::new(methods);
    let server = match std::env::args().nth(1).as_deref() {
        None => server.stdio_framed(Framing::ContentLength),
        Some("newline") => server.stdio(),
        Some(other) => return Err(format!("{other} is no framing").into()),
    };
    Ok(server.serve().await?)
}
