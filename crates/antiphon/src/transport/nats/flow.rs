//! Flow of a session's messages through a broker: parts of a limited size, numbered and acknowledged.
//!
//! Each side says how many bytes it has taken, and the other one sends only so many more. So what waits is
//! bounded on the way, as in the buffers of a socket.

use bytes::Bytes;

/// How many bytes may be on their way in one direction.
pub(super) const WINDOW: u64 = 512 * 1024;

/// The most bytes of a message in one part.
const LARGEST_PART: usize = 64 * 1024;

/// What a part counts beside its bytes, so that the number of parts is bounded, too.
const OVERHEAD: u64 = 256;

/// A piece of a message, or a whole one.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Part {
    pub(super) number: u64,
    /// Whether more parts of the same message follow.
    pub(super) more: bool,
    pub(super) text: Bytes,
}

impl Part {
    fn cost(&self) -> u64 {
        cost(self.text.len())
    }
}

fn cost(bytes: usize) -> u64 {
    u64::try_from(bytes)
        .unwrap_or(u64::MAX)
        .saturating_add(OVERHEAD)
}

/// The direction to the peer.
pub(super) struct Outflow {
    /// What is left of the message that is being sent.
    rest: Bytes,
    next: u64,
    sent: u64,
    taken: u64,
    /// The most bytes in a part.
    largest: usize,
}

impl Outflow {
    /// For messages of the broker with no more than `max_payload` bytes, of which `room` are for headers.
    pub(super) fn new(max_payload: usize, room: usize) -> Self {
        Self {
            rest: Bytes::new(),
            next: 1,
            sent: 0,
            taken: 0,
            largest: max_payload.saturating_sub(room).clamp(1, LARGEST_PART),
        }
    }

    /// Whether another message may be begun.
    pub(super) fn has_room(&self) -> bool {
        self.rest.is_empty() && self.is_open()
    }

    fn is_open(&self) -> bool {
        self.sent - self.taken < WINDOW
    }

    /// Begins a message. Its parts are taken with [`next`](Self::next).
    pub(super) fn begin(&mut self, text: Bytes) {
        self.rest = text;
    }

    /// The next part that may be sent.
    pub(super) fn next(&mut self) -> Option<Part> {
        if self.rest.is_empty() || !self.is_open() {
            return None;
        }
        let text = self.rest.split_to(self.largest.min(self.rest.len()));
        let part = Part {
            number: self.next,
            more: !self.rest.is_empty(),
            text,
        };
        self.next += 1;
        self.sent += part.cost();
        Some(part)
    }

    /// The peer says how much it has taken in all.
    pub(super) fn acknowledge(&mut self, taken: u64) {
        if taken <= self.sent {
            self.taken = self.taken.max(taken);
        }
    }
}

/// Why a session cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Breach {
    /// A part is missing.
    Missing,
    /// The peer sends more than it may.
    Flood,
    /// A message is too long.
    TooLong,
}

/// The direction from the peer.
pub(super) struct Inflow {
    /// What has come of a message.
    partial: Vec<u8>,
    next: u64,
    received: u64,
    /// What the peer was told.
    told: u64,
    /// The most bytes in a message.
    max: usize,
}

impl Inflow {
    pub(super) fn new(max: usize) -> Self {
        Self {
            partial: Vec::new(),
            next: 1,
            received: 0,
            told: 0,
            max,
        }
    }

    /// Takes a part. Returns a message that is whole now.
    ///
    /// # Errors
    ///
    /// If the session cannot go on.
    pub(super) fn take(&mut self, part: Part) -> Result<Option<Vec<u8>>, Breach> {
        if part.number != self.next {
            return Err(Breach::Missing);
        }
        // A peer may begin its last part just before the window is closed.
        if self.received - self.told > WINDOW {
            return Err(Breach::Flood);
        }
        if part.text.len() > self.max - self.partial.len() {
            return Err(Breach::TooLong);
        }
        self.next += 1;
        self.received = self.received.saturating_add(part.cost());
        if self.partial.is_empty() && !part.more {
            return Ok(Some(part.text.into()));
        }
        self.partial.extend_from_slice(&part.text);
        Ok((!part.more).then(|| std::mem::take(&mut self.partial)))
    }

