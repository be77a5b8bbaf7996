//! Polling of streams by the loop.
//!
//! A stream that is pending rings with its key, and the loop polls that one alone. Its item goes to the
//! wire at once, unless others are queued before it or the wire is full.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use super::event_loop::Session;
use super::streams::WRITE_AHEAD;
use super::wire::Wire;
use crate::memory_budget::{FREE, Payload};
use crate::session_state::{Offered, Taken};

/// The most items of a topic that a subscriber gets before it is another one's turn.
const AT_ONCE: usize = 16;

/// The most keys for which memory is kept.
const KEPT: usize = 64;

impl<W: Wire> Session<W> {
    /// Polls the streams that were woken, at most `left` times.
    pub(super) fn poll_streams(&mut self, left: &mut usize, cx: &Context<'_>) {
        self.streams.arrive();
        // Also if there are no streams: one that was dropped may still ring.
        self.handle.take_woken(&mut self.streams.ready);
        if self.streams.ready.is_empty() && self.streams.waiting.is_empty() {
            return;
        }
        let streams = &mut self.streams;
        if !streams.waiting.is_empty() {
            streams.ready.extend(streams.waiting.drain(..));
        }
        while let Some(key) = self.streams.ready.pop_front() {
            // Whoever sends without end must not starve other tasks, nor the writing of what there is.
            if *left == 0 || !tokio::task::coop::has_budget_remaining() {
                self.streams.ready.push_front(key);
                cx.waker().wake_by_ref();
                return;
            }
            *left -= 1;
            self.poll_stream(key);
        }
        if self.streams.ready.capacity() > KEPT {
            self.streams.ready = VecDeque::new();
        }
    }

    /// Writes what a topic has for a subscriber, while the wire has room for it. The rest waits in the
    /// topic, where it is shared.
    fn take_items(&mut self, key: u64) {
        let mut message = Payload::from(std::mem::take(&mut self.scratch));
        for left in (0..AT_ONCE).rev() {
            if self.strained || self.wire.unwritten() >= WRITE_AHEAD {
                self.streams.waiting.push(key);
                break;
            }
            let Some(source) = self.streams.sources.get_mut(&key) else {
                break;
            };
            let taken = source.take(&mut message);
            let seq = source.made();
            match taken {
                Taken::None => break,
                Taken::Item { more, .. } => {
                    if !self.handle.writes(key, seq) {
                        drop(self.streams.sources.remove(&key));
                        break;
                    }
                    self.send(&mut message);
                    if !more {
                        break;
                    }
                }
                Taken::Start => {
                    if !self.handle.writes(key, seq) {
                        drop(self.streams.sources.remove(&key));
                        break;
                    }
                    self.send(&mut message);
                }
                Taken::Dropped => {}
                Taken::Over(ending) => {
                    self.handle.end_queue(source, &ending);
                    drop(self.streams.sources.remove(&key));
                    break;
                }
            }
            if left == 0 {
                self.streams.ready.push_back(key);
            }
        }
        if message.text.capacity() <= FREE {
            message.text.clear();
            self.scratch = message.text;
        }
    }

    fn poll_stream(&mut self, key: u64) {
        let source = self.streams.sources.get(&key);
        if source.is_some_and(|source| source.is_of_topic()) {
            return self.take_items(key);
        }
        let has_room = !self.strained && self.wire.unwritten() < WRITE_AHEAD;
        // With room, and nothing queued, a stream can be neither full nor over and still be here.
        if self.items || !has_room {
            match self.handle.poll_queue(key, None) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return drop(self.streams.sources.remove(&key)),
                Poll::Pending => {
                    if self.streams.sources.contains_key(&key) {
                        self.streams.waiting.push(key);
                    }
                    return;
                }
            }
        }
        let Some(source) = self.streams.sources.get_mut(&key) else {
            return;
        };
        let mut message = Payload::from(std::mem::take(&mut self.scratch));
        match source.poll_alarmed(&mut message) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                source.is_awake();
                let seq = source.made();
                match self.handle.offer(key, seq, &mut message, has_room) {
                    Offered::Write => self.send(&mut message),
                    Offered::Queued => self.items = true,
                    Offered::Over => {
                        self.items = true;
                        return drop(self.streams.sources.remove(&key));
                    }
                }
                self.streams.ready.push_back(key);
            }
            Poll::Ready(Err(ending)) => {
                self.handle.end_queue(source, &ending);
                drop(self.streams.sources.remove(&key));
            }
        }
        if message.text.capacity() <= FREE {
            message.text.clear();
            self.scratch = message.text;
        }
    }
}
