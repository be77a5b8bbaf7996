//! Options of calls, which a builder sets and all clones of a client share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon_proto::{Id, Params, Rules};

const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_RESPONSE: usize = 10 * 1024 * 1024;
const MAX_BATCH_RESPONSE: usize = 25 * 1024 * 1024;
const MAX_VALUES: usize = 1_000_000;

/// How a client writes characters beyond ASCII in requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Encoding {
    /// In UTF-8.
    #[default]
    Utf8,
    /// As `\uXXXX`, for servers that cannot read UTF-8.
    Ascii,
}

/// What every call of a client has in common.
pub(super) struct CallOptions {
    /// The rules of a response, with the version of requests.
    pub(super) rules: Rules,
    pub(super) separator: String,
    /// Merged into the named parameters of every call.
    pub(super) data: Params,
    pub(super) next_id: Box<dyn Fn() -> Id + Send + Sync>,
    pub(super) encoding: Encoding,
    pub(super) timeout: Option<Duration>,
    pub(super) max_response: usize,
    pub(super) max_batch_response: usize,
}

impl Default for CallOptions {
    fn default() -> Self {
        let counter = AtomicU64::new(1);
        Self {
            rules: Rules::default().max_values(MAX_VALUES),
            separator: ".".to_owned(),
            data: Params::none(),
            next_id: Box::new(move || Id::from(counter.fetch_add(1, Ordering::Relaxed))),
            encoding: Encoding::Utf8,
            timeout: Some(TIMEOUT),
            max_response: MAX_RESPONSE,
            max_batch_response: MAX_BATCH_RESPONSE,
        }
    }
}
