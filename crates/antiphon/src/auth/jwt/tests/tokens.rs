//! Tests of tokens that are taken or refused, and of what is remembered.

use serde_json::json;

use super::*;
use crate::address::client_address::ClientAddress;
use crate::identity::{Authenticators, Identity};

const ALGORITHMS: [&str; 13] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
    "ES384", "EdDSA", "none",
];

#[tokio::test]
async fn the_type_of_a_key_decides_which_algorithms_it_verifies() {
    let secret = b"0123456789abcdef0123456789abcdef".to_vec();
    let secret_keys = JwtKeys::secret(&secret).unwrap();
    let issuers = [
        (
            Issuer::rsa(),
            &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..],
        ),
        (Issuer::p256(), &["ES256"]),
        (Issuer::p384(), &["ES384"]),
        (Issuer::ed(), &["EdDSA"]),
        (Issuer::Secret(secret), &["HS256", "HS384", "HS512"]),
    ];
    for (issuer, fitting) in &issuers {
        let sources = match issuer {
            Issuer::Secret(_) => vec![secret_keys.clone()],
            issuer => vec![
                JwtKeys::text(&issuer.pem()).unwrap(),
                JwtKeys::text(&jwks(&[issuer.jwk("k")])).unwrap(),
            ],
        };
        for keys in sources {
            let jwt = jwt(keys);
            for alg in ALGORITHMS {
                let found = outcome(&jwt, &issuer.token(alg, &claims())).await;
                assert_eq!(found == "alice", fitting.contains(&alg), "{alg}: {found}");
            }
        }
    }
}

#[tokio::test]
async fn authenticators_of_two_issuers_and_audiences_share_keys_and_nothing_else() {
    let issuer = Issuer::ed();
    let keys = JwtKeys::text(&issuer.pem()).unwrap();
    let [first, admin] =
        ["calculator", "admin"].map(|audience| Jwt::new(ISSUER, audience, keys.clone()));
    let other = Jwt::new("https://other.example/", "calculator", keys);
    let token = issuer.token("EdDSA", &claims());
    for _ in 0..2 {
        assert_eq!(outcome(&first, &token).await, "alice");
        // The token is remembered, but not for these.
        assert!(outcome(&admin, &token).await.contains("audience"));
        assert_eq!(outcome(&other, &token).await, "none");
    }
    let token = issuer.token(
        "EdDSA",
        &claims_with(json!({"iss": "https://other.example/"})),
    );
    let mut both = Authenticators::default();
    both.push(first);
    both.push(other);
    let credentials = Credentials::of_token(&token);
    let found = both.authenticate(&credentials, || ClientAddress::None);
    let found = found.await;
    assert_eq!(found.unwrap().unwrap().subject(), "alice");
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    for issuer in [Issuer::rsa(), Issuer::p256(), Issuer::ed()] {
        let jwt = jwt(JwtKeys::text(&issuer.pem()).unwrap());
        let [spki, pem] = [issuer.spki(), issuer.pem().into_bytes()];
        let trimmed = issuer.pem().trim_end().as_bytes().to_vec();
        for secret in [spki, pem, trimmed, Vec::new()] {
            let forger = Issuer::Secret(secret);
            for alg in ["HS256", "HS384", "HS512"] {
                let found = outcome(&jwt, &forger.token(alg, &claims())).await;
                assert!(found.starts_with("a token whose"), "{alg}: {found}");
            }
        }
    }
    // A secret in a JWKS document is not taken, and a short one nowhere.
    let secret = Issuer::Secret(vec![7; 64]);
    assert!(JwtKeys::text(&jwks(&[secret.jwk("k")])).is_err());
    assert!(JwtKeys::secret(&[7; 31]).is_err());
}

