//! Signals from the first moment of a program until its server handles them itself.

use std::process::exit;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::program::signals::{Signal, Signals};
use crate::program::stderr::{self, print_line};

/// Time for the start to be given up in an orderly way. A start that blocks, for example in a
/// function of the user, is then cut.
const GRACE: Duration = Duration::from_secs(1);

/// Watches for signals on a thread of its own, since what happens at the start may block the runtime.
/// It ends when this is dropped.
#[derive(Debug)]
pub(super) struct StartWatch {
    stop: watch::Receiver<bool>,
    /// Closed on drop, which ends the thread.
    _alive: watch::Sender<()>,
}

/// How long the last lines may take.
const LAST_LINES: Duration = Duration::from_millis(500);

impl StartWatch {
    /// Begins to watch. From now on no signal ends the process by itself.
    pub(super) fn begin() -> std::io::Result<Self> {
        let (told, stop) = watch::channel(false);
        let (alive, mut ended) = watch::channel(());
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut signals = {
            let _inside = runtime.enter();
            Signals::new()?
        };
        let watching = async move {
            let ended = async move { while ended.changed().await.is_ok() {} };
            tokio::pin!(ended);
            let stopped = async {
                // The settings are read at the start anyway.
                while matches!(signals.next().await, Signal::Reload) {}
            };
            tokio::select! {
                () = &mut ended => return,
                () = stopped => {}
            }
            told.send_replace(true);
            if timeout(GRACE, ended).await.is_err() {
                print_line(&"stopped while it was starting");
                stderr::flush(LAST_LINES);
                exit(0);
            }
        };
        thread::Builder::new()
            .name("antiphon-start".to_owned())
            .spawn(move || runtime.block_on(watching))?;
        Ok(Self {
            stop,
            _alive: alive,
        })
    }

    /// Completes when the program was told to stop.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let mut stop = self.stop.clone();
        async move {
            if stop.wait_for(|told| *told).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
