//! A way to a broker that can be interrupted without being closed.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// A proxy before one broker.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    is_interrupted: watch::Sender<bool>,
    _accepting: AbortOnDropHandle<()>,
}

impl Proxy {
    pub(super) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_interrupted, interruptions) = watch::channel(false);
        let accepting = async move {
            while let Ok((near, _)) = listener.accept().await {
                let interruptions = interruptions.clone();
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else {
                        return;
                    };
                    let (near, far) = (near.into_split(), far.into_split());
                    tokio::select! {
                        () = carry(near.0, far.1, interruptions.clone()) => {}
                        () = carry(far.0, near.1, interruptions) => {}
                    }
                });
            }
        };
        Self {
            address,
            is_interrupted,
            _accepting: AbortOnDropHandle::new(tokio::spawn(accepting)),
        }
    }

    /// The address of a service behind it.
    pub(super) fn url(&self, prefix: &str) -> String {
        format!("nats://{}/{prefix}", self.address)
    }

    /// From here on nothing gets through, and nobody is told; or all does.
    pub(super) fn interrupt(&self, is_interrupted: bool) {
        self.is_interrupted.send_replace(is_interrupted);
    }
}

/// Copies bytes while the way is free.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut interruptions: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        if interruptions
            .wait_for(|interrupted| !interrupted)
            .await
            .is_err()
            || to.write_all(&buffer[..length]).await.is_err()
        {
            return;
        }
    }
}
