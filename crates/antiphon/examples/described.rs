//! Documentation of a server: schemas, errors, examples and deprecated methods, as OpenRPC and as a
//! page for browsers.
//!
//! ```console
//! $ cargo run --example described --features metrics
//! $ curl http://127.0.0.1:8060/openrpc.json
//! ```
//!
//! Open http://127.0.0.1:8060/ in a browser. The tool reads the documents as well:
//! `antiphon docs :8060` writes documentation, and `antiphon codegen :8060 --lang python` writes a
//! client.

use std::process::ExitCode;

use antiphon::schemars::{self, JsonSchema};
use antiphon::{ErrorCodes, Router, Server, ServerCommands, rpc};
use futures_util::stream::{self, Stream};
use serde::{Deserialize, Serialize};

/// A shop for books.
struct Shop;

/// A book on the shelf.
// With `crate` the program needs no dependency on schemars.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
struct Book {
    /// Title on the cover.
    title: String,
    kind: Kind,
    /// Price in cents, if it is known.
    price: Option<u32>,
    /// Books that it refers to.
    #[serde(default)]
    references: Vec<Self>,
}

/// Kind of a book.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(crate = "schemars")]
#[serde(rename_all = "snake_case")]
enum Kind {
    Novel,
    /// Several stories in one volume.
    ShortStories,
}

#[derive(Debug, ErrorCodes)]
enum ShopError {
    /// The book is sold out or unknown.
    #[code(1404)]
    #[message("there is no {title:?}")]
    Missing { title: String },
}

#[rpc]
impl Shop {
    /// Sells books.
    ///
    /// Returns the total price in cents.
    #[method(
        errors = ShopError,
        example = r#"{"params": {"title": "Moby-Dick", "count": 2}, "result": 1980}"#
    )]
    fn rpc_buy(
        &self,
        /// Title on the cover.
        title: String,
        /// Number of copies.
        #[arg(default = 1)]
        count: u32,
    ) -> Result<u32, ShopError> {
        let books = shelf().into_iter();
        let price = books
            .filter(|book| book.title == title)
            .find_map(|book| book.price);
        let price = price.ok_or(ShopError::Missing { title })?;
        Ok(price.saturating_mul(count))
    }

    /// All books of a kind.
    fn rpc_list(&self, kind: Option<Kind>) -> Vec<Book> {
        let wanted = |book: &Book| kind.is_none_or(|kind| book.kind == kind);
        shelf().into_iter().filter(wanted).collect()
    }

    /// New books, as they arrive.
    fn rpc_arrivals(&self) -> impl Stream<Item = Book> {
        stream::iter(shelf())
    }

    /// All titles.
    #[method(deprecated = "use `list`")]
    fn rpc_titles(&self) -> Vec<String> {
        shelf().into_iter().map(|book| book.title).collect()
    }
}

fn shelf() -> Vec<Book> {
    let book = |title: &str, kind, price, references| Book {
        title: title.to_owned(),
        kind,
        price,
        references,
    };
    let whale = book("Moby-Dick", Kind::Novel, Some(990), Vec::new());
    let dubliners = book("Dubliners", Kind::ShortStories, Some(750), Vec::new());
    let letters = book("Letters", Kind::Novel, None, vec![whale.clone()]);
    vec![whale, dubliners, letters]
}

fn main() -> ExitCode {
    let router = Router::of(ServerCommands::new())
        .title("Shop")
        .version("1.0.0")
        .nest("shop", Shop);
    Server::new(router).start()
}
