use antiphon::rpc;

struct Counter(u64);

#[rpc]
impl Counter {
    fn rpc_next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

fn main() {}
