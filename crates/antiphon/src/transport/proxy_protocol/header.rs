//! Reader of one header, which takes no byte of what follows.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::error::HeaderError;
use super::{v1, v2};

/// Reads the header at the beginning of a connection. Returns the address of the proxy's client;
/// `None` if the connection is the proxy's own, or its client has no IP address.
pub(crate) async fn read_header<S>(socket: &mut S) -> Result<Option<SocketAddr>, HeaderError>
where
    S: AsyncRead + Unpin,
{
    // No header of either version is shorter than this.
    let mut start = [0; v2::SIGNATURE.len()];
    let mut filled = 0;
    while filled < start.len() {
        match socket.read(&mut start[filled..]).await? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            read => filled += read,
        }
        // Nobody waits for the rest of another protocol.
        let seen = &start[..filled];
        if !v2::SIGNATURE.starts_with(seen) && !v1::may_begin_with(seen) {
            return Err(HeaderError::Missing);
        }
    }
    match start == *v2::SIGNATURE {
        true => v2::read(socket).await,
        false => v1::read(socket, &start).await,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Reads a header that arrives in pieces of this size, and what is left behind it.
    async fn read_in_pieces(
        bytes: &[u8],
        size: usize,
    ) -> Result<(Option<SocketAddr>, Vec<u8>), HeaderError> {
        let (mut near, mut far) = tokio::io::duplex(size);
        let bytes = bytes.to_vec();
        let sending = tokio::spawn(async move {
            // The reader may have had enough.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut far, &bytes).await;
        });
        let found = read_header(&mut near).await?;
        let mut left = Vec::new();
        near.read_to_end(&mut left).await.unwrap();
        sending.await.unwrap();
        Ok((found, left))
    }

    /// The address in this header, in whatever pieces it arrives, or the error's text.
    pub(in crate::transport::proxy_protocol) async fn found(
        header: &[u8],
    ) -> Result<Option<String>, String> {
        let whole = [header, b"behind"].concat();
        let mut all = Vec::new();
        for size in [1, 2, 7, 13, 16, 4096] {
            let read = read_in_pieces(&whole, size).await;
            if let Ok((_, left)) = &read {
                assert_eq!(left, b"behind", "{header:?}");
            }
            let read = read.map(|(found, _)| found.map(|address| address.to_string()));
            all.push(read.map_err(|error| error.to_string()));
        }
        assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
        all.swap_remove(0)
    }

    #[tokio::test]
    async fn another_protocol_is_noticed_at_its_first_byte() {
        for bytes in [
            &b"G"[..],
            b"{",
            b"\x16\x03\x01",
            b"\r\n\r\n\x00\r\nX",
            b"PRI ",
            b"PROXY\t",
            b"POST / HTTP/1.1\r\n",
        ] {
            // The other end stays silent, and open.
            let (mut near, mut far) = tokio::io::duplex(64);
            tokio::io::AsyncWriteExt::write_all(&mut far, bytes)
                .await
                .unwrap();
            let error = read_header(&mut near).await.unwrap_err();
            assert!(matches!(error, HeaderError::Missing), "{bytes:?}: {error}");
        }
    }

    /// One byte of a good header is another one: it is good or not, but never more than it was.
    #[tokio::test]
    async fn a_changed_byte_makes_no_reader_take_what_follows() {
        let v1 = b"PROXY TCP4 192.0.2.1 192.0.2.9 47 443\r\n".to_vec();
        let v2 = [
            &v2::SIGNATURE[..],
            b"\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x09\x00\x01\x00\x02",
        ]
        .concat();
        for header in [v1, v2] {
            for at in 0..header.len() {
                for byte in 0..=u8::MAX {
                    let mut bytes = [&header[..], b"behind"].concat();
                    bytes[at] = byte;
                    let mut rest = &bytes[..];
                    let read = read_header(&mut rest).await;
                    // The length of version 2 may cover what follows.
                    let is_length = header[0] == b'\r' && (14..16).contains(&at);
                    if read.is_ok() && !is_length {
                        assert_eq!(rest, b"behind", "{at} {byte}");
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn a_header_that_is_cut_is_an_error() {
        let v1 = b"PROXY TCP4 192.0.2.1 192.0.2.9 1 2\r\n".to_vec();
        let v2 = [
            &v2::SIGNATURE[..],
            b"\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x09\x00\x01\x00\x02",
        ]
        .concat();
        for whole in [v1, v2] {
            assert!(read_in_pieces(&whole, 64).await.is_ok());
            for end in 0..whole.len() {
                let read = read_in_pieces(&whole[..end], 64).await;
                assert!(matches!(read, Err(HeaderError::Io(_))), "{end} {read:?}");
            }
        }
    }
}
