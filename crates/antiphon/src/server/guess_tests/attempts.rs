//! Attempts with good and bad credentials, and what is answered.

use super::*;
const ONE: From = From::Address("192.0.2.1");
const OTHER: From = From::Address("192.0.2.2");

/// A client with many calls at once has its token refused as often before it fetches another one.
#[tokio::test(start_paused = true)]
async fn what_has_only_expired_is_no_guess() {
    for way in WAYS {
        let server = Guarded::new();
        for _ in 0..300 {
            let answer = server.tries(way, ONE, "expired").await;
            assert_eq!(answer, Answer::Refused, "{way:?}");
        }
        let renewed = server.tries(way, ONE, "good, as long as it lasts").await;
        assert_eq!(renewed, Answer::Good, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_guesses_is_refused_unheard_over_every_transport() {
    for way in WAYS {
        let server = Guarded::new();
        for guess in 0..100 {
            let answer = server.tries(way, ONE, &format!("guess {guess}")).await;
            assert_eq!(answer, Answer::Refused, "{way:?} {guess}");
        }
        assert_eq!(server.asked(), 100);
        for other in WAYS {
            for token in [
                "guess",
                "good, as long as it lasts",
                "good, as long as it lasts",
            ] {
                let answer = server.tries(other, ONE, token).await;
                assert_eq!(answer, Answer::Limited(100), "{way:?} {other:?}");
            }
        }
        assert_eq!(server.asked(), 100, "{way:?}");
        // Nobody else loses anything.
        for other in WAYS {
            assert_eq!(
                server
                    .tries(other, OTHER, "good, as long as it lasts")
                    .await,
                Answer::Good
            );
            assert_eq!(server.tries(other, OTHER, "guess").await, Answer::Refused);
        }
        advance(Duration::from_millis(100)).await;
        assert_eq!(server.tries(way, ONE, "guess").await, Answer::Refused);
        assert_eq!(server.tries(way, ONE, "guess").await, Answer::Limited(100));
        advance(Duration::from_secs(1)).await;
        assert_eq!(
            server.tries(way, ONE, "good, as long as it lasts").await,
            Answer::Good
        );
    }
}

#[tokio::test(start_paused = true)]
async fn good_tokens_go_on_beside_a_guesser_at_the_same_address() {
    for way in WAYS {
        let server = Guarded::new();
        for round in 0..50 {
            assert_eq!(server.tries(way, ONE, "guess").await, Answer::Refused);
            assert_eq!(server.tries(way, ONE, "guess").await, Answer::Refused);
            let answer = server
                .tries(way, ONE, &format!("good, as long as it lasts {round}"))
                .await;
            // The last one comes when the limit is used up.
            let expected = match round {
                49 => Answer::Limited(100),
                _ => Answer::Good,
            };
            assert_eq!(answer, expected, "{way:?} {round}");
        }
        for round in 0..49 {
            for other in WAYS {
                let answer = server
                    .tries(other, ONE, &format!("good, as long as it lasts {round}"))
                    .await;
                assert_eq!(answer, Answer::Good, "{way:?} {other:?} {round}");
            }
        }
        assert_eq!(server.tries(way, ONE, "guess").await, Answer::Limited(100));
    }
}

#[tokio::test(start_paused = true)]
async fn the_address_is_that_of_the_client_behind_a_trusted_proxy() {
    for way in [Way::Http1, Way::Http2, Way::Handshake] {
        let server = Guarded::new();
        for from in [From::Proxy("192.0.2.1"), From::Proxy("2001:db8:1:2::1")] {
            for _ in 0..100 {
                assert_eq!(server.tries(way, from, "guess").await, Answer::Refused);
            }
            assert_eq!(server.tries(way, from, "guess").await, Answer::Limited(100));
        }
        for (from, limited) in [
            // What a client writes itself stands to the left.
            (From::Proxy("192.0.2.9, 192.0.2.1"), true),
            (ONE, true),
            (From::Proxy("192.0.2.2"), false),
            (From::Proxy("2001:db8:1:2:9::9"), true),
            (From::Proxy("2001:db8:1:3::1"), false),
            (From::Address(PROXY), false),
        ] {
            let answer = server.tries(way, from, "guess").await;
            assert_eq!(matches!(answer, Answer::Limited(_)), limited, "{way:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_unix_socket_has_no_address_and_no_limit() {
    for way in WAYS {
        let server = Guarded::new();
        for _ in 0..300 {
            assert_eq!(
                server.tries(way, From::Unix, "guess").await,
                Answer::Refused
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_has_to_wait_does_not_end() {
    let server = Guarded::new();
    let mut session = server.session(ONE);
    for _ in 0..4 {
        assert_eq!(authenticates(&mut session, "guess").await, Answer::Refused);
    }
    for _ in 4..100 {
        server.tries(Way::Http1, ONE, "guess").await;
    }
    for _ in 0..20 {
        let answer = authenticates(&mut session, "good, as long as it lasts").await;
        assert_eq!(answer, Answer::Limited(100));
    }
    advance(Duration::from_millis(100)).await;
    assert_eq!(
        authenticates(&mut session, "good, as long as it lasts").await,
        Answer::Good
    );
}

#[tokio::test(start_paused = true)]
async fn those_who_present_nothing_are_refused_only_beside_guesses_in_other_fields() {
    let server = Guarded::new();
    let key = |value: &str| server.http1(Way::Http1, ONE, ("x-api-key", value.to_owned()));
    let nothing = || server.http1(Way::Http1, ONE, ("x-other", "1".to_owned()));
    for _ in 0..200 {
        server.tries(Way::Http1, ONE, "guess").await;
        assert_eq!(nothing().await, Answer::Good);
    }
    for _ in 0..100 {
        assert_eq!(key("guess").await, Answer::Refused);
    }
    let asked = server.asked();
    assert_eq!(key("guess").await, Answer::Limited(100));
    assert_eq!(key("good, as long as it lasts").await, Answer::Limited(100));
    assert_eq!(nothing().await, Answer::Limited(100));
    assert_eq!(server.asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn certificates_that_are_refused_count_when_a_connection_begins() {
    let server = Guarded::new();
    let raw = server.app.setup(&server.settings).raw.unwrap();
    let begins = async |address: &str, certificate: &str| {
        let address = Some(SocketAddr::new(address.parse().unwrap(), 7));
        let proof = PeerCredentials {
            certificate: Some(certificate.as_bytes().into()),
            unix: None,
        };
        let (client, memory) = (address.into(), Account::unlimited());
        let connection = Connection::proven(Transport::Tcp, address, client, proof, memory);
        raw.identify(&connection).await.is_some()
    };
    for connection in 0..100 {
        assert!(!begins("192.0.2.1", "wrong").await);
        if connection == 50 {
            assert!(begins("192.0.2.1", "good, as long as it lasts").await);
        }
    }
    let asked = server.asked();
    assert!(!begins("192.0.2.1", "good, and new as long as it lasts").await);
    assert!(!begins("192.0.2.1", "wrong").await);
    assert_eq!(server.asked(), asked);
    assert!(begins("192.0.2.1", "good, as long as it lasts").await);
    assert!(begins("192.0.2.2", "good, and new as long as it lasts").await);
    // Tokens have a limit of their own.
    assert_eq!(
        server
            .tries(Way::Session, ONE, "good, as long as it lasts")
            .await,
        Answer::Good
    );
}

#[tokio::test(start_paused = true)]
async fn a_reload_forgets_no_guesses() {
    let mut server = Guarded::new();
    for _ in 0..100 {
        server.tries(Way::Http1, ONE, "guess").await;
    }
    // A setup of its own is made for each connection here; this one has other settings.
    server.settings.trusted_proxies.clear();
    for way in WAYS {
        assert_eq!(server.tries(way, ONE, "guess").await, Answer::Limited(100));
    }
}
