//! Start configuration: settings of the program, flags, settings file.

use crate::program::args::ServeArgs;
use crate::server::Settings;

/// Configuration read at the start. It is kept so that settings can be reloaded.
pub(super) struct StartConfig {
    /// Settings made in code, before flags and file are applied.
    pub(super) base: Settings,
    pub(super) flags: ServeArgs,
    /// Text of the settings file, if there is one.
    pub(super) settings_file: Option<String>,
    pub(super) threads: Option<usize>,
}
