//! Handover to a new process: its configuration and its sockets.
//!
//! It is one line of JSON on the process's standard input, which is a socket; the listeners travel
//! beside it (`SCM_RIGHTS`). What follows on that socket is a session.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

/// Sockets in one message; the system allows 253.
const MAX_DOORS: usize = 200;

/// Bytes in the line. It has to fit into the socket's buffer, because nobody reads it yet.
const MAX_LINE: usize = 128 * 1024;

/// How long the line may take: it was written before the process began.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a process is told.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Handover {
    /// What the process is called.
    pub(crate) id: String,
    /// The text of the settings file when its generation was started.
    pub(crate) settings_file: Option<String>,
    /// What shows that a caller is the owner of the server.
    pub(crate) admin_token: Option<String>,
    /// Between two signs of life, in milliseconds.
    pub(crate) heartbeat_interval: u64,
    /// The listeners, in the order in which they are sent.
    pub(crate) listeners: Vec<ListenerRecord>,
}

/// A listener without its socket.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct ListenerRecord {
    /// The address as it was asked for.
    pub(crate) requested: String,
    /// The address as clients write it.
    pub(crate) url: String,
    /// Whether the socket is the system's, which keeps it.
    #[serde(default)]
    pub(crate) external: bool,
}

impl Handover {
    /// Puts the line and the sockets into the buffer of a socket that nobody reads yet.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is too long or there are too many sockets.
    pub(crate) fn send(&self, stream: &UnixStream, sockets: &[OwnedFd]) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        if line.len() > MAX_LINE || sockets.len() > MAX_DOORS {
            let text =
                "the settings are too long to be told to a worker, or have too many addresses";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let sockets: Vec<BorrowedFd<'_>> = sockets.iter().map(OwnedFd::as_fd).collect();
        let rights = SendAncillaryMessage::ScmRights(&sockets);
        let mut space = vec![MaybeUninit::uninit(); rights.size()];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !sockets.is_empty() && !ancillary.push(rights) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        stream.set_nonblocking(true)?;
        let mut sent = sendmsg(
            stream,
            &[IoSlice::new(&line)],
            &mut ancillary,
            SendFlags::empty(),
        )?;
        while let Some(rest) = line.get(sent..).filter(|rest| !rest.is_empty()) {
            sent += rustix::net::send(stream, rest, SendFlags::empty())?;
        }
        Ok(())
    }

    /// Takes the line and the sockets, which programs that are started from here do not inherit.
    ///
    /// # Errors
    ///
    /// `InvalidData` if what comes is something else.
    pub(crate) fn receive(stream: &UnixStream) -> io::Result<(Self, Vec<OwnedFd>)> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (mut line, mut sockets) = (Vec::new(), Vec::new());
        while line.last() != Some(&b'\n') {
            let mut piece = [0; 4096];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DOORS))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let mut pieces = [IoSliceMut::new(&mut piece)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            let received = recvmsg(stream, &mut pieces, &mut ancillary, flags)?;
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(more) = message {
                    sockets.extend(more);
                }
            }
            if received.bytes == 0 || line.len() > MAX_LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
            line.extend_from_slice(piece.get(..received.bytes).unwrap_or_default());
        }
        stream.set_read_timeout(None)?;
        let handover: Self = serde_json::from_slice(&line)?;
        if handover.listeners.len() == sockets.len() {
            Ok((handover, sockets))
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::TcpListener;

    fn handover(settings: &str, listeners: usize) -> Handover {
        let record = ListenerRecord {
            requested: "127.0.0.1:0".to_owned(),
            url: "http://127.0.0.1:1".to_owned(),
            external: false,
        };
        Handover {
            id: "i1234567".to_owned(),
            settings_file: Some(settings.to_owned()),
            admin_token: None,
            heartbeat_interval: 250,
            listeners: vec![record; listeners],
        }
    }

    #[test]
    fn the_line_and_the_sockets_arrive_and_what_follows_is_left() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let long = "x".repeat(100_000);
        let sockets: Vec<_> = (0..3)
            .map(|_| listener.try_clone().unwrap().into())
            .collect();
        handover(&long, 3).send(&ours, &sockets).unwrap();
        drop((listener, sockets));
        let (told, sockets) = Handover::receive(&theirs).unwrap();
        assert_eq!(told.settings_file.as_deref(), Some(&*long));
        assert_eq!(
            (told.id.as_str(), told.heartbeat_interval),
            ("i1234567", 250)
        );
        for socket in sockets {
            assert!(
                rustix::io::fcntl_getfd(&socket)
                    .unwrap()
                    .contains(rustix::io::FdFlags::CLOEXEC)
            );
            assert_eq!(TcpListener::from(socket).local_addr().unwrap(), address);
        }
    }

    #[test]
    fn what_does_not_fit_and_what_is_something_else() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let kind = |result: io::Result<()>| result.unwrap_err().kind();
        let too_long = handover(&"x".repeat(MAX_LINE), 0).send(&ours, &[]);
        assert_eq!(kind(too_long), io::ErrorKind::InvalidInput);
        (&ours).write_all(b"hello\n").unwrap();
        assert!(Handover::receive(&theirs).is_err());
        handover("", 1).send(&ours, &[]).unwrap();
        let missing = Handover::receive(&theirs).map(|_| ());
        assert_eq!(kind(missing), io::ErrorKind::InvalidData);
        drop(ours);
        let gone = Handover::receive(&theirs).map(|_| ());
        assert_eq!(kind(gone), io::ErrorKind::InvalidData);
    }
}
