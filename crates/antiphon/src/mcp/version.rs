//! Versions of the Model Context Protocol.

use std::fmt;

/// A version of the Model Context Protocol that is spoken here.
///
/// ```
/// use antiphon::mcp::Version;
///
/// assert!(Version::V2026_07_28.is_stateless());
/// assert_eq!(Version::V2025_11_25.to_string(), "2025-11-25");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Version {
    /// 2025-06-18: a client begins with `initialize`.
    V2025_06_18,
    /// 2025-11-25: a client begins with `initialize`.
    V2025_11_25,
    /// 2026-07-28: each request says of itself what its version is.
    V2026_07_28,
}

impl Version {
    /// All of them, the newest first.
    pub(super) const ALL: [Self; 3] = [Self::V2026_07_28, Self::V2025_11_25, Self::V2025_06_18];

    /// What a client of before gets that asks for a version which nobody here knows.
    pub(super) const LATEST_BEFORE: Self = Self::V2025_11_25;

    /// The version with this name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.name() == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Whether each request says of itself what its version is, and there is no `initialize`.
    #[must_use]
    pub fn is_stateless(self) -> bool {
        self >= Self::V2026_07_28
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
