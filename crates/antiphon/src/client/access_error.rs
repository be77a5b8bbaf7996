//! Errors of access: unknown callers, and missing scopes.

use antiphon_proto::ErrorCode;
use http::StatusCode;

use super::error::{Error, ErrorKind, Reason};

impl Error {
    /// Whether the server does not know who calls: error −32006 or HTTP status 401. The call has not
    /// run. Either there was no token, or the server does not accept it.
    ///
    /// ```
    /// use antiphon::{Method, Router, client::Client};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let client = Client::in_process(Router::new())?;
    /// let error = client.call::<f64>("calc.add", (3, 4)).await.unwrap_err();
    /// assert!(!error.is_unauthenticated() && !error.is_forbidden());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        match self.code() {
            Some(code) => code == ErrorCode::UNAUTHENTICATED,
            None => self.status() == Some(StatusCode::UNAUTHORIZED),
        }
    }

    /// Whether a client that [forwards identities](crate::client::ClientBuilder::forward_identity) was
    /// called where no method runs. Nothing was sent.
    #[must_use]
    pub fn has_no_caller(&self) -> bool {
        matches!(self.reason(), Some(Reason::NoCaller))
    }

    /// Whether the server knows who calls, and this caller must not: error −32007 or HTTP status
    /// 403. The call has not run. See [`missing_scope`](Self::missing_scope).
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        match self.code() {
            Some(code) => code == ErrorCode::FORBIDDEN,
            None => self.status() == Some(StatusCode::FORBIDDEN),
        }
    }

    /// The scopes that the caller lacks, separated by spaces, if the server tells them with error
    /// −32007.
    ///
    /// ```no_run
    /// # async fn example(client: antiphon::client::Client) {
    /// if let Err(error) = client.call::<f64>("calc.random", ()).await
    ///     && let Some(scope) = error.missing_scope()
    /// {
    ///     eprintln!("ask for a token with the scope {scope}");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn missing_scope(&self) -> Option<String> {
        match self.kind() {
            ErrorKind::Refused(error) => error.missing_scope(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_proto::ErrorObject;
    use serde_json::json;

    #[test]
    fn an_error_of_access_comes_as_a_code_or_as_a_status() {
        let refused = |code| Error::refused("`m`", ErrorObject::of(code));
        let rejected = |status| Error::rejected("`m`", status, String::new());
        let both = refused(ErrorCode::FORBIDDEN).status_of(StatusCode::UNAUTHORIZED);
        for (error, unauthenticated, forbidden) in [
            (refused(ErrorCode::UNAUTHENTICATED), true, false),
            (refused(ErrorCode::FORBIDDEN), false, true),
            (refused(ErrorCode::INTERNAL_ERROR), false, false),
            (rejected(StatusCode::UNAUTHORIZED), true, false),
            (rejected(StatusCode::FORBIDDEN), false, true),
            (rejected(StatusCode::NOT_FOUND), false, false),
            (both, false, true),
        ] {
            assert_eq!(error.is_unauthenticated(), unauthenticated, "{error}");
            assert_eq!(error.is_forbidden(), forbidden, "{error}");
            assert_eq!(error.missing_scope(), None, "{error}");
        }
        let scope = |code, data| {
            let object = ErrorObject::of(code).with_data(&data);
            Error::refused("`m`", object).missing_scope()
        };
        let told = scope(ErrorCode::FORBIDDEN, json!({"scope": "a b"}));
        assert_eq!(told.as_deref(), Some("a b"));
        assert_eq!(scope(ErrorCode::FORBIDDEN, json!({"scope": 1})), None);
        assert_eq!(
            scope(ErrorCode::UNAUTHENTICATED, json!({"scope": "a"})),
            None
        );
    }
}
