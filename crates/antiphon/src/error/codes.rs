//! Error codes of a program, as data: what `#[derive(ErrorCodes)]` knows of an enum.

use antiphon_proto::ErrorCode;

/// An enum of errors that documents can list.
///
/// `#[derive(ErrorCodes)]` implements it. A method names its errors with
/// `#[method(errors = ShopError)]`, and one made by hand with
/// [`Method::errors`](crate::Method::errors).
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
/// # let dispatcher = antiphon::Router::default().method(method).build().unwrap();
/// # let methods = dispatcher.tree().methods(antiphon::Access::Public);
/// # assert_eq!(methods[0].errors()[0].code(), ErrorCode(1403));
/// ```
pub trait ErrorCodes {
    /// Every error, in the order of the variants.
    const ERRORS: &'static [ErrorInfo];
}

/// An error as documents show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorInfo {
    code: ErrorCode,
    message: &'static str,
    doc: &'static str,
}

impl ErrorInfo {
    /// An error with this code. `message` may have fields in braces, as `only {left} left`.
    #[must_use]
    pub const fn new(code: i64, message: &'static str) -> Self {
        Self {
            code: ErrorCode(code),
            message,
            doc: "",
        }
    }

    /// What documents say about it.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// The code that a caller gets.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The message that a caller gets; what it tells of a single case stands in braces.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.message
    }

    /// The doc comment of the variant; empty if there is none, or if it is the message.
    #[must_use]
    pub const fn documentation(&self) -> &'static str {
        self.doc
    }
}
