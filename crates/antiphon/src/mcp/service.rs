//! Service: what becomes of each request, before the router sees it.

use std::sync::Arc;

use antiphon_proto::{ErrorCode, ErrorObject, RawJson, Request as Message};
use http::HeaderMap;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::errors::HEADER_MISMATCH;
use super::exchange::{Exchange, Kind};
use super::features::passed_on;
use super::headers;
use super::listen::{Changes, Listening, needs_stream};
use super::negotiation::{short, version_of};
use super::params::{Params, SERVER_INFO, only};
use super::request::Request;
use super::tools::{Filter, ToolCall, ToolList, ToolLists, at_path, by_position};
use super::version::Version;
use crate::call::Reply;
use crate::call_future::{CallFuture, Work};
use crate::call_origin::{Origin, Transport};
use crate::describe::Reader;

/// What a user sets for a server.
pub(super) struct Options {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) instructions: Option<String>,
    pub(super) page: usize,
    pub(super) ttl: u64,
    pub(super) filter: Option<Filter>,
    pub(super) changes: Option<Changes>,
}

/// The protocol's side of a server.
pub(crate) struct Service {
    pub(super) options: Options,
    lists: ToolLists,
}

/// What becomes of a request.
pub(crate) enum Begun {
    /// It is a call of a method of the router.
    Call {
        message: Message,
        exchange: Box<Exchange>,
        request: Arc<Request>,
    },
    /// It is answered here.
    Own {
        message: Message,
        exchange: Box<Exchange>,
        answer: CallFuture,
        /// Whether the answer may take as long as it wants.
        is_endless: bool,
    },
}

