//! Table of calls that wait for an answer.
//!
//! Both peers of a connection keep such a table. A client looks up the caller when a response
//! arrives. A server session detects ids that are already in flight, and looks up the call to
//! cancel. The table is plain data: the caller chooses the value stored for each call, and how to
//! wait for it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;
use std::fmt::{self, Debug, Display};

/// Capacity that an empty table keeps. Anything beyond it is released after a burst.
const KEPT: usize = 64;

/// Table of calls of one connection that await a response, by id.
///
/// Ids are compared as JSON text, byte by byte: `"1"` is not `1`, and `1.0` is not `1`. So a
/// response finds its call only if it returns the id unchanged, as JSON-RPC 2.0 §5 demands. The id
/// `null` belongs to responses to unreadable requests, so it never identifies a call.
///
/// Use one table per connection. In a shared table, a response from one peer could complete a call
/// to another peer.
///
/// # Limits
///
/// The table holds at most `max` calls. Every operation takes constant time except
/// [`oldest`](Self::oldest), [`take_all`](Self::take_all) and [`drain`](Self::drain). The hash
/// function has a random key, because on a server the peer chooses the ids and could otherwise
/// cause collisions. Ids are copied without a length limit, which is the task of the parser.
///
/// # Examples
///
/// ```
/// use antiphon_proto::pending::Pending;
///
/// let mut pending = Pending::new(100);
/// pending.insert("1", "the caller of 1")?;
/// pending.insert("2", "the caller of 2")?;
///
/// assert_eq!(pending.take(b"2"), Some("the caller of 2"));
/// assert_eq!(pending.take(b"2"), None); // answered twice, or late
/// assert_eq!(pending.take(b"\"1\""), None); // another id
/// # Ok::<(), antiphon_proto::pending::InsertError<&str>>(())
/// ```
pub struct Pending<T> {
    calls: HashMap<Box<[u8]>, Call<T>>,
    max: usize,
    /// Count of all calls ever inserted, from which each call gets its order.
    inserted: u64,
}

struct Call<T> {
    order: u64,
    value: T,
}

impl<T> Pending<T> {
    /// Creates an empty table for at most `max` calls. It does not allocate yet.
    pub fn new(max: usize) -> Self {
        Self {
            calls: HashMap::new(),
            max,
            inserted: 0,
        }
    }

    /// Inserts a call: `id` is the JSON text of its id, `value` is the value to store.
    ///
    /// # Errors
    ///
    /// Every error returns `value` and leaves the table unchanged.
    ///
    /// - [`InsertError::Null`]: `id` is `null`.
    /// - [`InsertError::Duplicate`]: a call with this id is already in the table.
    /// - [`InsertError::Full`]: `max` calls are in the table.
    pub fn insert(&mut self, id: impl AsRef<[u8]>, value: T) -> Result<(), InsertError<T>> {
        let id = id.as_ref();
        if id == b"null" {
            return Err(InsertError::Null(value));
        }
        let full = self.calls.len() >= self.max;
        if full {
            // Checked before `entry`, which would allocate even for calls that are rejected.
            return Err(match self.calls.contains_key(id) {
                true => InsertError::Duplicate(value),
                false => InsertError::Full(value),
            });
        }
        match self.calls.entry(id.into()) {
            Entry::Occupied(_) => Err(InsertError::Duplicate(value)),
            Entry::Vacant(place) => {
                let order = self.inserted;
                self.inserted += 1;
                place.insert(Call { order, value });
                Ok(())
            }
        }
    }

    /// The value stored for `id`, which stays in the table.
    pub fn get(&self, id: &[u8]) -> Option<&T> {
        self.calls.get(id).map(|call| &call.value)
    }

