//! Watch over another server: whether its upstreams answer, and what it says of its methods.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::document::Documents;
use crate::client::shared::Shared;

/// How long an upstream may take for a sign of life.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A task that asks from time to time. It begins where the first call runs, and ends with this.
pub(super) struct Watch {
    shared: Arc<Shared>,
    documents: Arc<Documents>,
    /// `None` if nobody asks.
    pause: Option<Duration>,
    task: Mutex<Option<AbortHandle>>,
}

impl Watch {
    pub(super) fn new(
        shared: Arc<Shared>,
        documents: Arc<Documents>,
        pause: Option<Duration>,
    ) -> Self {
        Self {
            shared,
            documents,
            pause,
            task: Mutex::default(),
        }
    }

    /// Begins, unless it has begun.
    pub(super) fn begin(self: &Arc<Self>) {
        let Some(pause) = self.pause else {
            return;
        };
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        self.shared.set_checked(true);
        let watching = watch(Arc::downgrade(self), pause);
        *task = Some(runtime.spawn(watching).abort_handle());
    }
}

async fn watch(watch: Weak<Watch>, pause: Duration) {
    loop {
        let shared = {
            let Some(watch) = watch.upgrade() else {
                return;
            };
            watch.documents.refresh();
            Arc::clone(&watch.shared)
        };
        shared.check_upstreams(TIMEOUT).await;
        drop(shared);
        sleep(pause).await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.set_checked(false);
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}
