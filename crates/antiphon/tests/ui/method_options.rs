use antiphon::rpc;

struct Jobs;

#[rpc]
impl Jobs {
    #[method(blocking)]
    async fn rpc_run(&self) {}

    #[method(skip, name = "other")]
    fn rpc_skip(&self) {}

    #[method(names = "x")]
    fn rpc_unknown(&self) {}

    #[method(name = "x", name = "y")]
    fn rpc_twice(&self) {}

    #[method(name)]
    fn rpc_no_text(&self) {}

    #[method(request_handler = "path")]
    fn rpc_no_path(&self) {}

    #[method(local = true)]
    fn rpc_no_flag(&self) {}

    #[method = "x"]
    fn rpc_no_list(&self) {}

    #[method(local)]
    #[method(blocking)]
    fn rpc_two(&self) {}

    #[method(example = r#"{"params": [3,]}"#)]
    fn rpc_no_json(&self, _value: u8) {}

    #[method(errors = "Trouble")]
    fn rpc_no_enum(&self) {}

    #[method(deprecated = 3)]
    fn rpc_no_reason(&self) {}

    #[method(public, scope = "read")]
    fn rpc_public_with_scope(&self) {}

    #[method(scope = "a \"b\"")]
    fn rpc_no_scope(&self) {}

    #[method(public = true)]
    fn rpc_public_value(&self) {}

    #[method(cost)]
    fn rpc_no_cost(&self) {}

    #[method(cost = 4294967296)]
    fn rpc_high_cost(&self) {}
}

fn main() {}
