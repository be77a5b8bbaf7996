//! Bounds on open connections: in all, and by address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections each address has open.
type PerIp = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The connections that may be open.
#[derive(Clone)]
pub(super) struct ConnectionSlots {
    max: usize,
    open: Arc<AtomicUsize>,
    per_ip: Option<(usize, PerIp)>,
}

impl ConnectionSlots {
    /// At most `max` connections, and at most `per_ip` of one address if that is bounded.
    pub(super) fn new(max: usize, open: Arc<AtomicUsize>, per_ip: Option<usize>) -> Self {
        Self {
            max,
            open,
            per_ip: per_ip.map(|max| (max, Arc::default())),
        }
    }

    /// A slot for one more connection from this address; none if there is no room.
    pub(super) fn take(&self, ip: Option<IpAddr>) -> Option<ConnectionSlot> {
        let one_more = |open: usize| (open < self.max).then_some(open + 1);
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        let mut slot = ConnectionSlot {
            open: Arc::clone(&self.open),
            of: None,
        };
        if let Some((max, counts)) = &self.per_ip
            && let Some(ip) = ip
        {
            let mut table = counts.lock().unwrap_or_else(PoisonError::into_inner);
            let count = table.entry(ip).or_default();
            if *count >= *max {
                return None;
            }
            *count += 1;
            slot.of = Some((ip, Arc::clone(counts)));
        }
        Some(slot)
    }
}

/// One open connection, until it is dropped.
pub(super) struct ConnectionSlot {
    open: Arc<AtomicUsize>,
    of: Option<(IpAddr, PerIp)>,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        let Some((ip, counts)) = &self.of else {
            return;
        };
        let mut table = counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = table.get_mut(ip) {
            *count -= 1;
            if *count == 0 {
                table.remove(ip);
            }
        }
    }
}
