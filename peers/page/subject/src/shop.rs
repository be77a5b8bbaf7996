//! Methods with structs, enums and recursive types as parameters and results.

use antiphon::schemars::{self, JsonSchema};
use antiphon::{ErrorCodes, rpc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sells books.
pub(crate) struct Shop;

/// A book on the shelf.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
pub(crate) struct Book {
    /// As it stands on the cover.
    pub(crate) title: String,
    pub(crate) kind: Kind,
    /// In cents; unknown until somebody asks.
    pub(crate) price: Option<u32>,
    /// Books that it refers to.
    #[serde(default)]
    pub(crate) references: Vec<Self>,
    /// Notes by the name of their reader.
    #[serde(default)]
    pub(crate) notes: BTreeMap<String, String>,
}

/// What kind of book it is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(crate = "schemars")]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Novel,
    /// Many of them, in one volume.
    ShortStories,
    Poems,
}

/// What to look for.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
#[serde(tag = "by", rename_all = "snake_case")]
pub(crate) enum Search {
    /// Books whose title has these words.
    Title { words: String },
    /// Books for at most so many cents.
    Price { at_most: u32 },
}

#[derive(Debug, ErrorCodes)]
pub(crate) enum ShopError {
    /// The book is sold out, or never was there.
    #[code(1404)]
    #[message("there is no {title:?}")]
    Missing { title: String },
    /// The shop is closed. It opens at nine.
    #[code(1403)]
    #[allow(dead_code)] // it is declared, which is all that the page needs
    Closed,
}

#[rpc]
impl Shop {
    /// All books, or those of a kind.
    fn rpc_list(&self, kind: Option<Kind>) -> Vec<Book> {
        let mut books = shelf();
        books.retain(|book| kind.is_none_or(|kind| book.kind == kind));
        books
    }

    /// Finds books.
    fn rpc_find(
        &self,
        search: Search,
        /// How many at most.
        #[arg(default = 10)]
        limit: u8,
    ) -> Vec<Book> {
        let fits = |book: &Book| match &search {
            Search::Title { words } => book.title.contains(words),
            Search::Price { at_most } => book.price.is_some_and(|price| price <= *at_most),
        };
        let found = shelf().into_iter().filter(fits);
        found.take(usize::from(limit)).collect()
    }

    /// Takes a book in, and gives it back as it was understood.
    fn rpc_store(&self, book: Book) -> Book {
        book
    }

    /// Sells books. The price is that of all of them, in cents.
    #[method(
        errors = ShopError,
        example = r#"{"params": {"title": "Moby-Dick", "count": 2}, "result": 1980}"#
    )]
    fn rpc_buy(
        &self,
        /// As it stands on the cover.
        title: String,
        /// How many.
        #[arg(default = 1)]
        count: u32,
        /// Whether it is wrapped in paper.
        #[arg(default)]
        wrapped: bool,
    ) -> Result<u32, ShopError> {
        let price = shelf()
            .into_iter()
            .filter(|book| book.title == title)
            .find_map(|book| book.price);
        let price = price.ok_or(ShopError::Missing { title })?;
        Ok(price.saturating_mul(count) + u32::from(wrapped) * 50)
    }

    /// A long list of numbers, to see how much a page can show.
    fn rpc_numbers(&self, count: u32) -> Vec<u64> {
        (0..u64::from(count.min(2_000_000))).collect()
    }

    /// A number that no double holds.
    fn rpc_exact(&self, number: u64) -> u64 {
        number
    }
}

/// Orders of customers.
pub(crate) struct Orders;

#[rpc]
impl Orders {
    /// How many orders are open.
    fn rpc_open(&self) -> u32 {
        3
    }

    /// A place and a number on its shelf.
    fn rpc_place(&self, at: (String, u8)) -> Place {
        Place {
            room: at.0,
            shelf: at.1,
        }
    }
}

#[derive(JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
pub(crate) struct Place {
    room: String,
    shelf: u8,
}

fn shelf() -> Vec<Book> {
    let book = |title: &str, kind, price, references| Book {
        title: title.to_owned(),
        kind,
        price,
        references,
        notes: BTreeMap::new(),
    };
    let whale = book("Moby-Dick", Kind::Novel, Some(990), Vec::new());
    let dubliners = book("Dubliners", Kind::ShortStories, Some(750), Vec::new());
    let letters = book("Letters", Kind::Novel, None, vec![whale.clone()]);
    vec![whale, dubliners, letters]
}
