//! Signals of a program on systems that only have Ctrl-C, which stops it.

/// Action requested by a signal. `Reload` never occurs here.
pub(super) enum Signal {
    Stop,
    Reload,
}

pub(super) struct Signals;

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) -> Signal {
        let _ = tokio::signal::ctrl_c().await;
        Signal::Stop
    }
}
