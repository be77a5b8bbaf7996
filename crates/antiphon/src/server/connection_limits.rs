//! Limits on open connections: in total and per address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Number of open connections per address.
type PerIp = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// Counts open connections and enforces the limits.
#[derive(Clone)]
pub(super) struct ConnectionSlots {
    max: usize,
    open: Arc<AtomicUsize>,
    per_ip: Option<(usize, PerIp)>,
}

impl ConnectionSlots {
    /// At most `max` connections in total, and at most `per_ip` per address if set.
    pub(super) fn new(max: usize, open: Arc<AtomicUsize>, per_ip: Option<usize>) -> Self {
        Self {
            max,
            open,
            per_ip: per_ip.map(|max| (max, Arc::default())),
        }
    }

    /// Takes a slot for one more connection from this address; `None` if a limit is reached.
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
                // Dropping `slot` releases its share of the total.
                return None;
            }
            *count += 1;
            slot.of = Some((ip, Arc::clone(counts)));
        }
        Some(slot)
    }
}

/// Slot of one open connection. Dropping it frees the slot.
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
