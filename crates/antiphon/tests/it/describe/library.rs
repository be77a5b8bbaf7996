//! Example services that the tests describe. Their doc comments are part of the expected files.

use std::collections::{BTreeMap, HashMap};

use antiphon::schemars::{self, JsonSchema};
use antiphon::{Context, ErrorCodes, ErrorObject, rpc};
use futures_util::stream::{self, Stream};
use serde::{Deserialize, Serialize};

pub(super) struct Calculator;

/// Does sums.
#[rpc]
impl Calculator {
    /// Adds two numbers.
    #[method(example = r#"{"params": [3, 4], "result": 7}"#)]
    fn rpc_add(&self, a: f64, b: f64) -> f64 {
        a + b
    }

    /// Divides two numbers. Not by zero.
    ///
    /// What is left over is lost.
    #[method(
        errors = CalculatorError,
        example = r#"{"params": {"a": 7, "b": 2}, "result": 3}"#
    )]
    async fn rpc_divide(
        &self,
        _ctx: &Context,
        a: i64,
        /// Anything but zero | nothing else.
        b: i64,
    ) -> Result<i64, CalculatorError> {
        a.checked_div(b)
            .ok_or(CalculatorError::Impossible { by: b })
    }

    fn rpc_undocumented() {}
}

#[derive(Debug, ErrorCodes)]
pub(super) enum CalculatorError {
    /// There is no such number.
    ///
    /// Every divisor but zero has one.
    #[code(1)]
    #[message("no number by {by}")]
    Impossible { by: i64 },
    /// It is too large.
    #[code(2)]
    #[allow(dead_code)]
    TooLarge,
    #[code(3)]
    #[cfg(any())]
    Never,
    #[code(-5)]
    #[allow(dead_code)]
    NoReasonGiven(u8),
}

/// A book.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
#[serde(rename_all = "camelCase")]
pub(super) struct Book {
    /// As it stands on the cover.
    full_title: String,
    kind: Kind,
    /// What it refers to.
    #[serde(default)]
    references: Vec<Self>,
    pages: Option<u32>,
}

/// What kind of book it is.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Novel,
    /// Without a story.
    ShortStories,
}

#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
#[serde(tag = "by")]
enum Search {
    Author { name: String },
    Year { from: u16, until: Option<u16> },
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct Page {
    /// How many at most.
    #[serde(default = "ten")]
    limit: u32,
    start: u32,
}

fn ten() -> u32 {
    10
}

#[derive(JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
struct Shelf {
    books: Vec<Book>,
    by_name: HashMap<String, Book>,
}

/// Has a JSON form, but says nothing of it.
#[derive(Default, Deserialize, Serialize)]
struct Untold(u8);

/// Has not even a JSON form to be written.
#[derive(Default, Deserialize)]
struct Unwritten {
    #[allow(dead_code)]
    value: u8,
}

pub(super) struct Library;

/// A library.
///
/// It lends books.
#[rpc(title = "Library")]
impl Library {
    /// Finds books.
    fn rpc_find(
        &self,
        /// What to look for.
        search: Search,
        kind: Option<Kind>,
        #[arg(default = 20)] limit: u32,
        #[arg(default = "title")] order: String,
        #[arg(default)] words: Vec<String>,
        #[arg(default = Some(Kind::ShortStories))] not: Option<Kind>,
    ) -> Vec<Book> {
        drop((search, kind, limit, order, words, not));
        Vec::new()
    }

    /// Lends a book.
    #[deprecated(since = "2.0.0", note = "use `borrow`")]
    fn rpc_lend(&self, book: Book) -> Result<Book, ErrorObject> {
        Ok(book)
    }

    #[method(deprecated)]
    fn rpc_old(&self) -> (u8, Option<bool>) {
        (1, None)
    }

    /// Knows nothing of its types.
    fn rpc_untold(
        &self,
        untold: Untold,
        #[arg(default = Untold(7))] default: Untold,
        #[arg(default)] unwritten: Unwritten,
    ) -> Untold {
        let _ = (default, unwritten);
        untold
    }

    /// Whatever there is.
    fn rpc_any(&self) -> impl Serialize + use<> {
        [1, 2]
    }

    /// Tells of new books.
    #[method(notification = "newBook", unsubscribe = "forget")]
    fn rpc_news(&self, kind: Kind) -> impl Stream<Item = Result<Book, ErrorObject>> {
        let _ = kind;
        stream::empty()
    }

    #[method(stream = "String", plain)]
    fn rpc_titles(&self) -> stream::Empty<String> {
        stream::empty()
    }

    /// A page of something.
    #[method(example = r#"{"params": {"name": "x", "start": 3}}"#)]
    fn rpc_page(&self, name: String, #[arg(flatten)] page: Page) -> String {
        format!("{name}{}{}", page.limit, page.start)
    }

    fn rpc_notes(&self, #[arg(flatten)] notes: BTreeMap<String, u8>) -> usize {
        notes.len()
    }

    #[allow(clippy::needless_lifetimes)] // a lifetime with a name is what is tried
    fn rpc_borrowed<'a>(&'a self) -> Option<&'a str> {
        None
    }

    /// All shelves.
    #[method(local)]
    fn rpc_shelves(&self) -> Vec<Shelf> {
        Vec::new()
    }

    /// Burns a book.
    #[method(admin)]
    fn rpc_burn(&self, _title: String) {}
}
