use antiphon::rpc;

struct Points;

#[rpc]
impl Points {
    fn rpc_sum(&self, (x, y): (f64, f64)) -> f64 {
        x + y
    }

    fn rpc_ignore(&self, _: f64) {}
}

fn main() {}
