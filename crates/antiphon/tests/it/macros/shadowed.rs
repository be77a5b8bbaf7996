//! Module without the prelude, in which the names of the prelude have other meanings.

#![no_implicit_prelude]
#![allow(dead_code, non_camel_case_types)]

use ::antiphon::{Context, ErrorCodes, ErrorObject, rpc, rpc_method};

struct Option;
struct Result;
struct Vec;
struct String;
struct Some;
struct None;
struct Ok;
struct Err;
struct Box;
struct Arc;
trait Clone {}
trait Default {}
trait From {}
trait Into {}
trait Send {}
trait Sync {}
trait Sized {}
trait Future {}
trait Debug {}
mod std {}
mod core {}
mod alloc {}
mod antiphon {}
mod serde {}

#[derive(ErrorCodes)]
pub(super) enum Trouble {
    #[code(1)]
    Plain,
    #[code(2)]
    #[message("{0}")]
    #[data]
    Told(u8),
    #[code(3)]
    #[data]
    Named { a: u8, b: u8 },
}

pub(super) struct Object;

fn handle(
    _: &Context,
    _: &str,
    _: &mut ::antiphon::NamedParams,
) -> ::std::result::Result<(), ErrorObject> {
    ::std::result::Result::Ok(())
}

#[rpc(namespace = "o", separator = ".")]
impl Object {
    /// Docs.
    fn rpc_now(
        &self,
        ctx: &Context,
        a: ::std::option::Option<u8>,
        #[arg(default)] b: u8,
        #[arg(default = "c")] c: ::std::string::String,
    ) -> ::std::result::Result<(u8, ::std::string::String), Trouble> {
        match (a, ctx.is_local()) {
            (::std::option::Option::Some(0), _) => ::std::result::Result::Err(Trouble::Told(0)),
            _ => ::std::result::Result::Ok((b, c)),
        }
    }

    async fn rpc_later(&self, ctx: Context, #[arg(flatten)] rest: Rest) -> bool {
        let _ = rest;
        ctx.is_local()
    }

    #[method(blocking, local, request_handler = handle)]
    fn rpc_elsewhere(&self, ctx: &Context) -> bool {
        ctx.is_local()
    }

    fn rpc_stream(
        &self,
        ctx: &Context,
        a: u8,
    ) -> ::std::result::Result<
        impl ::futures_util::Stream<Item = ::std::result::Result<u8, Trouble>>,
        Trouble,
    > {
        let _ = ctx.is_local();
        ::std::result::Result::Ok(::futures_util::stream::iter([
            ::std::result::Result::Ok(a),
            ::std::result::Result::Err(Trouble::Plain),
        ]))
    }

    #[method(
        stream,
        plain,
        notification = "n",
        unsubscribe = "u",
        overflow = "block"
    )]
    async fn rpc_named(&self) -> ::futures_util::stream::Empty<u8> {
        ::futures_util::stream::empty()
    }

    #[method(request_handler = handle, format = "x")]
    async fn rpc_handled(&self, a: u8) -> u8 {
        a
    }
}

#[derive(::serde::Deserialize, ::serde::Serialize)]
pub(super) struct Rest {}

#[rpc]
pub(super) trait Interface {
    fn one(&self) -> u8;
    fn three(&self) -> impl ::futures_util::Stream<Item = u8> {
        ::futures_util::stream::iter([self.one()])
    }
    async fn two(&self, a: u8) -> ::std::result::Result<u8, Trouble> {
        ::std::result::Result::Ok(a + self.one())
    }
}

impl Interface for Object {
    fn one(&self) -> u8 {
        1
    }
}

#[rpc_method]
pub(super) async fn free(a: u8) -> u8 {
    a
}
