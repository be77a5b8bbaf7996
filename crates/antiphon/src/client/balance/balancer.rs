//! Choice of an upstream: the one with the least in flight, and those that are left out for a while.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::health::{Health, Policy, Verdict};
use super::status::UpstreamStatus;

/// Chooses among upstreams, which it knows by their index.
pub(in crate::client) struct Balancer {
    members: Box<[Member]>,
    policy: Policy,
    /// Where the next search begins, so that upstreams with as much in flight take turns.
    turn: AtomicUsize,
    /// Whether checks find out if an upstream is back, so that no call has to.
    is_checked: AtomicBool,
}

/// One upstream.
struct Member {
    /// Its name in errors, in the log and in its status.
    place: Box<str>,
    /// Whether it can be subscribed to.
    streams: bool,
    in_flight: AtomicUsize,
    /// How often it was chosen, and how often that has failed.
    calls: AtomicU64,
    failed: AtomicU64,
    health: Mutex<Health>,
    /// Tells calls that may run twice that a check has found it silent.
    silent: Notify,
}

impl Member {
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Balancer {
    /// `places` are the names of the upstreams, and whether they can be subscribed to.
    pub(super) fn new(places: impl Iterator<Item = (Box<str>, bool)>, policy: Policy) -> Self {
        let member = |(place, streams)| Member {
            place,
            streams,
            in_flight: AtomicUsize::new(0),
            calls: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            silent: Notify::new(),
            health: Mutex::default(),
        };
        Self {
            members: places.map(member).collect(),
            policy,
            turn: AtomicUsize::new(0),
            is_checked: AtomicBool::new(false),
        }
    }

    /// Sets whether checks find out if an upstream is back.
    pub(super) fn set_checked(&self, yes: bool) {
        self.is_checked.store(yes, Ordering::Relaxed);
    }

    /// Chooses this upstream, for a check of it.
    pub(super) fn pick_for_check(&self, index: usize) -> Option<Pick<'_>> {
        let member = self.members.get(index)?;
        let is_probe = {
            let mut health = member.health();
            let is_probe = !health.is_up() && !health.is_probed();
            if is_probe {
                health.probe();
            }
            is_probe
        };
        member.in_flight.fetch_add(1, Ordering::Relaxed);
        Some(self.picked(index, member, is_probe, true))
    }

    /// Completes when a check finds this upstream silent while another one is up.
    pub(super) async fn silent(&self, index: usize) {
        let Some(member) = self.members.get(index) else {
            return std::future::pending().await;
        };
        loop {
            let silent = member.silent.notified();
            silent.await;
            let is_other_up =
                |(at, member): (usize, &Member)| at != index && member.health().is_up();
            if self.members.iter().enumerate().any(is_other_up) {
                return;
            }
        }
    }

    /// The pause before another attempt, after so many that have failed at all upstreams.
    pub(in crate::client) fn pause(&self, attempt: u32) -> Duration {
        self.policy.pause(attempt)
    }

    /// Chooses an upstream that is not in `tried`; with `streams` only one that can be subscribed to.
    ///
    /// One whose pause is over comes first, since a single call has to try it out. If all are left
    /// out, it is the one whose pause ends first: to try is better than to fail unasked.
    pub(super) fn pick(&self, tried: &[usize], streams: bool) -> Option<Pick<'_>> {
        let now = Instant::now();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.members.len();
        let is_checked = self.is_checked.load(Ordering::Relaxed);
        let (mut least, mut soonest) = (None, None);
        for step in 0..count {
            let index = turn.wrapping_add(step) % count;
            let Some(member) = self.members.get(index) else {
                continue;
            };
            if tried.contains(&index) || (streams && !member.streams) {
                continue;
            }
            let mut health = member.health();
            if !is_checked && health.is_due(now) {
                health.probe();
                return Some(self.begin(index, member, true));
            }
            let in_flight = member.in_flight.load(Ordering::Relaxed);
            match health.until() {
                None if least.is_none_or(|(_, held)| in_flight < held) => {
                    least = Some((index, in_flight));
                }
                Some(until) if soonest.is_none_or(|(_, other)| until < other) => {
                    soonest = Some((index, until));
                }
                _ => {}
            }
        }
        let chosen = least.map(|(index, _)| index);
        let index = chosen.or(soonest.map(|(index, _)| index))?;
        Some(self.begin(index, self.members.get(index)?, false))
    }

    fn begin<'a>(&'a self, index: usize, member: &'a Member, is_probe: bool) -> Pick<'a> {
        member.in_flight.fetch_add(1, Ordering::Relaxed);
        member.calls.fetch_add(1, Ordering::Relaxed);
        self.picked(index, member, is_probe, false)
    }

    fn picked<'a>(
        &'a self,
        index: usize,
        member: &'a Member,
        is_probe: bool,
        is_check: bool,
    ) -> Pick<'a> {
        Pick {
            policy: &self.policy,
            member,
            index,
            is_probe,
            is_check,
            verdict: Verdict::Nothing,
        }
    }

    /// What is known of each upstream.
    pub(super) fn status(&self) -> Vec<UpstreamStatus> {
        let status = |member: &Member| {
            let health = member.health();
            UpstreamStatus {
                place: member.place.to_string(),
                is_up: health.is_up(),
                in_flight: member.in_flight.load(Ordering::Relaxed),
                failures: health.failures(),
                calls: member.calls.load(Ordering::Relaxed),
                failed: member.failed.load(Ordering::Relaxed),
            }
        };
        self.members.iter().map(status).collect()
    }
}

