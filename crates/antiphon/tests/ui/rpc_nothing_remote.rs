use antiphon::rpc;

struct Jobs;

#[rpc]
impl Jobs {
    fn run(&self) {}
}

fn main() {
    Jobs.run();
}