    /// Removes a call, because its response has arrived or is no longer awaited.
    ///
    /// `None` means that no call with this id awaits a response. Such a response is late, repeated
    /// or made up. It can be ignored, and is no reason to close the connection.
    pub fn take(&mut self, id: &[u8]) -> Option<T> {
        let call = self.calls.remove(id)?;
        if self.calls.is_empty() && self.calls.capacity() > KEPT {
            self.calls.shrink_to(KEPT);
        }
        Some(call.value)
    }

    /// The value of the oldest call in the table. It takes linear time.
    pub fn oldest(&self) -> Option<&T> {
        let oldest = self.calls.values().min_by_key(|call| call.order);
        oldest.map(|call| &call.value)
    }

    /// Removes all calls whose value matches, with their ids, in no particular order.
    pub fn take_all(&mut self, mut fits: impl FnMut(&T) -> bool) -> Vec<(Box<[u8]>, T)> {
        let taken = self.calls.extract_if(|_, call| fits(&call.value));
        taken.map(|(id, call)| (id, call.value)).collect()
    }

    /// The count of calls that await a response.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether no call awaits a response.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The maximum count of calls: the `max` given to [`new`](Self::new).
    pub fn capacity(&self) -> usize {
        self.max
    }

    /// Empties the table and returns the calls with their ids, in insertion order.
    ///
    /// Use it at the end of a connection to notify every call that still awaits a response. The
    /// table is empty at once, even if the iterator is not consumed.
    ///
    /// # Examples
    ///
    /// ```
    /// use antiphon_proto::pending::Pending;
    ///
    /// let mut pending = Pending::new(100);
    /// for id in ["7", "\"a\"", "3"] {
    ///     pending.insert(id, ())?;
    /// }
    /// let ids: Vec<_> = pending.drain().map(|(id, ())| id).collect();
    /// assert_eq!(ids, [&b"7"[..], b"\"a\"", b"3"].map(Box::from));
    /// assert!(pending.is_empty());
    /// # Ok::<(), antiphon_proto::pending::InsertError<()>>(())
    /// ```
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = (Box<[u8]>, T)> + use<T> {
        let calls = std::mem::take(&mut self.calls);
        let mut calls: Vec<_> = calls.into_iter().collect();
        calls.sort_unstable_by_key(|(_, call)| call.order);
        calls.into_iter().map(|(id, call)| (id, call.value))
    }
}

/// Shows only the size of the table: ids and values belong to the peers.
impl<T> Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}

/// Why a call could not be inserted into [`Pending`]. Every variant returns the value.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InsertError<T> {
    /// The table already holds the maximum count of calls.
    Full(T),
    /// A call with this id already awaits a response.
    Duplicate(T),
    /// The id is `null`, which identifies no call.
    Null(T),
}

impl<T> InsertError<T> {
    /// The value that was not inserted.
    pub fn into_value(self) -> T {
        match self {
            Self::Full(value) | Self::Duplicate(value) | Self::Null(value) => value,
        }
    }
}

impl<T> Display for InsertError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "too many calls await an answer",
            Self::Duplicate(_) => "a call with this id already awaits an answer",
            Self::Null(_) => "a call with the id null cannot be matched with its answer",
        })
    }
}

/// Does not require `T: Debug`, and does not show the value.
impl<T> Debug for InsertError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Duplicate(_) => "Duplicate(..)",
            Self::Null(_) => "Null(..)",
        })
    }
}

