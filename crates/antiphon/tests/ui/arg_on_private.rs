use antiphon::rpc;

struct Notes;

#[rpc]
impl Notes {
    fn rpc_all(&self) -> usize {
        self.find(1)
    }

    fn find(&self, #[arg(default)] limit: usize) -> usize {
        limit
    }
}

fn main() {}
