use antiphon::rpc;

struct Points;

#[rpc]
impl Points {
    fn rpc_sum(&self, x: f64, #[cfg(all())] y: f64) -> f64 {
        x + y
    }
}

fn main() {}
