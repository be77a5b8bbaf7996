//! Methods for everybody, for known callers, and for callers with a scope.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example secured
//! $ curl http://127.0.0.1:8060 -H 'Content-Type: application/json' -i \
//!     -H 'Authorization: Bearer reader' \
//!     -d '{"jsonrpc":"2.0","id":1,"method":"accounts.withdraw","params":[3]}'
//! ```
//!
//! Tokens in the source, as here, are for demonstrations only.

use std::process::ExitCode;

use antiphon::{
    AuthenticationError, Authenticator, Context, Credentials, Identity, Method, Router, Server, rpc,
};

/// Knows two tokens.
struct Tokens;

impl Authenticator for Tokens {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        let reader = Identity::new("reader").scope("accounts:read");
        match credentials.bearer() {
            Some("reader") => Ok(Some(reader)),
            Some("writer") => Ok(Some(
                Identity::new("writer").scopes_from(["accounts:read", "accounts:write"]),
            )),
            Some(_) => Err(AuthenticationError::refused("an unknown token")),
            None => Ok(None),
        }
    }
}

/// Accounts of a bank.
struct Accounts;

#[rpc(scope = "accounts:read")]
impl Accounts {
    /// The balance of the only account.
    fn rpc_balance(&self) -> u64 {
        100
    }

    /// Takes an amount, and says for whom.
    #[method(scope = "accounts:write")]
    fn rpc_withdraw(&self, ctx: &Context, amount: u64) -> String {
        let identity = ctx.identity();
        let who = identity.as_ref().map_or("nobody", Identity::subject);
        format!("{amount} for {who}")
    }
}

fn main() -> ExitCode {
    let router = Router::new()
        .nest("accounts", Accounts)
        .method(Method::function("hello", || "hello").public());
    Server::new(router).authenticate(Tokens).start()
}
