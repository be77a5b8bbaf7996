use antiphon::rpc_method;

#[rpc_method(skip)]
fn skipped() {}

#[rpc_method]
fn longest(a: &str, b: &str) -> usize {
    a.len().max(b.len())
}

struct Object;

impl Object {
    #[rpc_method]
    fn method(&self) {}
}

fn main() {}
