//! Open connections of all workers of a supervisor, in a file in memory that they share.
//!
//! Each worker has a [`Slot`], which it alone writes, and reads the slots of all others before
//! it accepts a connection ([`Turns`](super::turns::Turns)). A slot that is all zeros is of nobody.
//! The supervisor makes it so again when the worker has exited, however that happened.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::server::listener::{Listener, Socket};
use crate::server::worker_slot::{Load, Slot};

/// Maximum number of slots: as many as workers can be configured, four times. Workers that are
/// being replaced have theirs until they have exited.
const MAX_SLOTS: usize = 4096;

/// Number of slots that are read with one system call.
const SLOTS_AT_ONCE: usize = 32;

/// The slots of all workers, as their supervisor has them.
#[derive(Debug)]
pub(crate) struct CountTable {
    file: File,
    /// Which slots belong to a worker.
    taken: Vec<bool>,
}

impl CountTable {
    /// An empty table; `None` where the system has no files in memory, or refuses one. The workers
    /// then accept connections as they come.
    pub(crate) fn new() -> Option<Self> {
        match memory_file() {
            Ok(file) => Some(Self {
                file,
                taken: Vec::new(),
            }),
            Err(error) => {
                tracing::debug!("connections are not spread over the workers: {error}");
                None
            }
        }
    }

    /// Duplicates the file descriptor, for a worker.
    pub(crate) fn share(&self) -> io::Result<OwnedFd> {
        self.file.as_fd().try_clone_to_owned()
    }

    /// Reserves a slot for a new worker; `None` if all are taken.
    pub(crate) fn take(&mut self) -> Option<usize> {
        let free = self.taken.iter().position(|taken| !taken);
        let slot = free.unwrap_or(self.taken.len());
        if slot == MAX_SLOTS {
            return None;
        }
        self.taken.resize(self.taken.len().max(slot + 1), false);
        *self.taken.get_mut(slot)? = true;
        Some(slot)
    }

    /// Clears the slot of a worker that has exited. Another worker may get it.
    pub(crate) fn free(&mut self, slot: usize) {
        if let Err(error) = write(&self.file, slot, Slot::default()) {
            tracing::debug!("the slot of a worker was not cleared: {error}");
            // Nobody else gets it, and the others pass over a worker that does not accept.
            return;
        }
        if let Some(taken) = self.taken.get_mut(slot) {
            *taken = false;
        }
    }
}

/// A file without a name, closed on exec.
#[cfg(target_os = "linux")]
fn memory_file() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(memfd_create("antiphon-connections", MemfdFlags::CLOEXEC)?.into())
}

#[cfg(not(target_os = "linux"))]
fn memory_file() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

fn write(file: &File, slot: usize, value: Slot) -> io::Result<()> {
    file.write_all_at(&value.to_bytes(), offset(slot * Slot::SIZE))
}

fn offset(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// The slot of this worker, and a view on those of the others.
#[derive(Debug)]
pub(crate) struct WorkerCounts {
    file: File,
    slot: usize,
    /// What was written last; `None` once this worker has left.
    written: Mutex<Option<Slot>>,
}

impl WorkerCounts {
    /// The worker that has this slot. It does not count until its first [`publish`](Self::publish).
    pub(crate) fn new(file: OwnedFd, slot: usize) -> Self {
        Self {
            file: File::from(file),
            slot,
            written: Mutex::new(Some(Slot::default())),
        }
    }

    /// Tells the other workers what this one has. The load is read last of all, so whoever publishes
    /// after a change tells it, or a later one.
    pub(super) fn publish(&self, load: impl FnOnce() -> Load) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = written.as_mut() {
            *slot = slot.next(load());
            // The others look again soon, whatever they have read.
            let _ = write(&self.file, self.slot, *slot);
        }
    }

    /// Tells the other workers that this one accepts no more connections.
    pub(super) fn leave(&self) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.take().is_some() {
            let _ = write(&self.file, self.slot, Slot::default());
        }
    }

    /// Reads the slots of all other workers. That of this one is shown as nobody's.
    pub(super) fn read_others(&self, slots: &mut Vec<Slot>) -> io::Result<()> {
        slots.clear();
        let mut part = [0; SLOTS_AT_ONCE * Slot::SIZE];
        for at in (0..MAX_SLOTS * Slot::SIZE).step_by(part.len()) {
            let read = self.file.read_at(&mut part, offset(at))?;
            let (read_slots, _) = part.get(..read).unwrap_or_default().as_chunks();
            slots.extend(read_slots.iter().map(|slot| Slot::of_bytes(*slot)));
            if read < part.len() {
                break;
            }
        }
        if let Some(own) = slots.get_mut(self.slot) {
            *own = Slot::default();
        }
        Ok(())
    }
}

