//! Tests of connections over HTTP/1: one call at a time on each.

use std::sync::Arc;

use antiphon::client::{Client, ErrorKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::{Numbered, RIGHT, answer_all, answer_one, builder, call, client, events, settle};
use crate::client_support::{read_request, wire};

/// The server's end of a connection whose client has closed it.
async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn the_connection_that_was_used_last_is_used_again() {
    let (told, mut hears) = events();
    let gate = Arc::new(Semaphore::new(0));
    let closed = Arc::clone(&gate);
    let server = Numbered::serve(move |number, mut stream| {
        let (told, gate) = (told.clone(), Arc::clone(&closed));
        async move {
            loop {
                read_request(&mut stream).await?;
                told.send(number).unwrap();
                gate.acquire().await.unwrap().forget();
                stream.write_all(wire("200 OK", RIGHT).as_bytes()).await?;
            }
        }
    })
    .await;
    let client = client(server.address);
    let calls: Vec<_> = (0..3)
        .map(|_| tokio::spawn(client.call::<String>("m", ()).into_future()))
        .collect();
    for _ in 0..3 {
        hears.recv().await.unwrap();
    }
    gate.add_permits(3);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(server.connections(), 3);
    let mut used = Vec::new();
    for _ in 0..5 {
        gate.add_permits(1);
        call(&client).await;
        used.push(hears.recv().await.unwrap());
    }
    assert!(used.iter().all(|number| *number == used[0]), "{used:?}");
    assert_eq!(server.connections(), 3);
}

/// What a server does with its first connection after the first response, and how many connections
/// two calls need.
#[tokio::test]
async fn a_connection_is_used_again_only_if_the_server_keeps_it_open_and_silent() {
    let whole = wire("200 OK", RIGHT);
    let chunked = |rest| {
        let length = RIGHT.len();
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{RIGHT}\r\n{rest}"
        )
    };
    let old = whole.replacen("HTTP/1.1", "HTTP/1.0", 1);
    // Name, first response, whether the server closes the connection behind it, connections.
    let table = [
        ("kept open", whole.clone(), false, 1),
        ("chunked", chunked("0\r\n\r\n"), false, 1),
        (
            "chunked with a trailer",
            chunked("0\r\nA: b\r\n\r\n"),
            false,
            1,
        ),
        ("closed", whole.clone(), true, 2),
        (
            "to be closed",
            wire("200 OK\r\nConnection: close", RIGHT),
            false,
            2,
        ),
        ("of HTTP/1.0", old, false, 2),
        (
            "until its end",
            format!("HTTP/1.1 200 OK\r\n\r\n{RIGHT}"),
            true,
            2,
        ),
        ("two responses", whole.repeat(2), false, 2),
        ("garbage behind", format!("{whole}x"), false, 2),
    ];
    for (name, first, closes, expected) in table {
        let (told, mut hears) = events();
        let server = Numbered::serve(move |number, mut stream| {
            let (first, told) = (first.clone(), told.clone());
            async move {
                if number == 0 {
                    read_request(&mut stream).await?;
                    stream.write_all(first.as_bytes()).await?;
                    if closes {
                        drop(stream);
                        return told.send(()).map_err(std::io::Error::other);
                    }
                    told.send(()).unwrap();
                }
                answer_all(&mut stream).await
            }
        })
        .await;
        let client = client(server.address);
        call(&client).await;
        hears.recv().await.unwrap();
        settle().await;
        call(&client).await;
        assert_eq!(server.connections(), expected, "{name}");
    }
}

#[tokio::test]
async fn a_connection_whose_response_was_not_read_to_its_end_is_closed() {
    let (told, mut hears) = events();
    let server = Numbered::serve(move |number, mut stream| {
        let told = told.clone();
        async move {
            if number > 0 {
                return answer_all(&mut stream).await;
            }
            read_request(&mut stream).await?;
            // Its end does not come.
            let long = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";
            stream.write_all(long.as_bytes()).await?;
            told.send(is_closed(&mut stream).await).unwrap();
            Ok(())
        }
    })
    .await;
    let client = builder(server.address).max_response(100).build().unwrap();
    let error = client.call::<String>("m", ()).await.unwrap_err();
    assert!(error.is_invalid_answer(), "{error}");
    assert!(hears.recv().await.unwrap());
    call(&client).await;
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_call_that_was_sent_is_not_sent_again() {
    let server = Numbered::serve(|_, mut stream| async move {
        read_request(&mut stream).await?;
        Ok(())
    })
    .await;
    let error = client(server.address).call::<String>("m", ()).await;
    let error = error.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unknown), "{error}");
    assert_eq!(server.connections(), 1);

    // Over a connection that was used before, too.
    let server = Numbered::serve(|_, mut stream| async move {
        answer_one(&mut stream, "200 OK").await?;
        read_request(&mut stream).await?;
        Ok(())
    })
    .await;
    let client = client(server.address);
    call(&client).await;
    let error = client.call::<String>("m", ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unknown), "{error}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn after_many_closed_connections_a_call_opens_a_new_one() {
    let barrier = Arc::new(tokio::sync::Barrier::new(20));
    let (told, mut hears) = events();
    let server = Numbered::serve(move |number, mut stream| {
        let (barrier, told) = (Arc::clone(&barrier), told.clone());
        async move {
            if number >= 20 {
                return answer_all(&mut stream).await;
            }
            read_request(&mut stream).await?;
            barrier.wait().await;
            stream.write_all(wire("200 OK", RIGHT).as_bytes()).await?;
            drop(stream);
            told.send(()).map_err(std::io::Error::other)
        }
    })
    .await;
    let client = client(server.address);
    let calls: Vec<_> = (0..20)
        .map(|_| tokio::spawn(client.call::<String>("m", ()).into_future()))
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
        hears.recv().await.unwrap();
    }
    settle().await;
    call(&client).await;
    assert_eq!(server.connections(), 21);
}

