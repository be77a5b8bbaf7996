//! Tests of the limit of refused credentials.

use std::net::IpAddr;

use tokio::time::advance;

use super::*;

fn client(text: &str) -> ClientAddress {
    match text {
        "" => ClientAddress::None,
        text => ClientAddress::from(text.parse::<IpAddr>().unwrap()),
    }
}

/// An attempt with a token, which is good if it begins with "good".
fn tries(guesses: &Guesses, from: &str, token: &str) -> Result<Outcome, Duration> {
    let tried = Tried {
        presented: true,
        secret: Some(token.as_bytes()),
    };
    let outcome = match token.starts_with("good") {
        true => Outcome::Known,
        false => Outcome::Refused,
    };
    let attempt = guesses.attempt(tried, || client(from))?;
    attempt.end(outcome);
    Ok(outcome)
}

/// How many guesses are let through.
fn guess(guesses: &Guesses, from: &str, times: usize) -> usize {
    let tries = (0..times).map(|time| tries(guesses, from, &format!("guess {time}")));
    tries.filter(Result::is_ok).count()
}

#[tokio::test(start_paused = true)]
async fn an_address_has_a_hundred_guesses_and_ten_a_second() {
    let guesses = Guesses::default();
    for (from, let_through) in [
        ("192.0.2.1", 100),
        ("::ffff:192.0.2.1", 0),
        ("192.0.2.2", 100),
        // A network, and its site with four times as many.
        ("2001:db8:1:1::1", 100),
        ("2001:db8:1:1:9::9", 0),
        ("2001:db8:1:2::1", 100),
        ("2001:db8:1:3::1", 100),
        ("2001:db8:1:4::1", 100),
        ("2001:db8:1:5::1", 0),
        ("2001:db8:2:1::1", 100),
        ("127.0.0.1", 100),
        ("", 1000),
    ] {
        assert_eq!(guess(&guesses, from, 1000), let_through, "{from}");
    }
    for _ in 0..20 {
        let wait = tries(&guesses, "192.0.2.1", "guess");
        assert_eq!(wait.err(), Some(Duration::from_millis(100)));
        advance(Duration::from_millis(100)).await;
        assert_eq!(guess(&guesses, "192.0.2.1", 10), 1);
    }
    // A new network of a site waits for the site, which has 40 a second.
    assert_eq!(guess(&guesses, "2001:db8:1:6::1", 1000), 80);
    advance(Duration::from_secs(10)).await;
    assert_eq!(guess(&guesses, "192.0.2.1", 1000), 100);
}

#[tokio::test(start_paused = true)]
async fn good_credentials_cost_nothing_and_are_remembered_only_beside_refused_ones() {
    let (guesses, from) = (Guesses::default(), "192.0.2.1");
    let good = |token: &str| tries(&guesses, from, token).is_ok();
    for _ in 0..1000 {
        assert!(good("good a"));
    }
    assert_eq!(guess(&guesses, from, 50), 50);
    // Beside them good ones take nothing of the limit.
    for _ in 0..1000 {
        assert!(good("good b"));
    }
    assert_eq!(guess(&guesses, from, 1000), 50);
    for _ in 0..1000 {
        assert!(good("good b"));
        assert!(!good("good a") && !good("good c") && !good("guess 7"));
    }
    // The next credit is for who comes first.
    advance(Duration::from_millis(100)).await;
    assert!(good("good c"));
    assert!(good("good a"));
    assert_eq!(guess(&guesses, from, 10), 1);
    assert!(good("good a") && good("good b") && good("good c") && !good("good d"));
    // When nobody guesses any more, all is as it was.
    advance(Duration::from_secs(10)).await;
    assert!(good("good d"));
    assert_eq!(guesses.paid(Kind::Presented).load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn good_credentials_that_are_good_no_more_are_guesses_like_others() {
    let (guesses, from) = (Guesses::default(), "192.0.2.1");
    assert_eq!(guess(&guesses, from, 99), 99);
    assert!(tries(&guesses, from, "good a").is_ok());
    assert_eq!(guess(&guesses, from, 1000), 1);
    let attempt = |outcome| {
        let tried = Tried {
            presented: true,
            secret: Some(b"good a"),
        };
        let attempt = guesses.attempt(tried, || client(from));
        attempt.map(|attempt| attempt.end(outcome)).err()
    };
    assert_eq!(attempt(Outcome::Open), None);
    assert_eq!(attempt(Outcome::Refused), None);
    // It has counted, so the wait is longer.
    assert_eq!(attempt(Outcome::Known), Some(Duration::from_millis(200)));
}

#[tokio::test(start_paused = true)]
async fn guesses_that_began_together_all_count() {
    let (guesses, from) = (Guesses::default(), "192.0.2.1");
    let tried = |secret| Tried {
        presented: true,
        secret: Some(secret),
    };
    let begin = || guesses.attempt(tried(b"guess"), || client(from));
    // Nobody has a debt yet.
    let many: Vec<_> = (0..300).map(|_| begin().ok().unwrap()).collect();
    for attempt in many {
        attempt.end(Outcome::Refused);
    }
    let wait = begin().err();
    assert_eq!(wait, Some(Duration::from_millis(20_100)));
    advance(Duration::from_millis(20_100)).await;
    // With a debt each is charged when it begins.
    let first = begin().ok().unwrap();
    assert!(begin().is_err());
    first.end(Outcome::Open);
    // What is dropped is not given back.
    drop(begin().ok().unwrap());
    assert_eq!(begin().err(), Some(Duration::from_millis(100)));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_other_fields_has_a_limit_of_its_own() {
    let (guesses, from) = (Guesses::default(), "192.0.2.1");
    let other = |secret, outcome| {
        let tried = Tried {
            presented: false,
            secret,
        };
        let attempt = guesses.attempt(tried, || client(from));
        attempt.map(|attempt| attempt.end(outcome)).is_ok()
    };
    assert_eq!(guess(&guesses, from, 1000), 100);
    // Anonymous callers go on beside somebody who guesses tokens,
    for _ in 0..1000 {
        assert!(other(None, Outcome::Open));
    }
    // but not beside somebody who guesses in fields that only an authenticator knows.
    for attempt in 0..200 {
        assert_eq!(other(None, Outcome::Refused), attempt < 100, "{attempt}");
        if attempt == 50 {
            assert!(other(Some(b"certificate"), Outcome::Known));
        }
    }
    assert!(!other(None, Outcome::Open));
    assert!(!other(Some(b"another"), Outcome::Known));
    assert!(other(Some(b"certificate"), Outcome::Known));
}
