use antiphon::rpc;

struct Text;

#[rpc]
impl Text {
    fn rpc_show(&self, value: impl std::fmt::Display) -> String {
        value.to_string()
    }
}

fn main() {}
