use antiphon::rpc;

#[rpc]
trait Store<K> {
    fn size(&self) -> usize;
}

#[rpc]
trait Copies {
    fn copy(&self) -> Self;
    fn find(&self, key: Self::Key) -> Result<u8, Self::Error>;
    type Key;
    type Error;
}

fn main() {}
