use antiphon::rpc;

struct Echo;

#[rpc]
impl Echo {
    fn rpc_echo<T>(&self, value: T) -> T {
        value
    }
}

fn main() {}