/// An upstream that was chosen for a call, until that is over.
pub(super) struct Pick<'a> {
    policy: &'a Policy,
    member: &'a Member,
    pub(super) index: usize,
    is_probe: bool,
    is_check: bool,
    verdict: Verdict,
}

impl Pick<'_> {
    /// The call is over, and has told this.
    pub(super) fn end(mut self, verdict: Verdict) {
        self.verdict = verdict;
    }
}

impl Drop for Pick<'_> {
    fn drop(&mut self) {
        let member = self.member;
        member.in_flight.fetch_sub(1, Ordering::Relaxed);
        let (noted, is_up) = {
            let mut health = member.health();
            let noted = health.note(self.verdict, self.is_probe, self.policy, Instant::now());
            (noted, health.is_up())
        };
        if matches!(self.verdict, Verdict::Failed | Verdict::Down) && !self.is_check {
            member.failed.fetch_add(1, Ordering::Relaxed);
        }
        // Also if a call has found out first, or another one has come up since.
        let is_bad = !matches!(self.verdict, Verdict::Well | Verdict::Nothing);
        if self.is_check && is_bad && !is_up {
            member.silent.notify_waiters();
        }
        match noted {
            Some(true) => tracing::info!("the upstream {} is up again", member.place),
            Some(false) => tracing::warn!("the upstream {} is left out for a while", member.place),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balancer(count: usize) -> Balancer {
        let policy = Policy {
            max_failures: 1,
            first_pause: Duration::from_secs(1),
            max_pause: Duration::from_secs(1),
        };
        let places = (0..count).map(|index| (index.to_string().into(), index > 0));
        Balancer::new(places, policy)
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_with_the_least_in_flight_is_chosen() {
        let balancer = balancer(3);
        let mut held: Vec<_> = (0..9).filter_map(|_| balancer.pick(&[], false)).collect();
        let counts = || {
            balancer
                .status()
                .iter()
                .map(|s| s.in_flight)
                .collect::<Vec<_>>()
        };
        assert_eq!(counts(), [3, 3, 3]);
        held.retain(|pick| pick.index != 1);
        for _ in 0..3 {
            let pick = balancer.pick(&[], false).unwrap();
            assert_eq!(pick.index, 1);
            held.push(pick);
        }
        for (tried, streams, expected) in [
            (&[0, 1][..], false, Some(2)),
            (&[1, 2], true, None),
            (&[0, 1, 2], false, None),
        ] {
            let found = balancer.pick(tried, streams).map(|pick| pick.index);
            assert_eq!(found, expected, "{tried:?} {streams}");
        }
        drop(held);
        assert_eq!(counts(), [0, 0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_failed_is_tried_by_a_single_call_when_its_pause_is_over() {
        let balancer = balancer(2);
        balancer.pick(&[1], false).unwrap().end(Verdict::Failed);
        for _ in 0..5 {
            assert_eq!(balancer.pick(&[], false).unwrap().index, 1);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        let probe = balancer.pick(&[], false).unwrap();
        assert_eq!(probe.index, 0);
        assert_eq!(balancer.pick(&[], false).unwrap().index, 1);
        // A call that was dropped tells nothing, so the next one tries again.
        drop(probe);
        let probe = balancer.pick(&[], false).unwrap();
        assert_eq!(probe.index, 0);
        probe.end(Verdict::Well);
        assert!(balancer.status().iter().all(|status| status.is_up));
    }

    #[tokio::test(start_paused = true)]
    async fn if_all_are_left_out_the_first_to_come_back_is_tried() {
        let balancer = balancer(2);
        balancer.pick(&[1], false).unwrap().end(Verdict::Down);
        tokio::time::advance(Duration::from_millis(1)).await;
        balancer.pick(&[0], false).unwrap().end(Verdict::Down);
        assert!(balancer.status().iter().all(|status| !status.is_up));
        assert!(balancer.pick(&[], false).is_some());
    }
}