impl Service {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            lists: ToolLists::default(),
        }
    }

    /// Reads a request and says what becomes of it.
    pub(crate) fn begin(&self, message: Message, origin: &Origin) -> Begun {
        if message.is_notification() {
            return self.notified(message, origin);
        }
        let text = message.raw_params();
        let text = text.as_ref().map(RawJson::as_str);
        let headers = origin.http.as_ref().map(|head| &head.headers);
        // On a session these are the headers with which it began.
        let headers = headers.filter(|_| origin.connection.transport == Transport::Http);
        let read = Params::read(text).map_err(ErrorObject::invalid_params);
        let negotiated = read.and_then(|params| {
            let version = version_of(&message, &params, headers)?;
            Ok((params, version))
        });
        let (params, version) = match negotiated {
            Ok(negotiated) => negotiated,
            Err(error) => {
                // A client that has said a version it cannot have is one of now.
                let version = Version::V2026_07_28;
                return self.refused(message, version, origin, Kind::Malformed, error);
            }
        };
        let asked = Asked {
            text: text.unwrap_or("{}"),
            params,
            version,
            headers,
            origin,
        };
        match self.answer(&message, &asked) {
            Ok(Next::Own(answer, is_endless)) => {
                let exchange = self.exchange(&asked, Kind::Own, None);
                Begun::Own {
                    message,
                    exchange,
                    answer,
                    is_endless,
                }
            }
            Ok(Next::Call(kind, redirect)) => {
                let request = Request::new(version, &asked.params, message.raw_params());
                let request = Arc::new(request);
                let exchange = self.exchange(&asked, kind, Some(Arc::clone(&request)));
                Begun::Call {
                    message: redirect(message),
                    exchange,
                    request,
                }
            }
            Err(error) => {
                let version = asked.version;
                self.refused(message, version, origin, Kind::Refused, error)
            }
        }
    }

    /// A notification has no answer. The router may have a method for it; a tool does not run.
    fn notified(&self, message: Message, origin: &Origin) -> Begun {
        let version = Version::LATEST_BEFORE;
        let exchange = Box::new(Exchange {
            version,
            server: Value::Null,
            request: None,
            kind: Kind::Own,
            ttl: 0,
        });
        let name = message.method();
        if name.starts_with("notifications/") && origin.common.tree.has(name) {
            let request = Arc::new(Request::new(version, &Params::default(), None));
            return Begun::Call {
                message,
                exchange,
                request,
            };
        }
        Begun::Own {
            message,
            exchange,
            answer: CallFuture::ready(Reply::ok(&())),
            is_endless: false,
        }
    }

    fn refused(
        &self,
        message: Message,
        version: Version,
        origin: &Origin,
        kind: Kind,
        error: ErrorObject,
    ) -> Begun {
        Begun::Own {
            message,
            exchange: Box::new(Exchange {
                version,
                server: self.info(origin),
                request: None,
                kind,
                ttl: 0,
            }),
            answer: CallFuture::ready(Reply::error(error)),
            is_endless: false,
        }
    }

    fn exchange(
        &self,
        asked: &Asked<'_>,
        kind: Kind,
        request: Option<Arc<Request>>,
    ) -> Box<Exchange> {
        Box::new(Exchange {
            version: asked.version,
            server: self.info(asked.origin),
            request,
            kind,
            ttl: 0,
        })
    }

    fn answer(&self, message: &Message, asked: &Asked<'_>) -> Result<Next, ErrorObject> {
        let now = asked.version.is_stateless();
        let method = message.method();
        if let Some(headers) = asked.headers
            && now
        {
            let name = match method {
                "resources/read" => &asked.params.uri,
                _ => &asked.params.name,
            };
            let checked = headers::check(headers, method, name.as_deref());
            checked.map_err(|reason| ErrorObject::new(HEADER_MISMATCH, reason))?;
        }
        let list = self.list(asked.origin.reader(), asked.origin);
        // Nothing is shown to strangers, so a client has to learn that it needs a token.
        if asked.origin.reader().is_anonymous() && list.is_empty() {
            return Err(ErrorObject::of(ErrorCode::UNAUTHENTICATED));
        }
        let tells = self.options.changes.is_some();
        let capabilities = || list.features.capabilities(asked.version, tells);
        let own = |result: Value| Ok(Next::Own(CallFuture::ready(Reply::ok(&result)), false));
        match method {
            "initialize" if !now => {
                let wanted = asked.params.protocol_version.as_deref();
                let version = wanted.and_then(Version::of);
                let version = version.filter(|version| !version.is_stateless());
                let mut result = json!({
                    "protocolVersion": version.unwrap_or(Version::LATEST_BEFORE).name(),
                    "capabilities": capabilities(),
                    "serverInfo": self.info(asked.origin),
                });
                self.instruct(&mut result);
                own(result)
            }
            "ping" if !now => own(json!({})),
            "server/discover" if now => {
                let mut result = json!({
                    "resultType": "complete",
                    "supportedVersions": Version::ALL.map(Version::name),
                    "capabilities": capabilities(),
                    "ttlMs": self.options.ttl,
                    "cacheScope": scope(asked.origin),
                    "_meta": self.meta(asked.origin),
                });
                self.instruct(&mut result);
                own(result)
            }
            "tools/list" => {
                let page = self.page(&list, asked)?;
                Ok(Next::Own(CallFuture::ready(page), false))
            }
            "tools/call" => self.call(asked),
            "subscriptions/listen" if now => Ok(Next::Own(self.listen(message, asked), true)),
            name => match passed_on(name, asked.version) {
                Some(passed) => {
                    let params = only(asked.text, passed.members);
                    let params = (params != "{}").then_some(params);
                    let redirect =
                        move |message: Message| message.replaced(passed.name, params.as_deref());
                    Ok(Next::Call(Kind::Passed(passed), Box::new(redirect)))
                }
                None => Err(ErrorObject::of(ErrorCode::METHOD_NOT_FOUND)),
            },
        }
    }

    fn list(&self, reader: Reader, origin: &Origin) -> Arc<ToolList> {
        let filter = self.options.filter.as_ref();
        self.lists.get(&origin.common.tree, reader, filter)
    }

    fn page(&self, list: &ToolList, asked: &Asked<'_>) -> Result<Reply, ErrorObject> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Page<'a> {
            tools: Vec<&'a RawValue>,
            #[serde(skip_serializing_if = "Option::is_none")]
            next_cursor: Option<&'a str>,
            #[serde(flatten)]
            now: Option<Value>,
        }
        let cursor = asked.params.cursor.as_deref();
        let (tools, next_cursor) = list.page(cursor, self.options.page, asked.version)?;
        let now = asked.version.is_stateless().then(|| {
            json!({
                "resultType": "complete",
                "ttlMs": self.options.ttl,
                "cacheScope": scope(asked.origin),
                "_meta": self.meta(asked.origin),
            })
        });
        Ok(Reply::ok(&Page {
            tools,
            next_cursor,
            now,
        }))
    }

    fn call(&self, asked: &Asked<'_>) -> Result<Next, ErrorObject> {
        let Some(name) = asked.params.name.as_deref() else {
            return Err(ErrorObject::invalid_params("`name` is missing"));
        };
        // A stranger who may not call it is told so by the router.
        let list = self.list(asked.origin.access().into(), asked.origin);
        let Some(tool) = list.find(name) else {
            let unknown = format!("Unknown tool: {}", short(name));
            return Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, unknown));
        };
        let within = asked.params.arguments_within(asked.text);
        let within = within.map_err(ErrorObject::invalid_params)?;
        let arguments = within.clone().and_then(|within| asked.text.get(within));
        check_params(&tool.call, arguments, asked)?;
        let positional = (tool.call.positional.as_ref())
            .map(|names| by_position(arguments.unwrap_or("{}"), names));
        let (kind, name) = (Kind::Tool(Arc::clone(&tool.call)), tool.name.clone());
        let redirect = move |message: Message| match positional {
            Some(params) => message.replaced(&name, Some(&params)),
            None => message.redirected(&name, within),
        };
        Ok(Next::Call(kind, Box::new(redirect)))
    }

    fn listen(&self, message: &Message, asked: &Asked<'_>) -> CallFuture {
        let Some(handle) = &asked.origin.session else {
            return CallFuture::ready(needs_stream());
        };
        let filter = asked.params.notifications.as_ref();
        let id = message.id().unwrap_or("null");
        let changes = self.options.changes.as_ref();
        let stop = asked
            .origin
            .server
            .as_ref()
            .map(|server| server.told_to_stop());
        let result = json!({"resultType": "complete", "_meta": self.meta(asked.origin)});
        let account = Arc::clone(&asked.origin.connection.memory);
        let listening = Listening::new(filter, id, changes);
        let running = listening.run(handle.clone(), account, stop, result);
        CallFuture(Work::Later(Box::pin(running)))
    }

    /// The name and version of the server.
    fn info(&self, origin: &Origin) -> Value {
        let root = origin.common.tree.root();
        let of = |own: &Option<String>, routers: &str, none: &str| match (own, routers) {
            (Some(own), _) => own.clone(),
            (None, "") => none.to_owned(),
            (None, routers) => routers.to_owned(),
        };
        json!({
            "name": of(&self.options.name, root.title(), "antiphon"),
            "version": of(&self.options.version, root.version(), "0.0.0"),
        })
    }

    fn meta(&self, origin: &Origin) -> Value {
        json!({SERVER_INFO: self.info(origin)})
    }

    fn instruct(&self, result: &mut Value) {
        if let Some(instructions) = &self.options.instructions {
            result["instructions"] = instructions.as_str().into();
        }
    }
}

