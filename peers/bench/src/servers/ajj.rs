//! Benchmark peer ajj 0.7, mounted in axum as in its documentation. It has no public API without a
//! socket, and no client. Its sessions are not measured.

use ajj::Router;
use axum::extract::DefaultBodyLimit;
use axum::serve::ListenerExt;
use tokio::net::{TcpListener, TcpStream};

use super::Peer;
use crate::Failure;
use crate::cases;

/// axum's default limit is 2 MB; jsonrpsee and Antiphon have 10 MiB.
const MAX_BODY: usize = 10 << 20;

pub(super) const PEER: Peer = Peer {
    serve: |listener, _| Box::pin(serve(listener)),
    http: true,
    ..Peer::without("ajj")
};

async fn serve(listener: TcpListener) -> Result<(), Failure> {
    let router = Router::<()>::new()
        .route("calc.add", |(a, b): (f64, f64)| async move {
            Ok::<_, ()>(cases::add(a, b))
        })
        .route("len", |(text,): (String,)| async move {
            Ok::<_, ()>(text.len())
        })
        .route("blob", || async { Ok::<_, ()>(cases::blob()) });
    let app = router.into_axum("/").layer(DefaultBodyLimit::max(MAX_BODY));
    // The other peers set `TCP_NODELAY` themselves.
    let listener = listener.tap_io(|stream: &mut TcpStream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}
