//! Tests of the HTTP server over sockets, with HTTP/1 and HTTP/2.

mod answers;
mod behind_proxy;
mod body;
mod calls;
mod desync;
mod event_source;
mod events;
mod forms;
mod grammar;
mod guard;
mod head;
mod http2;
mod keep_alive;
mod layers;
mod mounted;
#[cfg(target_os = "linux")]
mod nginx;
mod pages;
mod proxies;
mod proxy_protocol;
mod room;
mod routes;
mod start;
mod stop;
mod time;
mod two_way;
