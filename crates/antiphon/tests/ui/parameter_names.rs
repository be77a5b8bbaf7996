use antiphon::rpc;

struct Points;

#[rpc]
impl Points {
    fn rpc_sum(&self, x: f64, #[arg(name = "x")] y: f64) -> f64 {
        x + y
    }
}

fn main() {}