    /// Bytes of a message that is not whole.
    pub(super) fn partial(&self) -> usize {
        self.partial.len()
    }

    /// Whether so much was taken that the peer should be told soon.
    pub(super) fn is_due(&self) -> bool {
        self.received - self.told >= WINDOW / 2
    }

    /// How much was taken. From here on, the peer knows.
    pub(super) fn tell(&mut self) -> u64 {
        self.told = self.received;
        self.told
    }

    /// What the peer was told last.
    pub(super) fn told(&self) -> u64 {
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(flow: &mut Outflow) -> Vec<Part> {
        std::iter::from_fn(|| flow.next()).collect()
    }

    #[test]
    fn messages_of_any_size_arrive_as_they_were() {
        let check = |max_payload: usize, sizes: &[usize]| {
            let mut out = Outflow::new(max_payload, 256);
            let mut inflow = Inflow::new(1 << 30);
            for (index, &size) in sizes.iter().enumerate() {
                let fill = u8::try_from(index).unwrap();
                let text = Bytes::from(vec![fill; size]);
                let mut whole = None;
                assert!(out.has_room());
                out.begin(text.clone());
                while whole.is_none() {
                    for part in parts(&mut out) {
                        assert!(part.text.len() <= max_payload - 256);
                        whole = inflow.take(part).unwrap();
                    }
                    out.acknowledge(inflow.tell());
                }
                assert_eq!(whole.unwrap(), text);
            }
        };
        check(1024 * 1024, &[1, 100, 64 * 1024, 64 * 1024 + 1, 10_000_000]);
        check(1024, &[1, 768, 769, 100_000]);
    }

    #[test]
    fn what_is_not_taken_is_not_followed() {
        let mut out = Outflow::new(1024 * 1024, 256);
        out.begin(vec![0; 2_000_000].into());
        let sent = parts(&mut out);
        let cost = sent.iter().map(Part::cost).sum::<u64>();
        assert!((WINDOW..WINDOW + 65 * 1024).contains(&cost), "{cost}");
        assert!(!out.has_room());
        // More than was sent cannot have been taken.
        out.acknowledge(u64::MAX);
        assert_eq!(parts(&mut out), []);
        out.acknowledge(cost);
        assert!(!parts(&mut out).is_empty());
        let mut small = Outflow::new(1024 * 1024, 256);
        let mut messages = 0;
        while small.has_room() {
            small.begin(Bytes::from_static(b"x"));
            messages += parts(&mut small).len();
        }
        assert_eq!(messages, 2041);
    }

    #[test]
    fn a_peer_that_breaks_the_rules_is_found_out() {
        fn check(parts: &[(u64, bool, usize)], expected: Result<usize, Breach>) {
            let mut inflow = Inflow::new(100_000);
            let mut whole = Ok(0);
            for &(number, more, size) in parts {
                let text = vec![0; size].into();
                let part = Part { number, more, text };
                match inflow.take(part) {
                    Ok(message) => whole = Ok(message.map_or(0, |message| message.len())),
                    Err(breach) => whole = Err(breach),
                }
            }
            assert_eq!(whole, expected, "{parts:?}");
        }
        check(&[(1, false, 100)], Ok(100));
        check(&[(1, true, 100), (2, false, 1)], Ok(101));
        check(&[(2, false, 100)], Err(Breach::Missing));
        check(&[(1, false, 100), (1, false, 100)], Err(Breach::Missing));
        check(&[(1, false, 100_001)], Err(Breach::TooLong));
        check(
            &[(1, true, 60_000), (2, true, 40_001)],
            Err(Breach::TooLong),
        );
        let flood: Vec<_> = (1..=12).map(|number| (number, false, 60_000)).collect();
        check(&flood[..9], Ok(60_000));
        check(&flood[..10], Err(Breach::Flood));
    }

    #[test]
    fn a_peer_is_told_when_half_of_the_window_was_taken() {
        let mut inflow = Inflow::new(1 << 20);
        for number in 1..=4 {
            assert!(!inflow.is_due());
            let text = vec![0; 65_536].into();
            let more = false;
            inflow.take(Part { number, more, text }).unwrap();
        }
        assert!(inflow.is_due());
        assert_eq!(inflow.tell(), 4 * (65_536 + 256));
        assert!(!inflow.is_due());
    }
}
