//! No token in a log, whatever its level.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon::client::Client;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use super::{Good, LONG, start};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The WebSocket library uses the crate `log`, for which this is the only logger.
struct OfLibraries;

static LIBRARIES: Mutex<String> = Mutex::new(String::new());

impl log::Log for OfLibraries {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = record.args().to_string();
        // Other tests run at the same time.
        if line.contains("S3CR3T") || line.contains("x-secrecy") {
            LIBRARIES.lock().unwrap().push_str(&line);
        }
    }

    fn flush(&self) {}
}

#[tokio::test]
async fn nothing_writes_a_token_to_a_log() {
    let _ = log::set_logger(&OfLibraries);
    log::set_max_level(log::LevelFilter::Trace);
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    for (token, accepted) in [("S3CR3T", true), ("S3CR3T-wrong", false)] {
        for bind in ["http://127.0.0.1:0", "tcp://127.0.0.1:0"] {
            let (url, serving) = start(&Good::of(&["S3CR3T"]), LONG, bind).await;
            let mut urls = vec![url.clone()];
            if url.starts_with("http") {
                urls.push(url.replacen("http", "ws", 1));
            }
            for url in urls {
                for http2 in [false, true] {
                    let builder = Client::builder(&url).header("x-secrecy", "1");
                    let builder = builder.http2_prior_knowledge(http2);
                    let builder = builder.timeout(Duration::from_secs(10));
                    let client = builder.bearer(token).build().unwrap();
                    let answer = client.call::<Value>("one", ()).await;
                    assert_eq!(answer.is_ok(), accepted, "{url} {answer:?}");
                    if let Err(error) = answer {
                        assert!(!format!("{error} {error:?}").contains("S3CR3T"));
                    }
                    assert!(!format!("{client:?}").contains("S3CR3T"));
                }
            }
            drop(serving);
        }
    }
    let lines = String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned();
    let told: Vec<_> = lines
        .lines()
        .filter(|line| line.contains("S3CR3T"))
        .collect();
    assert!(told.is_empty(), "{told:?}");
    assert!(lines.contains("connected to"), "nothing was captured");
    let libraries = LIBRARIES.lock().unwrap();
    assert!(libraries.contains("x-secrecy"), "nothing was captured");
    assert!(!libraries.contains("S3CR3T"), "{libraries}");
}
