use antiphon::rpc;

struct Text;

#[rpc]
impl Text {
    fn rpc_len(&self, text: &str) -> usize {
        text.len()
    }

    fn rpc_sum(&self, numbers: &[u32]) -> u32 {
        numbers.iter().sum()
    }

    fn rpc_show(&self, number: &u32, maybe: Option<&'static str>) -> String {
        format!("{number} {maybe:?}")
    }
}

fn main() {}