#[tokio::test]
async fn a_dropped_call_takes_its_connection_with_it() {
    let (told, mut hears) = events();
    let server = Numbered::serve(move |number, mut stream| {
        let told = told.clone();
        async move {
            if number > 0 {
                return answer_all(&mut stream).await;
            }
            read_request(&mut stream).await?;
            // Half a response.
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n{")
                .await?;
            told.send(false).unwrap();
            told.send(is_closed(&mut stream).await).unwrap();
            Ok(())
        }
    })
    .await;
    let client = client(server.address);
    let mut dropped = Box::pin(client.call::<String>("m", ()).into_future());
    tokio::select! {
        outcome = &mut dropped => panic!("{outcome:?}"),
        told = hears.recv() => assert_eq!(told, Some(false)),
    }
    let _ = futures_util::poll!(&mut dropped);
    drop(dropped);
    assert_eq!(hears.recv().await, Some(true));
    call(&client).await;
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn idle_connections_end_with_the_last_clone_of_the_client() {
    let (told, mut hears) = events();
    let server = Numbered::serve(move |_, mut stream| {
        let told = told.clone();
        async move {
            answer_one(&mut stream, "200 OK").await?;
            told.send(is_closed(&mut stream).await).unwrap();
            Ok(())
        }
    })
    .await;
    let client = client(server.address);
    let clone = client.namespace("n");
    call(&client).await;
    drop(client);
    settle().await;
    assert!(hears.try_recv().is_err());
    drop(clone);
    assert!(hears.recv().await.unwrap());
}

/// No more connections than requests are allowed at the same time; who waits is served in order.
#[tokio::test]
async fn connections_are_limited_and_calls_wait_in_order() {
    let (told, mut hears) = events();
    let gate = Arc::new(Semaphore::new(0));
    let opens = Arc::clone(&gate);
    let server = Numbered::serve(move |_, mut stream| {
        let (told, gate) = (told.clone(), Arc::clone(&opens));
        async move {
            loop {
                let request = read_request(&mut stream).await?;
                let (_, method) = request.split_once("\"method\":\"").unwrap();
                told.send(method.split('"').next().unwrap().to_owned())
                    .unwrap();
                gate.acquire().await.unwrap().forget();
                stream.write_all(wire("200 OK", RIGHT).as_bytes()).await?;
            }
        }
    })
    .await;
    let client = builder(server.address).max_in_flight(2).build().unwrap();
    let mut calls = Vec::new();
    let mut order = Vec::new();
    for n in 0..8 {
        let call = client.call::<String>(&format!("m{n}"), ()).into_future();
        calls.push(tokio::spawn(call));
        if n < 2 {
            order.push(hears.recv().await.unwrap());
        }
        // The task has to wait before the next one does.
        tokio::task::yield_now().await;
    }
    assert!(hears.try_recv().is_err());
    for _ in 2..8 {
        gate.add_permits(1);
        order.push(hears.recv().await.unwrap());
    }
    gate.add_permits(2);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(order, ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7"]);
    assert_eq!(server.connections(), 2);
}

/// `localhost` often has an address of each family, and the server listens on one of them.
#[tokio::test]
async fn the_addresses_of_a_name_are_all_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move { answer_all(&mut stream).await });
        }
    });
    let url = format!("http://localhost:{}", address.port());
    let client = Client::builder(url)
        .id_generator(|| 1.into())
        .build()
        .unwrap();
    call(&client).await;
}

#[tokio::test]
async fn a_host_header_of_the_user_is_sent_instead() {
    for (own, expected) in [(None, "127.0.0.1"), (Some("a.example"), "a.example")] {
        let (told, mut hears) = events();
        let server = Numbered::serve(move |_, mut stream| {
            let told = told.clone();
            async move {
                let request = read_request(&mut stream).await?;
                told.send(request).unwrap();
                stream.write_all(wire("200 OK", RIGHT).as_bytes()).await
            }
        })
        .await;
        let mut builder = builder(server.address);
        if let Some(own) = own {
            builder = builder.header("host", own);
        }
        call(&builder.build().unwrap()).await;
        let request = hears.recv().await.unwrap().to_ascii_lowercase();
        let lines: Vec<_> = request
            .lines()
            .filter(|line| line.starts_with("host:"))
            .collect();
        let port = if own.is_none() {
            format!(":{}", server.address.port())
        } else {
            String::new()
        };
        assert_eq!(lines, [format!("host: {expected}{port}")]);
        // Nothing is sent empty: without a timeout there is no header for it.
        assert!(!request.contains("rpc-timeout-ms"), "{request}");
        assert!(!request.contains("authorization"), "{request}");
    }
}
