//! OpenRPC documents as the world writes them: every published version, in one file or in several.
//!
//! What comes out is one document of the current form, in which all references lead to something.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | the entry |
//! | `limits.rs` | how much of everything there may be |
//! | `value.rs` | JSON values with members in document order |
//! | `place.rs` | places in a file, as JSON pointers |
//! | `files.rs` | the files of a document: which may be read, and how many |
//! | `remote.rs` | files behind URLs |
//! | `bundle.rs` | several files → one document |
//! | `methods.rs` | methods, parameters, results and errors of a document |
//! | `schemas.rs` | references in schemas |
//! | `versions.rs` | what older versions wrote in another way |

mod bundle;
mod files;
mod limits;
mod methods;
mod place;
mod remote;
mod schemas;
pub(crate) mod value;
mod versions;

pub(crate) use bundle::Document;
pub(crate) use files::Files;
pub(crate) use remote::Fetch;

use std::path::Path;

/// Reads a document.
///
/// # Errors
///
/// If it is not OpenRPC of a version from 1.0 to 1.4, or has a fault; the text names the file and
/// the JSON pointer.
pub(crate) fn read(
    text: &str,
    name: &str,
    path: Option<&Path>,
    files: Files,
) -> Result<Document, String> {
    bundle::Bundle::new(files).read(text, name, path)
}
