use antiphon::rpc;

struct Jobs;

#[rpc(serve_as = "rpc_", namespace = "", rename_all = "Camel", client = 1, scope = " ", prefix = "x")]
impl Jobs {
    fn rpc_run(&self) {}
}

fn main() {}
