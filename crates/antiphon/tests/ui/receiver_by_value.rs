use antiphon::rpc;

struct Counter(u64);

#[rpc]
impl Counter {
    fn rpc_end(self) -> u64 {
        self.0
    }

    fn rpc_shared(self: std::sync::Arc<Self>) -> u64 {
        self.0
    }
}

fn main() {}
