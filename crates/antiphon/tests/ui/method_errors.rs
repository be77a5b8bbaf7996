use antiphon::rpc;

struct Plain;

struct Jobs;

#[rpc]
impl Jobs {
    #[method(errors = Plain)]
    fn rpc_run(&self) {}
}

fn main() {}
