//! What a broker keeps of a topic.

/// What a broker keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kept {
    /// Up to this number items may be missing, of any key.
    pub(crate) lost: u64,
    /// How many items of each key there are at most. If there are so many, earlier ones may be missing.
    pub(crate) of_each_key: usize,
}