impl<T> Error for InsertError<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_matched_byte_for_byte() {
        let ids = [
            "1",
            "1.0",
            "-1",
            "1e0",
            "\"1\"",
            "\"\\u0031\"",
            "\"null\"",
            "\"\"",
            "0",
            "-0",
        ];
        let mut pending = Pending::new(ids.len());
        for (value, id) in ids.into_iter().enumerate() {
            assert_eq!(pending.insert(id, value), Ok(()), "{id}");
        }
        for unknown in ["null", "2", "\"1", "1 ", " 1", "", "true"] {
            assert_eq!(pending.take(unknown.as_bytes()), None, "{unknown}");
        }
        for (value, id) in ids.into_iter().enumerate() {
            assert_eq!(pending.get(id.as_bytes()), Some(&value), "{id}");
            assert_eq!(pending.take(id.as_bytes()), Some(value), "{id}");
            assert_eq!(pending.take(id.as_bytes()), None, "{id} a second time");
        }
        assert!(pending.is_empty());
    }

    /// Applies all steps in order to one table for two calls.
    #[test]
    fn inserting() {
        enum Step {
            Insert(&'static str, Result<(), InsertError<u8>>),
            Take(&'static str, Option<u8>),
        }
        use Step::{Insert, Take};
        let table = [
            (Insert("null", Err(InsertError::Null(0))), 0),
            (Insert("1", Ok(())), 1),
            (Insert("1", Err(InsertError::Duplicate(2))), 1),
            (Insert("2", Ok(())), 2),
            (Insert("3", Err(InsertError::Full(4))), 2),
            (Insert("1", Err(InsertError::Duplicate(5))), 2),
            (Insert("null", Err(InsertError::Null(6))), 2),
            (Take("1", Some(1)), 1),
            (Insert("3", Ok(())), 2),
            (Take("2", Some(3)), 1),
            (Take("3", Some(8)), 0),
        ];
        let mut pending = Pending::new(2);
        for (value, (step, len)) in (0..).zip(table) {
            match step {
                Insert(id, outcome) => assert_eq!(pending.insert(id, value), outcome, "{value}"),
                Take(id, outcome) => assert_eq!(pending.take(id.as_bytes()), outcome, "{value}"),
            }
            assert_eq!(
                (pending.len(), pending.is_empty()),
                (len, len == 0),
                "{value}"
            );
            assert_eq!(pending.capacity(), 2);
        }
        assert_eq!(Pending::new(0).insert("1", ()), Err(InsertError::Full(())));
    }

    #[test]
    fn draining_keeps_the_order_of_entry() {
        let mut pending = Pending::new(1_000);
        for value in 0..1_000_u32 {
            pending.insert(value.to_string(), value).unwrap();
        }
        for value in (0..1_000).step_by(3) {
            assert_eq!(pending.take(value.to_string().as_bytes()), Some(value));
        }
        pending.insert("0", 1_000).unwrap();
        let rest = (0..=1_000).filter(|value| value % 3 != 0 || *value == 1_000);
        let drained = pending.drain();
        assert_eq!((pending.len(), pending.capacity()), (0, 1_000));
        assert!(drained.map(|(_, value)| value).eq(rest));
        assert_eq!(pending.insert("1", 1), Ok(()));
    }

    #[test]
    fn the_room_of_a_burst_is_given_back() {
        let mut pending = Pending::new(10_000);
        for round in 0..2 {
            for id in 0..10_000 {
                pending.insert(id.to_string(), ()).unwrap();
            }
            for id in 0..10_000 {
                pending.take(id.to_string().as_bytes()).unwrap();
            }
            assert!(pending.calls.capacity() < 4 * KEPT, "{round}");
        }
    }

    #[test]
    fn the_oldest_and_those_that_fit() {
        let mut pending = Pending::new(10);
        assert_eq!(pending.oldest(), None);
        for id in 0..6_u8 {
            pending.insert(id.to_string(), id).unwrap();
        }
        assert_eq!(pending.oldest(), Some(&0));
        let mut even = pending.take_all(|value| value % 2 == 0);
        even.sort();
        let ids: Vec<_> = even.iter().map(|(id, value)| (&**id, *value)).collect();
        assert_eq!(ids, [(&b"0"[..], 0), (b"2", 2), (b"4", 4)]);
        assert_eq!((pending.oldest(), pending.len()), (Some(&1), 3));
    }

    #[test]
    fn errors_give_the_value_back() {
        let mut pending = Pending::new(1);
        pending.insert("1", "first").unwrap();
        let error = pending.insert("1", "second").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a call with this id already awaits an answer"
        );
        assert_eq!(error.into_value(), "second");
    }
}
