use antiphon::rpc;

#[rpc]
struct Jobs;

#[rpc]
impl Default for Jobs {
    fn default() -> Self {
        Self
    }
}

fn main() {}
