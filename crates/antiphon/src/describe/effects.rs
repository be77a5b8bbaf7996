//! Effects of a call, as far as they decide whether it may run twice.

/// What a second run of a call would change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) enum Effects {
    #[default]
    Any,
    /// Nothing more than the first one.
    Idempotent,
    /// Nothing, as the first one.
    ReadOnly,
}
