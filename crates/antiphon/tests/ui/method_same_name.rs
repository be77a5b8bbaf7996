use antiphon::rpc;

struct Jobs;

#[rpc]
impl Jobs {
    fn rpc_run(&self) {}

    #[method]
    fn run(&self) {}
}

fn main() {}
