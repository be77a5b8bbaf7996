use antiphon::{rpc, rpc_method};
use futures_util::Stream;
use futures_util::stream::{self, Empty};

struct Jobs;

#[rpc]
impl Jobs {
    #[method(notification = "job")]
    fn rpc_no_stream(&self) -> u8 {
        1
    }

    #[method(plain, unsubscribe = "stop", overflow = "block")]
    async fn rpc_hidden_stream(&self) -> Empty<u8> {
        stream::empty()
    }

    #[method(overflow = "ignore")]
    fn rpc_overflow(&self) -> impl Stream<Item = u8> {
        stream::empty()
    }

    #[method(blocking)]
    fn rpc_blocking(&self) -> impl Stream<Item = u8> {
        stream::empty()
    }

    #[method(stream, blocking)]
    fn rpc_blocking_too(&self) -> Empty<u8> {
        stream::empty()
    }

    #[method(stream = "no type")]
    fn rpc_no_type(&self) -> Empty<u8> {
        stream::empty()
    }

    #[method(stream = Vec)]
    fn rpc_no_text(&self) -> Empty<u8> {
        stream::empty()
    }

    #[method(plain = true)]
    fn rpc_no_word(&self) -> impl Stream<Item = u8> {
        stream::empty()
    }
}

#[rpc_method(unsubscribe = "stop")]
fn no_stream() {}

fn main() {}