#[tokio::test]
async fn claims_are_required_and_checked() {
    let issuer = Issuer::ed();
    let jwt = jwt(JwtKeys::text(&issuer.pem()).unwrap());
    for (changes, expected) in [
        (json!({}), "alice"),
        (json!({"exp": now() - 20}), "alice"),
        (json!({"exp": now() - 40}), "a token that has expired"),
        (json!({"exp": 0}), "a token that has expired"),
        (json!({"exp": -1}), "without"),
        (json!({"exp": null}), "without"),
        (json!({"exp": "9999999999"}), "without"),
        (json!({"exp": 1.0e300}), "without"),
        (json!({"exp": u64::MAX}), "a token whose expiry is no time"),
        (json!({"exp": now() as f64 + 60.5}), "alice"),
        (json!({"nbf": now() + 20}), "alice"),
        (json!({"nbf": now() + 40}), "a token that is not valid yet"),
        (json!({"nbf": "x"}), "a token that cannot be read"),
        (json!({"aud": "other"}), "a token for another audience"),
        (json!({"aud": ["other", "calculator"]}), "alice"),
        (json!({"aud": ["other"]}), "a token for another audience"),
        (json!({"aud": []}), "a token for another audience"),
        (json!({"aud": ""}), "a token for another audience"),
        (json!({"aud": null}), "without"),
        (json!({"aud": {"calculator": 1}}), "without"),
        (json!({"iss": "https://other.example/"}), "none"),
        (json!({"iss": "https://issuer.example"}), "none"),
        (json!({"iss": [ISSUER]}), "a token of another issuer"),
        (json!({"iss": null}), "without"),
        (json!({"sub": null}), "without"),
        (json!({"sub": ""}), "a token whose subject cannot be used"),
        (json!({"sub": 7}), "without"),
        (
            json!({"sub": "a\nb"}),
            "a token whose subject cannot be used",
        ),
        (
            json!({"sub": "x".repeat(1025)}),
            "a token whose subject cannot be used",
        ),
    ] {
        let found = outcome(&jwt, &issuer.token("EdDSA", &claims_with(changes.clone()))).await;
        assert!(found.contains(expected), "{changes}: {found}");
    }
}

