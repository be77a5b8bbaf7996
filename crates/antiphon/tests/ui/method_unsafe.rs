use antiphon::rpc;

struct Memory;

#[rpc]
impl Memory {
    unsafe fn rpc_peek(&self) -> u8 {
        0
    }
}

fn main() {}
