//! One mistake is one message: what depends on the expansion is there all the same.

use antiphon::{Client, ErrorCodes, ErrorObject, Method, Router, rpc, rpc_method};

struct Calculator;

#[rpc]
impl Calculator {
    fn rpc_add(self, a: f64) -> f64 {
        a
    }

    fn rpc_sub(&self, a: f64) -> f64 {
        a
    }
}

#[rpc]
trait Storage {
    fn rpc_size(&mut self) -> u64;
}

struct Disk;

impl Storage for Disk {
    fn rpc_size(&mut self) -> u64 {
        0
    }
}

#[rpc_method(name = 3)]
fn divide(a: f64) -> f64 {
    a
}

#[derive(ErrorCodes)]
enum Problem {
    #[code(1)]
    Full,
    Empty,
}

fn served(client: Client) -> (Router, ErrorObject) {
    let _ = CalculatorClient::new(client.clone());
    let _ = StorageClient::new(client);
    let _ = divide::call(1.0);
    let router = Router::of(Calculator)
        .nest("disk", Disk.into_router())
        .method(divide);
    (router, Problem::Full.into())
}

fn main() {
    let _ = (served, Method::function("a", || 1), Problem::Empty);
}