/// A request that was read.
struct Asked<'a> {
    text: &'a str,
    params: Params<'a>,
    version: Version,
    headers: Option<&'a HeaderMap>,
    origin: &'a Origin,
}

/// What is next for a request.
enum Next {
    Own(CallFuture, bool),
    Call(Kind, Box<dyn FnOnce(Message) -> Message>),
}

/// Whom else a list may be shown to: everybody gets the same where nobody is asked.
fn scope(origin: &Origin) -> &'static str {
    let is_same = !origin.identification.is_asked() && origin.access() == crate::Access::Public;
    if is_same { "public" } else { "private" }
}

/// Checks the header fields that repeat arguments.
fn check_params(
    tool: &ToolCall,
    arguments: Option<&str>,
    asked: &Asked<'_>,
) -> Result<(), ErrorObject> {
    let Some(headers) = asked.headers else {
        return Ok(());
    };
    if tool.headers.is_empty() || !asked.version.is_stateless() {
        return Ok(());
    }
    let arguments: Value = serde_json::from_str(arguments.unwrap_or("{}")).unwrap_or_default();
    for (path, header) in &tool.headers {
        let value = at_path(&arguments, path);
        headers::check_param(headers, header, value)
            .map_err(|reason| ErrorObject::new(HEADER_MISMATCH, reason))?;
    }
    Ok(())
}
