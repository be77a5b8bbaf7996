//! Prints the document of the workshop: its tests cannot be built while the client does not fit them.

use antiphon::OpenRpc;

fn main() -> Result<(), codegen::Failure> {
    let dispatcher = codegen::router().build()?;
    print!("{}", OpenRpc::of(dispatcher.tree()).document().to_json());
    Ok(())
}
