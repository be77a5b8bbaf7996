//! Versions of the OpenRPC specification.

/// The version of a document without one; OpenRPC requires it.
pub(super) const NO_VERSION: &str = "0.0.0";

/// A version of the OpenRPC specification.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Specification {
    /// 1.3.2, which all tools support.
    #[default]
    V1_3,
    /// 1.4.0.
    V1_4,
}

impl Specification {
    pub(super) fn number(self) -> &'static str {
        match self {
            Self::V1_3 => "1.3.2",
            Self::V1_4 => "1.4.0",
        }
    }
}