#[tokio::test]
async fn scopes_and_claims_of_a_token_are_those_of_the_identity() {
    let issuer = Issuer::ed();
    let jwt = jwt(JwtKeys::text(&issuer.pem()).unwrap());
    for (changes, expected) in [
        (json!({}), ""),
        (json!({"scope": "a b:c"}), "a b:c"),
        (json!({"scope": " a  b "}), "a b"),
        (json!({"scp": "a b"}), "a b"),
        (json!({"scp": ["a", "b c", 7, "d"]}), "a d"),
        (json!({"scope": "a", "scp": ["b"]}), "a b"),
        (json!({"scope": {"a": 1}, "scp": 7}), ""),
        (json!({"scope": "a\"b c"}), "c"),
    ] {
        let mut claims = claims_with(changes.clone());
        claims["tenant"] = json!({"id": 7});
        let token = issuer.token("EdDSA", &claims);
        // The second time it is remembered.
        for _ in 0..2 {
            let found = jwt.authenticate(&Credentials::of_token(&token)).await;
            let identity = found.unwrap().unwrap();
            let scopes: Vec<_> = identity.scopes().collect();
            assert_eq!(scopes.join(" "), expected, "{changes}");
            assert_eq!(identity.claim("tenant"), Some(&json!({"id": 7})));
            assert_eq!(identity.claim("iss"), Some(&json!(ISSUER)));
            for taken in ["sub", "exp", "scope", "scp"] {
                assert_eq!(identity.claim(taken), None);
            }
            let end = identity
                .expires_at()
                .unwrap()
                .duration_since(UNIX_EPOCH)
                .unwrap();
            assert!((now() + 620..now() + 640).contains(&end.as_secs()));
        }
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let issuer = Issuer::rsa();
    let jwt = jwt(JwtKeys::text(&issuer.pem()).unwrap());
    let good = issuer.token("RS256", &claims());
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        unreachable!()
    };
    let none = base64url(br#"{"alg":"none"}"#);
    let critical = json!({"alg": "RS256", "crit": ["x"], "x": 1});
    let deep = format!("{{\"alg\":\"RS256\",\"x\":{}", "[".repeat(5000));
    let other = Issuer::rsa();
    for (token, expected) in [
        (good.clone(), "alice"),
        (format!("{header}.{payload}."), "a token"),
        (format!("{none}.{payload}."), "a token whose header"),
        (
            format!("{none}.{payload}.{signature}"),
            "a token whose header",
        ),
        (good[..good.len() - 1].to_owned(), "a token"),
        (format!("{good}A"), "a token"),
        (
            format!(
                "{header}.{}.{signature}",
                base64url(claims_with(json!({"sub": "root"})).to_string().as_bytes())
            ),
            "a token that was not signed",
        ),
        (
            other.token("RS256", &claims()),
            "a token that was not signed",
        ),
        (
            issuer.token_with(&critical, &claims()),
            "a token that cannot be read",
        ),
        (
            issuer.token("RS256", &json!([1])),
            "a token that cannot be read",
        ),
        (
            issuer.token("RS256", &json!("x")),
            "a token that cannot be read",
        ),
        (
            format!("{}.{payload}.{signature}", base64url(deep.as_bytes())),
            "a token whose header",
        ),
        ("..".to_owned(), "a token whose header"),
        ("a.b.c".to_owned(), "a token whose header"),
        ("é.é.é".to_owned(), "a token whose header"),
        ("no-token".to_owned(), "none"),
        ("a.b".to_owned(), "none"),
        ("a.b.c.d".to_owned(), "none"),
        ("x".repeat(16 * 1024 + 1), "a token of more than 16 KiB"),
        ("a.".repeat(500_000), "a token of more than 16 KiB"),
    ] {
        let found = outcome(&jwt, &token).await;
        assert!(found.starts_with(expected), "{expected}: {found}");
        // A refused token is not remembered.
        assert_eq!(outcome(&jwt, &token).await, found);
    }
    let basic = jwt.authenticate(&Credentials::default()).await;
    assert!(basic.unwrap().is_none());
    let keys = JwtKeys::secret(&[b'x'; 32]).unwrap();
    assert_eq!(format!("{keys:?}"), "JwtKeys(…)");
    assert!(!format!("{jwt:?}").contains("BEGIN"));
}

#[tokio::test]
async fn a_key_is_found_by_its_name_or_by_its_algorithm() {
    let (one, two, ed) = (Issuer::rsa(), Issuer::rsa(), Issuer::ed());
    let keys = jwks(&[
        one.jwk("one"),
        two.jwk("two"),
        ed.jwk("ed"),
        json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "no"}),
        json!({"kty": "RSA", "use": "enc", "n": "AA", "e": "AQAB", "kid": "enc"}),
        json!(7),
    ]);
    let jwt = jwt(JwtKeys::text(&keys).unwrap());
    let named = |kid: &str, alg: &str| json!({"alg": alg, "kid": kid});
    for (issuer, header, expected) in [
        (&one, named("one", "RS256"), "alice"),
        (&two, named("two", "PS512"), "alice"),
        (&two, named("one", "RS256"), "a token that was not signed"),
        (
            &one,
            named("three", "RS256"),
            "a token whose key is not known",
        ),
        (
            &one,
            named("enc", "RS256"),
            "a token whose key is not known",
        ),
        (
            &ed,
            named("one", "EdDSA"),
            "a token whose algorithm no key fits",
        ),
        (&ed, json!({"alg": "EdDSA"}), "alice"),
        (
            &one,
            json!({"alg": "RS256"}),
            "a token whose algorithm no key fits",
        ),
        (
            &ed,
            json!({"alg": "ES256"}),
            "a token whose key is not known",
        ),
    ] {
        let found = outcome(&jwt, &issuer.token_with(&header, &claims())).await;
        assert!(found.starts_with(expected), "{header}: {found}");
    }
    // A key that says which algorithm it is for verifies no other; a key without a name has all names.
    let mut strict = one.jwk("one");
    strict["alg"] = "RS512".into();
    let pem = super::jwt(JwtKeys::text(&one.pem()).unwrap());
    let strict = super::jwt(JwtKeys::text(&jwks(&[strict])).unwrap());
    let header = named("one", "RS512");
    assert_eq!(
        outcome(&strict, &one.token_with(&header, &claims())).await,
        "alice"
    );
    assert_eq!(
        outcome(&pem, &one.token_with(&header, &claims())).await,
        "alice"
    );
    let header = named("one", "RS256");
    assert_ne!(
        outcome(&strict, &one.token_with(&header, &claims())).await,
        "alice"
    );
}

