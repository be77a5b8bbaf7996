//! Open connections by address: IPv4 addresses, and IPv6 networks with the sites around them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::address::group::AddressGroup;

/// How many times as many connections as a single IPv6 /64 a whole /48 may have.
const NETWORKS_OF_A_SITE: usize = 4;

/// Open connections by address.
#[derive(Debug)]
pub(super) struct AddressTable {
    /// At most this many connections of one group.
    max: usize,
    open: Mutex<HashMap<AddressGroup, usize>>,
}

impl AddressTable {
    /// At most so many connections of one group.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            open: Mutex::default(),
        }
    }

    /// Counts a connection of this group, and of the site around it. Returns whether there may be one
    /// more.
    pub(super) fn take(&self, group: AddressGroup) -> Option<bool> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let max_of_site = self.max.saturating_mul(NETWORKS_OF_A_SITE);
        let site = group.site();
        let has_room = |open: &HashMap<_, _>| {
            let counted = |group| open.get(&group).copied().unwrap_or_default();
            counted(group) < self.max && site.is_none_or(|site| counted(site) < max_of_site)
        };
        if !has_room(&open) {
            return None;
        }
        for group in [Some(group), site].into_iter().flatten() {
            *open.entry(group).or_default() += 1;
        }
        Some(has_room(&open))
    }

    pub(super) fn free(&self, group: AddressGroup) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for group in [Some(group), group.site()].into_iter().flatten() {
            if let Some(count) = open.get_mut(&group) {
                *count -= 1;
                if *count == 0 {
                    open.remove(&group);
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.open.lock().is_ok_and(|open| open.is_empty())
    }
}
