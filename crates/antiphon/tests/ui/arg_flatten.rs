use antiphon::rpc;
use std::collections::HashMap;

struct Notes;

#[rpc]
impl Notes {
    fn rpc_default(&self, #[arg(flatten, default)] rest: HashMap<String, String>) -> usize {
        rest.len()
    }

    fn rpc_two(
        &self,
        #[arg(flatten)] a: HashMap<String, String>,
        #[arg(flatten)] b: HashMap<String, String>,
    ) -> usize {
        a.len() + b.len()
    }
}

fn main() {}
