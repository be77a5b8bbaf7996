use antiphon::{Context, rpc};

struct Clock;

#[rpc]
impl Clock {
    fn rpc_two(&self, a: &Context, b: &Context) -> bool {
        a.id() == b.id()
    }

    fn rpc_named(&self, #[arg(name = "c")] ctx: &Context) -> bool {
        ctx.is_local()
    }
}

fn main() {}