#[test]
fn documents_without_a_key_are_refused() {
    let many: Vec<_> = vec![Issuer::ed().jwk("k"); 101];
    for text in [
        "",
        "{}",
        "{\"keys\": {}}",
        "{\"keys\": []}",
        "{\"keys\": [{\"kty\": \"RSA\"}]}",
        "{\"keys\": [{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"AAAA\"}]}",
        "[",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "S3CR3T",
        &jwks(&many),
    ] {
        let error = JwtKeys::text(text).unwrap_err().to_string();
        assert!(!error.contains("S3CR3T"), "{error}");
    }
}

#[tokio::test]
async fn tokens_are_remembered_within_bounds_and_not_beyond_their_key() {
    let path = std::env::temp_dir().join(format!("antiphon-jwks-{}", std::process::id()));
    let (old, new) = (Issuer::ed(), Issuer::ed());
    std::fs::write(&path, old.pem()).unwrap();
    let keys = JwtKeys::file(&path).unwrap();
    let jwt = jwt(keys.clone());
    let remembered = async || {
        let verified = keys.get(None, jsonwebtoken::Algorithm::EdDSA).await;
        verified.unwrap().len()
    };
    let first = old.token("EdDSA", &claims());
    for number in 0..10_100 {
        let token = old.token("EdDSA", &claims_with(json!({"jti": number})));
        assert_eq!(outcome(&jwt, &token).await, "alice");
        assert_eq!(outcome(&jwt, &first).await, "alice");
        // Another signature: none of these is remembered.
        let forged = format!(
            "{}.{}",
            &token[..token.rfind('.').unwrap()],
            &first[first.rfind('.').unwrap() + 1..]
        );
        if number % 100 == 0 {
            assert!(
                outcome(&jwt, &forged)
                    .await
                    .starts_with("a token that was not signed")
            );
        }
        assert!(remembered().await <= 10_000);
    }
    assert!(remembered().await >= 5_000);
    // A file that was not changed forgets nothing, a wrong one is not taken.
    jwt.reload().unwrap();
    std::fs::write(&path, "rubbish").unwrap();
    assert!(jwt.reload().is_err());
    assert!(remembered().await >= 5_000);
    std::fs::write(&path, new.pem()).unwrap();
    jwt.reload().unwrap();
    assert_eq!(remembered().await, 0);
    assert!(
        outcome(&jwt, &first)
            .await
            .starts_with("a token that was not signed")
    );
    assert_eq!(outcome(&jwt, &new.token("EdDSA", &claims())).await, "alice");
    std::fs::remove_file(path).unwrap();
}

/// Otherwise guesses at signatures would not count to the limit of refused credentials.
#[tokio::test]
async fn that_a_token_has_expired_is_told_of_signed_ones_only() {
    let (ours, other) = (Issuer::ed(), Issuer::ed());
    let jwt = jwt(JwtKeys::text(&ours.pem()).unwrap());
    let mut claims = claims();
    claims["exp"] = json!(now() - 40);
    let expired = ours.token("EdDSA", &claims);
    assert_eq!(outcome(&jwt, &expired).await, "a token that has expired");
    let forged = other.token("EdDSA", &claims);
    let expected = "a token that was not signed with the key";
    assert_eq!(outcome(&jwt, &forged).await, expected);
}

#[tokio::test]
async fn a_remembered_token_ends_in_time() {
    let issuer = Issuer::ed();
    let jwt = jwt(JwtKeys::text(&issuer.pem()).unwrap());
    // Within the leeway for one or two more seconds.
    let token = issuer.token("EdDSA", &claims_with(json!({"exp": now() - 28})));
    assert_eq!(outcome(&jwt, &token).await, "alice");
    let found: Option<Identity> = jwt
        .authenticate(&Credentials::of_token(&token))
        .await
        .unwrap();
    while !found.as_ref().unwrap().is_expired() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(outcome(&jwt, &token).await, "a token that has expired");
}
