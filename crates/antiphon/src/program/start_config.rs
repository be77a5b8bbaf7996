//! Configuration of a start: flags, settings of the program, settings file.

use crate::program::args::ServeArgs;
use crate::server::Settings;

/// What a start has read, apart from the server itself.
pub(super) struct StartConfig {
    /// Settings of the builder.
    pub(super) base: Settings,
    pub(super) flags: ServeArgs,
    /// The text of the settings file, if there is one.
    pub(super) settings_file: Option<String>,
    pub(super) threads: Option<usize>,
}
