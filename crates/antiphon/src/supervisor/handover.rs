//! Handover to a new process: its configuration and its sockets.
//!
//! It is one line of JSON on the standard input of the process, which is a Unix socket. The
//! listeners are passed as file descriptors in ancillary data (`SCM_RIGHTS`). After that line, the
//! socket carries a JSON-RPC session.
//!
//! An upgrade hands over from one version of the program to another. So the members of [`Handover`]
//! keep their names, and new ones are optional.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use super::system;

/// Maximum number of sockets in one message: 200 listeners, and the control socket, or a worker's
/// channel for topics and the file of its slot. The kernel allows 253.
const MAX_SOCKETS: usize = 202;

/// Maximum length of the line, in bytes. It must fit into the socket buffer, because the new
/// process does not read yet when it is written.
const MAX_LINE: usize = 128 * 1024;

/// Timeout for receiving the whole line. It was written before the process started, so it is there
/// already, unless the parent is no supervisor.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Configuration of a new process.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Handover {
    /// Id of the process.
    pub(crate) id: String,
    /// Text of the settings file at the start of its generation.
    pub(crate) settings_file: Option<String>,
    /// Token that authenticates admins.
    pub(crate) admin_token: Option<String>,
    /// Interval between two heartbeats, in milliseconds.
    pub(crate) heartbeat_interval: u64,
    /// The listeners, in the order of their file descriptors.
    pub(crate) listeners: Vec<ListenerRecord>,
    /// The slot of a worker in the file with the connections of all workers, whose descriptor is the
    /// last one.
    #[serde(default)]
    pub(crate) slot: Option<usize>,
    /// Whether there is a channel for topics, whose descriptor is the one behind the listeners.
    #[serde(default)]
    pub(crate) topics: bool,
    /// The version of the messages on that channel.
    #[serde(default)]
    pub(crate) topics_version: u32,
}

/// Description of a listener, without its socket.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct ListenerRecord {
    /// The address as given in the settings.
    pub(crate) requested: String,
    /// The address as clients write it.
    pub(crate) url: String,
    /// Whether the socket stays open elsewhere (socket activation) after the server has ended.
    #[serde(default)]
    pub(crate) external: bool,
}

impl Handover {
    /// Writes the line and the sockets into the buffer of a socket that is not being read yet.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the line is too long or there are too many sockets.
    pub(crate) fn send(&self, stream: &UnixStream, sockets: &[OwnedFd]) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        if line.len() > MAX_LINE || sockets.len() > MAX_SOCKETS {
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

    /// Receives the line and the sockets. The sockets are close-on-exec, so child processes do not
    /// inherit them.
    ///
    /// # Errors
    ///
    /// `InvalidData` if the input is not a handover; `TimedOut` if it is not complete after 2 s.
    pub(crate) fn receive(stream: &UnixStream) -> io::Result<(Self, Vec<OwnedFd>)> {
        let until = Instant::now() + RECEIVE_TIMEOUT;
        stream.set_nonblocking(true)?;
        let (mut line, mut sockets) = (Vec::new(), Vec::new());
        while line.last() != Some(&b'\n') {
            let mut piece = [0; 4096];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let mut pieces = [IoSliceMut::new(&mut piece)];
            wait_for_input(stream, until)?;
            let received = match recvmsg(stream, &mut pieces, &mut ancillary, system::RECEIVE) {
                Err(Errno::AGAIN | Errno::INTR) => continue,
                received => received?,
            };
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(more) = message {
                    for socket in more {
                        system::close_on_exec(&socket)?;
                        sockets.push(socket);
                    }
                }
            }
            if received.bytes == 0 || line.len() > MAX_LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
            line.extend_from_slice(piece.get(..received.bytes).unwrap_or_default());
        }
        let handover: Self = serde_json::from_slice(&line)?;
        let others = usize::from(handover.slot.is_some()) + usize::from(handover.topics);
        if handover.listeners.len() + others == sockets.len() {
            Ok((handover, sockets))
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }
}

/// Waits until there is something to read.
fn wait_for_input(stream: &UnixStream, until: Instant) -> io::Result<()> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut watched = [PollFd::new(stream, PollFlags::IN)];
        match poll(&mut watched, Some(&left)) {
            Ok(0) => {
                let text = "the process that started it says nothing";
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
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
            slot: None,
            topics: false,
            topics_version: 0,
        }
    }

    #[test]
    fn the_line_and_the_sockets_arrive() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let long = "x".repeat(90_000);
        for (listeners, slot, topics) in [
            (3, None, false),
            (3, None, true),
            (3, Some(5), false),
            (200, Some(4095), true),
        ] {
            let count = listeners + usize::from(slot.is_some()) + usize::from(topics);
            let sockets: Vec<_> = (0..count)
                .map(|_| listener.try_clone().unwrap().into())
                .collect();
            let sent = Handover {
                slot,
                topics,
                ..handover(&long, listeners)
            };
            sent.send(&ours, &sockets).unwrap();
            drop(sockets);
            let (received, sockets) = Handover::receive(&theirs).unwrap();
            assert_eq!(received.settings_file.as_deref(), Some(&*long));
            assert_eq!(
                (received.slot, received.topics, sockets.len()),
                (slot, topics, count)
            );
            assert_eq!(
                (received.id.as_str(), received.heartbeat_interval),
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
    }

    #[test]
    fn a_handover_that_is_too_long_or_malformed_is_refused() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let kind = |result: io::Result<()>| result.unwrap_err().kind();
        let too_long = handover(&"x".repeat(MAX_LINE), 0).send(&ours, &[]);
        assert_eq!(kind(too_long), io::ErrorKind::InvalidInput);
        (&ours).write_all(b"hello\n").unwrap();
        assert!(Handover::receive(&theirs).is_err());
        handover("", 1).send(&ours, &[]).unwrap();
        let missing = Handover::receive(&theirs).map(|_| ());
        assert_eq!(kind(missing), io::ErrorKind::InvalidData);
        let with_slot = Handover {
            slot: Some(0),
            ..handover("", 0)
        };
        with_slot.send(&ours, &[]).unwrap();
        let missing = Handover::receive(&theirs).map(|_| ());
        assert_eq!(kind(missing), io::ErrorKind::InvalidData);
        drop(ours);
        let gone = Handover::receive(&theirs).map(|_| ());
        assert_eq!(kind(gone), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_parent_that_says_nothing_or_only_a_part_is_not_waited_for() {
        for said in ["", "{\"id\":"] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            (&ours).write_all(said.as_bytes()).unwrap();
            let error = Handover::receive(&theirs).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{said}");
        }
    }
}
