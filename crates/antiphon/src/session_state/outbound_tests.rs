//! Calls to the peer: their part in the budgets, and answers that come while a call is dropped.

use std::collections::VecDeque;
use std::sync::{Arc, Barrier};
use std::thread;

use antiphon_proto::{ErrorObject, Id, RawJson};

use super::outbound_calls::{Refused, Waiting};
use super::{Arrivals, CallEnd, InboxSender, NewCall, Received, SessionHandle};
use crate::memory_budget::Account;
use crate::memory_budget::account::Accounts;

/// What a method says to its caller is held for that peer, too.
#[test]
fn a_message_to_the_peer_is_reserved_or_refused() {
    let accounts = Accounts::new(0, 50_000);
    let handle = SessionHandle::new(Arc::default(), &accounts.open(), true);
    let used = || accounts.budgets.responses.used();
    let post = |size: usize| handle.call(Vec::new(), vec![b'x'; size], None).map(|_| ());
    post(4_000).unwrap();
    assert_eq!(used(), 0);
    post(20_000).unwrap();
    assert_eq!(used(), 20_000);
    assert!(matches!(post(20_000), Err(Refused::Exhausted)));
    let mut posted = VecDeque::new();
    handle.fetch(0, &mut posted, &mut Arrivals::default());
    assert_eq!((posted.len(), used()), (2, 20_000));
    drop(posted);
    assert_eq!(used(), 0);
}

/// A call whose answer is about to come.
fn call(handle: &SessionHandle, id: u64) -> Waiting {
    let (mut waiting, _) = handle
        .call(vec![NewCall::from(Id::from(id))], vec![], None)
        .unwrap();
    waiting.pop().unwrap()
}

fn text(length: usize) -> RawJson {
    RawJson::from_value(&"x".repeat(length - 2)).unwrap()
}

/// On a server the answer of a peer is in the budget until the method takes it.
#[tokio::test]
async fn an_answer_is_reserved_or_the_call_fails() {
    let accounts = Accounts::new(100_000, 0);
    let handle = SessionHandle::new(Arc::default(), &accounts.open(), true);
    let used = || accounts.budgets.requests.used();
    let error = |length| ErrorObject::new(1, "x".repeat(length));
    let mut calls = Vec::new();
    for (outcome, message, held, fits) in [
        (Ok(text(4_000)), 4_000, 0, true),
        (Ok(text(20_000)), 20_100, 20_100, true),
        (Err(error(5_000)), 5_100, 25_100, true),
        // It is copied, because it is short.
        (Ok(text(5_000)), 90_000, 30_100, true),
        // The whole message stays.
        (Ok(text(12_000)), 90_000, 30_100, false),
        (Err(error(30_000)), 30_100, 30_100, false),
        (Ok(text(4_000)), 4_000, 30_100, true),
    ] {
        let id = calls.len() as u64;
        calls.push((call(&handle, id), fits));
        let mut message = Received::new(message);
        handle
            .answered(&id.to_string(), outcome, &mut message)
            .unwrap();
        assert_eq!(used(), held, "call {id}");
    }
    // Nobody waits for this one any more.
    drop(calls.remove(1));
    assert_eq!(used(), 10_000);
    for (waiting, fits) in calls {
        match waiting.await {
            CallEnd::Answered(..) => assert!(fits),
            end => assert!(!fits && matches!(end, CallEnd::Exhausted), "{end:?}"),
        }
    }
    assert_eq!(used(), 0);
}

#[tokio::test]
async fn answers_in_one_message_are_reserved_once() {
    let accounts = Accounts::new(100_000, 0);
    let handle = SessionHandle::new(Arc::default(), &accounts.open(), true);
    let mut message = Received::new(40_000);
    let mut calls = Vec::new();
    for id in 0..3 {
        calls.push(call(&handle, id));
        handle
            .answered(&id.to_string(), Ok(text(13_000)), &mut message)
            .unwrap();
    }
    drop(message);
    for waiting in calls {
        assert_eq!(accounts.budgets.requests.used(), 40_000);
        assert!(matches!(waiting.await, CallEnd::Answered(Ok(_), _)));
    }
    assert_eq!(accounts.budgets.requests.used(), 0);
}

/// An error without an id ends all calls of the oldest message, each with a copy.
#[tokio::test]
async fn copies_of_an_error_are_reserved() {
    let accounts = Accounts::new(100_000, 0);
    let handle = SessionHandle::new(Arc::default(), &accounts.open(), true);
    let calls = (0..4).map(|id: u64| NewCall::from(Id::from(id))).collect();
    let (waiting, _) = handle.call(calls, Vec::new(), None).unwrap();
    let error = ErrorObject::new(1, "x".repeat(20_000));
    handle
        .answered("null", Err(error), &mut Received::new(20_100))
        .unwrap();
    assert_eq!(accounts.budgets.requests.used(), 40_000);
    let mut exhausted = 0;
    for waiting in waiting {
        exhausted += usize::from(matches!(waiting.await, CallEnd::Exhausted));
    }
    assert_eq!((exhausted, accounts.budgets.requests.used()), (2, 0));
}

/// Whichever comes first, the response or the drop: the subscription is ended.
#[test]
fn an_answer_and_a_drop_at_the_same_time_leave_no_subscription() {
    for round in 0..5_000 {
        let handle = SessionHandle::new(Arc::default(), &Account::unlimited(), true);
        let (opens, _inbox) = InboxSender::new(1, "unsubscribe");
        let call = NewCall {
            id: 1.into(),
            opens: Some(opens),
            progress: None,
            room: None,
        };
        let (waiting, _) = handle.call(vec![call], Vec::new(), None).unwrap();
        let both = Arc::new(Barrier::new(2));
        let dropper = {
            let both = Arc::clone(&both);
            thread::spawn(move || {
                both.wait();
                drop(waiting);
            })
        };
        let id = RawJson::from_value("s1").unwrap();
        both.wait();
        let mut message = Received::new(id.as_str().len());
        handle.answered("1", Ok(id), &mut message).unwrap();
        dropper.join().unwrap();
        let mut posted = VecDeque::new();
        handle.fetch(1024, &mut posted, &mut Arrivals::default());
        let last = posted.pop_back().unwrap().payload.text;
        let last = String::from_utf8(last).unwrap();
        assert!(last.contains("unsubscribe"), "round {round}: {last}");
        assert!(handle.lock().inboxes.is_empty());
    }
}
