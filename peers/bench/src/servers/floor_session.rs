//! Floor of sessions: the cost of a WebSocket or newline connection without any logic. One loop per
//! connection reads everything available, answers each message, and flushes once before it waits
//! for more.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};

use futures_util::{Sink, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::Failure;
use crate::cases::Case;
use crate::messages;

/// Size of the read buffer in bytes.
const READ_BUFFER: usize = 4 * 1024;

/// Upgrades every connection to a WebSocket and answers on it.
pub(super) async fn serve_ws(listener: TcpListener, case: Case) -> Result<(), Failure> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer_frames(stream, case));
    }
}

/// Answers each line with a line.
pub(super) async fn serve_lines(listener: TcpListener, case: Case) -> Result<(), Failure> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer_lines(stream, case));
    }
}

async fn answer_frames(stream: TcpStream, case: Case) -> Result<(), Failure> {
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    poll_fn(|cx| {
        loop {
            let mut socket = Pin::new(&mut socket);
            // Backpressure: stop reading while the client does not take its responses.
            ready!(socket.as_mut().poll_ready(cx))?;
            match socket.as_mut().poll_next(cx) {
                Poll::Ready(Some(message)) => {
                    if let Message::Text(request) = message? {
                        let answer = messages::floor_answer(case, request.as_bytes());
                        socket.start_send(Message::text(answer))?;
                    }
                }
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    ready!(socket.poll_flush(cx))?;
                    return Poll::Pending;
                }
            }
        }
    })
    .await
}

async fn answer_lines(mut stream: TcpStream, case: Case) -> Result<(), Failure> {
    let mut received = Vec::with_capacity(READ_BUFFER);
    let mut answers = Vec::new();
    while stream.read_buf(&mut received).await? > 0 {
        let mut used = 0;
        while let Some(length) = received[used..].iter().position(|&byte| byte == b'\n') {
            let request = &received[used..used + length];
            answers.extend_from_slice(messages::floor_answer(case, request).as_bytes());
            answers.push(b'\n');
            used += length + 1;
        }
        received.drain(..used);
        received.reserve(1);
        stream.write_all(&answers).await?;
        answers.clear();
    }
    Ok(())
}
