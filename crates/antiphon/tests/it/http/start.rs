//! Tests of the start of a server: invalid configurations and addresses, several listeners.

use std::net::TcpListener;

use antiphon::{Profile, Router, ServeError, Server};

use crate::support::test_server::{Log, TestServer};

fn server() -> Server {
    Server::new(Router::new()).bind("127.0.0.1:0")
}

async fn refused(server: Server) -> (ServeError, String) {
    let error = server.listen().await.unwrap_err();
    let text = error.to_string();
    (error, text)
}

#[tokio::test]
async fn a_public_server_starts_only_with_explicit_permission() {
    let public: [fn(Server) -> Server; 7] = [
        |server| server.bind("0.0.0.0:0"),
        |server| server.bind(":0"),
        |server| server.bind("[::]:0"),
        |server| server.profile(Profile::Public),
        |server| server.allow_host("api.example"),
        |server| server.trusted_proxy("127.0.0.1"),
        |server| server.bind("127.0.0.1:0?proxy=true"),
    ];
    for make in public {
        let (error, text) = refused(make(server())).await;
        assert!(matches!(error, ServeError::Public { .. }), "{text}");
        assert!(text.contains("--allow-unauthenticated-public"), "{text}");
        let allowed = make(server()).allow_unauthenticated_public(true);
        assert!(allowed.listen().await.is_ok());
    }
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        assert!(server().allow_host(host).listen().await.is_ok(), "{host}");
    }
}

#[tokio::test]
async fn hosts_and_origins_that_no_request_has_are_refused() {
    for origin in [
        "null",
        "",
        "*",
        "app.example",
        "https://app.example/page",
        "https://*.app.example",
        "https://user@app.example",
    ] {
        let (error, text) = refused(server().allow_origin(origin)).await;
        assert!(matches!(error, ServeError::BadSetting(_)), "{text}");
        assert!(text.contains(&format!("{origin:?}")), "{text}");
    }
    for host in [
        "",
        "*",
        "*.example",
        "https://api.example",
        "api.example/",
        "a@b",
    ] {
        let public = server().allow_unauthenticated_public(true);
        let (error, text) = refused(public.allow_host(host)).await;
        assert!(matches!(error, ServeError::BadSetting(_)), "{text}");
        assert!(text.contains(&format!("{host:?}")), "{text}");
    }
    let fine = server().allow_origin("HTTPS://App.example:443/");
    assert!(fine.listen().await.is_ok());
}

#[tokio::test]
async fn proxies_that_cannot_be_meant_are_refused() {
    for proxy in ["", "localhost", "10.0.0.1/8", "0.0.0.0/0", "10.0.0.0/8,x"] {
        let public = server().allow_unauthenticated_public(true);
        let (error, text) = refused(public.trusted_proxy(proxy)).await;
        assert!(matches!(error, ServeError::BadSetting(_)), "{text}");
        assert!(text.contains("trusted-proxy"), "{text}");
    }
}

/// Sets one limit to zero.
type Zero = fn(&mut antiphon::Settings);

#[tokio::test]
async fn limits_that_let_nothing_pass_are_refused() {
    let zeros: [(&str, Zero); 7] = [
        ("max-connections", |settings| settings.max_connections = 0),
        ("max-connections-per-ip", |settings| {
            settings.max_connections_per_ip = 0;
        }),
        ("max-request", |settings| settings.max_request = 0),
        ("max-request-memory", |settings| {
            settings.max_request_memory = 0;
        }),
        ("max-headers", |settings| settings.max_headers = 0),
        ("max-header-size", |settings| settings.max_header_size = 0),
        ("max-streams", |settings| settings.max_streams = 0),
    ];
    for (name, change) in zeros {
        let (error, text) = refused(server().configure(change)).await;
        assert!(matches!(error, ServeError::BadSetting(_)), "{text}");
        assert!(text.starts_with(&format!("`{name}` cannot be 0")), "{text}");
    }
}

#[tokio::test]
async fn the_error_names_an_address_that_is_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (error, text) = refused(Server::new(Router::new()).bind(&address)).await;
    assert!(matches!(error, ServeError::Bind { .. }), "{text}");
    assert!(text.contains(&address), "{text}");
}

#[tokio::test]
async fn the_error_names_an_invalid_address() {
    for address in [
        "",
        "localhost",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:http",
        "::1",
        "ftp://localhost:1",
        "https://localhost:1",
        "http://localhost:1/path",
        "local host:1",
        ":x",
    ] {
        let (error, text) = refused(Server::new(Router::new()).bind(address)).await;
        assert!(
            matches!(error, ServeError::BadAddress { .. }),
            "{address}: {text}"
        );
        assert!(text.contains(&format!("{address:?}")), "{text}");
    }
}

#[tokio::test]
async fn invalid_routes_are_refused() {
    let (error, _) = refused(Server::builder().bind("127.0.0.1:0")).await;
    assert!(matches!(error, ServeError::NoRoute));
    for path in ["", "a", "/"] {
        let (error, text) = refused(server().route(path, Router::new())).await;
        assert!(matches!(error, ServeError::BadPath(_)), "{text}");
    }
    let twice = Router::new().method_fn("a", || 1).method_fn("a", || 2);
    let (error, text) = refused(Server::new(twice).bind("127.0.0.1:0")).await;
    assert!(matches!(error, ServeError::Router(_)), "{text}");
    assert!(text.contains("\"a\""), "{text}");
}

#[tokio::test]
async fn several_addresses_and_existing_listeners_are_served_together() {
    let adopted = TcpListener::bind("127.0.0.1:0").unwrap();
    let its_address = adopted.local_addr().unwrap();
    let log = Log::default();
    let router = crate::support::test_server::router(&log);
    let listening = Server::new(router)
        .listener(adopted)
        .bind("127.0.0.1:0,http://127.0.0.1:0/")
        .bind("localhost:0")
        .listen()
        .await
        .unwrap();
    let addresses = listening.addresses().to_vec();
    assert_eq!(addresses.len(), 4);
    assert_eq!(addresses.first(), Some(&its_address));
    let handle = listening.handle();
    let serving = tokio::spawn(listening.serve());
    for address in addresses {
        let mut http1 = crate::support::http1::Http1::connect(address).await;
        assert_eq!(http1.call("1", "add", "[1,2]").await["result"], 3);
    }
    handle.stop();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_may_build_its_router_at_start_and_fail() {
    let log = Log::default();
    let methods = log.clone();
    let lazy = Server::lazy(async move || {
        tokio::task::yield_now().await;
        Ok::<_, std::io::Error>(crate::support::test_server::router(&methods))
    });
    let server = TestServer::of(lazy, log).await;
    server.answers_others().await;
    let failing = Server::lazy(async || Err(std::io::Error::other("no database")));
    let (error, text) = refused(failing.bind("127.0.0.1:0")).await;
    assert!(matches!(error, ServeError::Lazy(_)));
    assert!(text.contains("no database"), "{text}");
}
