//! Printer of the test server's OpenRPC document. It is a program of its own, because the tests do
//! not compile while the generated client does not match them.

use antiphon::OpenRpc;

fn main() -> Result<(), codegen::Failure> {
    let dispatcher = codegen::router().build()?;
    print!("{}", OpenRpc::of(dispatcher.tree()).document().to_json());
    Ok(())
}
