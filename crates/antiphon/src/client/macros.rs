//! `call!`: a remote call written like a method call.

/// Calls a remote method, written like a method call on the client.
///
/// The first name is the client, or any expression in parentheses; the rest, joined with `.`, is
/// the method. Parameters are positional, or named as `name = value`, but not both. There may be
/// at most 16 positional parameters.
///
/// It is short for [`Client::call`](crate::client::Client::call): options can follow, and the
/// call is sent when it is awaited. With a
/// [`blocking::Client`](crate::client::blocking::Client) it returns the result itself.
///
/// ```no_run
/// use antiphon::{call, client::{Client, Error}};
///
/// struct Shop { rpc: Client }
///
/// impl Shop {
///     async fn total(&self) -> Result<f64, Error> {
///         let net: f64 = call!((self.rpc).calc.add(3, 4)).await?;
///         call!((self.rpc).tax.gross(net = net, country = "IT")).await
///     }
/// }
///
/// # async fn example(client: Client) -> Result<(), Error> {
/// let pong: String = call!(client.ping()).id("x").await?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// # use antiphon::{call, client::{Client, Error}};
/// # async fn example(client: Client) -> Result<(), Error> {
/// let sum: f64 = call!(client.calc.add(3, b = 4)).await?; // positions and names
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! call {
    // Named parameters.
    (@params [] $($name:ident = $value:expr),+ $(,)?) => {
        $crate::Params::none()$(.insert(::core::stringify!($name), $value))+
    };
    // Positional parameters. Without this rule a named one among them would parse as an assignment.
    (@params [$($done:tt)*] $name:ident = $($rest:tt)*) => {
        ::core::compile_error!("positional and named parameters cannot be mixed")
    };
    (@params [$($done:tt)*] $value:expr, $($rest:tt)*) => {
        $crate::call!(@params [$($done)* ($value)] $($rest)*)
    };
    (@params [$($done:tt)*] $value:expr) => {
        $crate::call!(@params [$($done)* ($value)])
    };
    (@params []) => {
        ()
    };
    (@params [$($value:tt)+]) => {
        ($($value,)+)
    };
    ($client:ident.$first:ident $(.$rest:ident)* ($($params:tt)*)) => {
        $crate::call!(($client).$first $(.$rest)* ($($params)*))
    };
    (($client:expr).$first:ident $(.$rest:ident)* ($($params:tt)*)) => {
        ($client).call(
            ::core::concat!(::core::stringify!($first) $(, ".", ::core::stringify!($rest))*),
            $crate::call!(@params [] $($params)*),
        )
    };
}
