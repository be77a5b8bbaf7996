//! Record of one call, from its start to its outcome.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use antiphon_proto::{ErrorCode, Request};

use super::line::{Line, MAX_TEXT};
use super::log::AuditLog;
use crate::address::client_address::ClientAddress;
use crate::call_origin::{Origin, Transport};
use crate::identity::Identity;

/// A call that is not over. If it is dropped, nobody waits for its outcome any more, and the line says
/// that it was cancelled.
#[derive(Debug)]
pub(crate) struct CallRecord {
    log: AuditLog,
    began: Instant,
    subject: Option<Arc<str>>,
    caller: Caller,
    method: Box<str>,
    received: usize,
    traceparent: Option<Box<str>>,
    is_written: bool,
}

/// The caller, as far as it is known without an identity.
#[derive(Debug)]
struct Caller {
    admin: bool,
    address: ClientAddress,
    transport: Transport,
    connection: u64,
}

impl Caller {
    fn of(origin: &Origin) -> Self {
        Self {
            admin: origin.admin,
            address: origin.client,
            transport: origin.connection.transport,
            connection: origin.connection.id,
        }
    }
}

impl CallRecord {
    /// Records a call that does not run: it was refused with this code.
    pub(crate) fn refused(log: &AuditLog, request: &Request, origin: &Origin, code: ErrorCode) {
        Self::begin(log, request, origin).finish(Some(code), 0);
    }

    /// Begins the record of a call of this caller, as it is known now.
    #[cold]
    pub(crate) fn begin(log: &AuditLog, request: &Request, origin: &Origin) -> Box<Self> {
        let traceparent = request.traceparent().or(origin.traceparent.as_deref());
        Box::new(Self {
            log: log.clone(),
            began: Instant::now(),
            subject: subject(origin.identification.identity().as_ref()),
            caller: Caller::of(origin),
            // If there is no such method, its name may be a text of any length.
            method: request.method().chars().take(MAX_TEXT + 1).collect(),
            received: request.params_len(),
            traceparent: traceparent.map(Into::into),
            is_written: false,
        })
    }

    /// Says who calls, if that was found out again: a session may have taken on another identity
    /// meanwhile.
    pub(crate) fn known_as(&mut self, identity: Option<&Identity>) {
        self.subject = subject(identity);
    }

    /// Writes the line. `code` is that of the error, and `sent` counts the bytes of the response.
    pub(crate) fn finish(mut self, code: Option<ErrorCode>, sent: usize) {
        self.write(code, sent);
    }

    fn write(&mut self, code: Option<ErrorCode>, sent: usize) {
        self.is_written = true;
        let line = Line {
            time: SystemTime::now(),
            subject: self.subject.as_deref(),
            admin: self.caller.admin,
            address: self.caller.address,
            transport: self.caller.transport,
            connection: self.caller.connection,
            method: Some(&self.method),
            code: code.map_or(0, |code| code.0),
            microseconds: self.began.elapsed().as_micros(),
            received: self.received,
            sent,
            traceparent: self.traceparent.as_deref(),
        };
        self.log.push(&line.to_json());
    }
}

fn subject(identity: Option<&Identity>) -> Option<Arc<str>> {
    identity.map(Identity::shared_subject)
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        if !self.is_written {
            self.write(Some(ErrorCode::CANCELLED), 0);
        }
    }
}
