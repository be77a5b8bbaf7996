//! Look-up of host names, with one thread for each name.
//!
//! The system's look-up blocks a thread, and may hang for long. Nobody can interrupt it: a caller that
//! gives up leaves the thread behind. So all who ask for the same name at the same time share one
//! look-up, or a client whose resolver hangs would take all threads of the runtime.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::spawn_blocking;

/// The addresses of a name.
///
/// # Errors
///
/// If it has none, or the runtime of the look-up has ended.
pub(super) async fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    static LOOKUPS: Lookups = Lookups(Mutex::new(None));
    LOOKUPS.find(host, port, ask_system).await
}

fn ask_system(name: &Name) -> io::Result<Vec<SocketAddr>> {
    Ok((name.0.as_str(), name.1).to_socket_addrs()?.collect())
}

type Name = (String, u16);
type Found = Result<Vec<SocketAddr>, (io::ErrorKind, Arc<io::Error>)>;
type Outcome = watch::Receiver<Option<Found>>;

/// The look-ups that are in flight.
struct Lookups(Mutex<Option<HashMap<Name, Outcome>>>);

impl Lookups {
    /// Joins the look-up of this name, or begins one.
    async fn find(
        &'static self,
        host: &str,
        port: u16,
        ask: fn(&Name) -> io::Result<Vec<SocketAddr>>,
    ) -> io::Result<Vec<SocketAddr>> {
        let mut outcome = self.join((host.to_owned(), port), ask);
        let found = match outcome.wait_for(Option::is_some).await {
            Ok(found) => found.clone(),
            Err(_) => None,
        };
        match found {
            Some(Ok(addresses)) => Ok(addresses),
            Some(Err((kind, error))) => Err(io::Error::new(kind, error)),
            None => Err(io::Error::other("the runtime of the look-up has ended")),
        }
    }

    fn join(&'static self, name: Name, ask: fn(&Name) -> io::Result<Vec<SocketAddr>>) -> Outcome {
        let mut lookups = self.lock();
        let all = lookups.get_or_insert_default();
        if let Some(outcome) = all.get(&name)
            && outcome.has_changed().is_ok()
        {
            return outcome.clone();
        }
        let (tell, outcome) = watch::channel(None);
        all.insert(name.clone(), outcome.clone());
        drop(lookups);
        spawn_blocking(move || {
            let found = ask(&name).map_err(|error| (error.kind(), Arc::new(error)));
            // Who asks from now on wants to know it anew.
            self.lock().get_or_insert_default().remove(&name);
            tell.send_replace(Some(found));
        });
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<Name, Outcome>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn all_who_ask_for_a_name_at_the_same_time_share_one_look_up() {
        static LOOKUPS: Lookups = Lookups(Mutex::new(None));
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        static GATE: Mutex<()> = Mutex::new(());
        let ask = |name: &Name| {
            ASKED.fetch_add(1, Ordering::SeqCst);
            drop(GATE.lock());
            match name.0.as_str() {
                "a" => Ok(vec![SocketAddr::from(([127, 0, 0, 1], name.1))]),
                _ => Err(io::Error::from(io::ErrorKind::NotFound)),
            }
        };
        for round in 1..=2 {
            let closed = GATE.lock().unwrap();
            let names = [("a", 1), ("b", 1), ("a", 1), ("a", 2), ("b", 1), ("a", 1)];
            let mut asking: Vec<_> = names
                .iter()
                .map(|(host, port)| Box::pin(LOOKUPS.find(host, *port, ask)))
                .collect();
            let mut cx = Context::from_waker(Waker::noop());
            for one in &mut asking {
                assert!(one.as_mut().poll(&mut cx).is_pending());
            }
            // One that gives up takes nothing from the others.
            drop(asking.remove(0));
            drop(closed);
            for (asking, (host, port)) in asking.into_iter().zip(&names[1..]) {
                match asking.await {
                    Ok(found) => assert_eq!((*host, found[0].port()), ("a", *port)),
                    Err(error) => {
                        assert_eq!((*host, error.kind()), ("b", io::ErrorKind::NotFound));
                    }
                }
            }
            assert_eq!(ASKED.load(Ordering::SeqCst), 3 * round);
        }
    }
}
