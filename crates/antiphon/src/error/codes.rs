//! Error codes of a program, as data: what `#[derive(ErrorCodes)]` knows of an enum.

use antiphon_proto::ErrorCode;

/// A type with a fixed list of errors, which documents can show.
///
/// `#[derive(ErrorCodes)]` implements it for an enum. A method refers to it with `#[method(errors =
/// ShopError)]`, or with [`Method::errors`](crate::Method::errors) if it is built by hand.
///
/// ```
/// use antiphon::{ErrorCode, ErrorCodes, ErrorInfo, Method};
///
/// struct Shop;
///
/// impl ErrorCodes for Shop {
///     const ERRORS: &'static [ErrorInfo] =
///         &[ErrorInfo::new(1403, "The shop is closed").doc("It opens at nine.")];
/// }
///
/// let method = Method::function("buy", |_what: String| true).errors::<Shop>();
/// # let dispatcher = antiphon::Router::new().method(method).build().unwrap();
/// # let methods = dispatcher.tree().methods(antiphon::Access::Public);
/// # assert_eq!(methods[0].errors()[0].code(), ErrorCode(1403));
/// ```
pub trait ErrorCodes {
    /// All errors, in the order of the variants.
    const ERRORS: &'static [ErrorInfo];
}

/// A declared error, as documents show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorInfo {
    code: ErrorCode,
    message: &'static str,
    doc: &'static str,
}

impl ErrorInfo {
    /// Creates an error. `message` may contain fields in braces: `only {left} left`.
    #[must_use]
    pub const fn new(code: i64, message: &'static str) -> Self {
        Self {
            code: ErrorCode(code),
            message,
            doc: "",
        }
    }

    /// Sets the documentation.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// The code that the caller gets.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The message that the caller gets, with fields in braces where the text differs from call to
    /// call.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.message
    }

    /// The documentation: the doc comment of the variant. Empty if there is none, or if it is the
    /// message.
    #[must_use]
    pub const fn documentation(&self) -> &'static str {
        self.doc
    }
}
