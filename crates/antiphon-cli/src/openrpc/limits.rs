//! Limits of a document.

/// Maximum count of methods.
pub(super) const MAX_METHODS: usize = 10_000;

/// Maximum length of a chain of references.
pub(super) const MAX_HOPS: usize = 16;

/// Maximum count of values that are copied from where they are to where one document has them.
pub(super) const MAX_COPIED: usize = 1_000_000;

/// Maximum count of notes; there is nothing to learn from more of the same.
pub(super) const MAX_NOTES: usize = 20;