/// Whether a connection is in the accept queue of a listener.
pub(super) fn has_waiting(listener: &Listener) -> bool {
    let socket = match &listener.socket {
        Socket::Tcp(listener) => listener.as_fd(),
        Socket::Unix(listener, _) => listener.as_fd(),
    };
    let mut watched = [PollFd::from_borrowed_fd(socket, PollFlags::IN)];
    poll(&mut watched, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    fn worker(table: &mut CountTable) -> (usize, WorkerCounts) {
        let slot = table.take().unwrap();
        (slot, WorkerCounts::new(table.share().unwrap(), slot))
    }

    /// What this worker reads, without the slots of nobody.
    fn others(worker: &WorkerCounts) -> Vec<u32> {
        let mut slots = Vec::new();
        worker.read_others(&mut slots).unwrap();
        let known = slots.into_iter().filter_map(Slot::load);
        known.map(|load| load.open).collect()
    }

    fn publish(worker: &WorkerCounts, open: u32) {
        worker.publish(|| Load {
            open,
            ..Load::default()
        });
    }

    #[test]
    fn a_worker_sees_the_others_from_their_first_number_until_they_leave_or_exit() {
        let mut table = CountTable::new().unwrap();
        let (_, first) = worker(&mut table);
        let (second_slot, second) = worker(&mut table);
        let (_, third) = worker(&mut table);
        assert!(others(&first).is_empty());
        publish(&first, 5);
        publish(&second, 70_000);
        publish(&third, 0);
        assert_eq!(others(&first), [70_000, 0]);
        assert_eq!(others(&second), [5, 0]);
        third.leave();
        // Its connections close later.
        publish(&third, 0);
        assert_eq!(others(&first), [70_000]);
        // Killed: it has written nothing more.
        drop(second);
        table.free(second_slot);
        assert!(others(&first).is_empty());
        assert_eq!(others(&third), [5]);
    }

    #[test]
    fn the_slot_of_a_worker_that_has_exited_is_given_to_the_next() {
        let mut table = CountTable::new().unwrap();
        let slots: Vec<_> = (0..MAX_SLOTS).map(|_| table.take()).collect();
        assert_eq!(slots, (0..MAX_SLOTS).map(Some).collect::<Vec<_>>());
        assert_eq!(table.take(), None);
        table.free(7);
        assert_eq!((table.take(), table.take()), (Some(7), None));
    }

    #[test]
    fn all_slots_are_read_however_many_there_are() {
        for count in [1, 2, SLOTS_AT_ONCE, SLOTS_AT_ONCE + 1, 3 * SLOTS_AT_ONCE] {
            let mut table = CountTable::new().unwrap();
            let workers: Vec<_> = (0..count).map(|_| worker(&mut table).1).collect();
            for (number, worker) in (0..).zip(&workers) {
                publish(worker, number);
            }
            let (last, all_but_the_last) = workers.split_last().unwrap();
            let expected: Vec<_> = (0..)
                .zip(all_but_the_last)
                .map(|(number, _)| number)
                .collect();
            assert_eq!(others(last), expected);
        }
    }
}
