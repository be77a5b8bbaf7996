//! Thread of the supervisor that passes on what workers publish.
//!
//! It has a runtime of its own, so that however much is published, the supervisor starts, stops and
//! replaces workers as if there were no topics. A panic there ends the channels of all workers, which
//! are then replaced; the supervisor goes on.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::task::Context;
use std::thread;

use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet, LocalSet};

use super::topic_channel::{End, carry};
use crate::address::NatsAddress;
use crate::topic::hub::exchange::Hub;
use crate::topic::link::buffer::Malformed;
use crate::topic::link::in_process::{SharedHub, lock};
use crate::transport::nats::topics::follow;

/// Capacity of the queue of channels of new workers.
const NEW_WORKERS: usize = 4096;

/// Passes on what workers publish.
#[derive(Clone, Debug)]
pub(crate) struct TopicThread(mpsc::Sender<UnixStream>);

impl TopicThread {
    /// Starts the thread. It ends with the last clone of this. With a broker, topics are those of all its
    /// servers.
    ///
    /// # Errors
    ///
    /// Those of the system, if there cannot be another thread.
    pub(crate) fn start(broker: Option<NatsAddress>) -> io::Result<Self> {
        let (sender, mut workers) = mpsc::channel(NEW_WORKERS);
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new()
            .name("antiphon-topics".to_owned())
            .spawn(move || {
                // What tasks leave behind may need the runtime to end.
                let _entered = runtime.enter();
                let mut run = || {
                    let passing_on = pass_on(&mut workers, broker.as_ref());
                    LocalSet::new().block_on(&runtime, passing_on)
                };
                while let Err(error) = run() {
                    tracing::error!("the topics of all workers begin anew: {error}");
                }
            })?;
        Ok(Self(sender))
    }

    /// Takes the channel to a new worker.
    ///
    /// # Errors
    ///
    /// If the thread has ended, or does not get on.
    pub(crate) fn add(&self, channel: UnixStream) -> io::Result<()> {
        let failed = "the thread of the topics takes no more workers";
        self.0
            .try_send(channel)
            .map_err(|_| io::Error::other(failed))
    }
}

/// Serves workers until there will be no more. A panic in a task ends all of them.
async fn pass_on(
    workers: &mut mpsc::Receiver<UnixStream>,
    broker: Option<&NatsAddress>,
) -> Result<(), JoinError> {
    let mut tasks = JoinSet::new();
    let hub = match broker {
        None => SharedHub::default(),
        Some(address) => {
            let hub = Arc::new(Mutex::new(Hub::with_broker()));
            tasks.spawn_local(follow(Arc::clone(&hub), address.clone()));
            hub
        }
    };
    loop {
        tokio::select! {
            worker = workers.recv() => match worker {
                Some(channel) => drop(tasks.spawn_local(serve(Arc::clone(&hub), channel))),
                None => return Ok(()),
            },
            Some(ended) = tasks.join_next() => ended?,
        }
    }
}

async fn serve(hub: SharedHub, channel: UnixStream) {
    let peer = lock(&hub).connect();
    let end = HubEnd { hub, peer };
    match carry(channel, &end).await {
        Ok(()) => tracing::debug!("a worker has left the topics"),
        Err(error) => tracing::debug!("a worker has left the topics: {error}"),
    }
    lock(&end.hub).disconnect(peer);
}

/// The supervisor's end of the channel to one worker.
struct HubEnd {
    hub: SharedHub,
    peer: u64,
}

impl End for HubEnd {
    fn poll_write(&self, cx: &Context<'_>, out: &mut Vec<u8>) {
        lock(&self.hub).poll_write(self.peer, cx, out);
    }

    fn receive(&self, message: &[u8]) -> Result<(), Malformed> {
        lock(&self.hub).receive(self.peer, message)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_worker_that_says_nonsense_is_left_alone() {
        let topics = TopicThread::start(None).unwrap();
        let add = || {
            let (ours, theirs) = UnixStream::pair().unwrap();
            topics.add(theirs).unwrap();
            ours
        };
        let (mut bad, mut good, mut part) = (add(), add(), add());
        // Too long, and no message.
        bad.write_all(&[0xff; 64]).unwrap();
        assert!(matches!(bad.read(&mut [0; 8]), Ok(0) | Err(_)));
        let mut none = add();
        none.write_all(&[1, 0, 0, 0, 77]).unwrap();
        assert!(matches!(none.read(&mut [0; 8]), Ok(0) | Err(_)));
        // One that dies in the middle of a message.
        part.write_all(&[200, 0, 0, 0, 3, 1]).unwrap();
        drop(part);
        good.set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let waits = good.read(&mut [0; 8]).unwrap_err().kind();
        assert_eq!(waits, io::ErrorKind::WouldBlock);
        // The thread ends with its supervisor, and so do the channels.
        drop(topics);
        good.set_read_timeout(None).unwrap();
        assert!(matches!(good.read(&mut [0; 8]), Ok(0) | Err(_)));
    }
}
