"""WorkshopClient: Workshop 1.2.0, over JSON-RPC 2.0.

A workshop: sums, shapes and drawers, to try clients on.

Text that tries to leave its comment: */ \"\"\" \\ `${x}`

```ignore
compile_error!("an example is no test");
```

Left out, because they need a connection that stays: ticks, news.follow, shapes.watch.

Written by `antiphon codegen`: changes are lost when it runs again.
"""

from __future__ import annotations

import asyncio
import enum
import http.client
import inspect
import itertools
import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from typing import (
    Any,
    Awaitable,
    Callable,
    Dict,
    Generic,
    List,
    Literal,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Type,
    TypedDict,
    TypeVar,
    Union,
)

# Types.


#: A colour.
#:
#: "deep-blue": Almost violet.
Color = Literal["red", "green", "deep-blue"]


#: A text, or an object with one member.
Command = Union[Literal["stop"], "CommandWaitVariant", "CommandDrawVariant"]


#: A number or a text.
Either = Union[int, str]


#: What has happened.
Event = Union["EventDrawn", "EventWaited", "EventCleared"]


class _PointRequired(TypedDict):
    #: To the right.
    x: float
    y: float


class Point(_PointRequired, total=False):
    """A place on the plane."""

    label: Optional[str]


class PointResult(TypedDict):
    """A place on the plane."""

    label: Optional[str]
    #: To the right.
    x: float
    y: float


class Receipt(TypedDict):
    """What is where."""

    drawer: int
    shape: ShapeResult


class Rectangle(TypedDict):
    """With four corners."""

    height: float
    width: float


#: Told apart by its kind.
Shape = Union["ShapeCircle", "ShapeRectangle", "ShapeNothing"]


#: Told apart by its kind.
ShapeResult = Union["ShapeResultCircle", "ShapeResultRectangle", "ShapeResultNothing"]


class Tree(TypedDict):
    """Has others of its kind."""

    children: List[Tree]
    next: Optional[Tree]
    type: Color


class CommandWaitVariant(TypedDict):
    """So many milliseconds."""

    wait: int


class _CommandDrawRequired(TypedDict):
    shape: Shape


class CommandDraw(_CommandDrawRequired, total=False):
    times: Optional[int]


class CommandDrawVariant(TypedDict):
    draw: CommandDraw


class EventDrawn(TypedDict):
    data: ShapeResult
    event: Literal["Drawn"]


class EventWaited(TypedDict):
    data: int
    event: Literal["Waited"]


class EventCleared(TypedDict):
    event: Literal["Cleared"]


class ShapeCircle(TypedDict):
    """Round."""

    center: Point
    kind: Literal["circle"]
    radius: float


class ShapeRectangle(TypedDict):
    kind: Literal["rectangle"]
    height: float
    width: float


class ShapeNothing(TypedDict):
    kind: Literal["nothing"]


class ShapeResultCircle(TypedDict):
    """Round."""

    center: PointResult
    kind: Literal["circle"]
    radius: float


class ShapeResultRectangle(TypedDict):
    kind: Literal["rectangle"]
    height: float
    width: float


class ShapeResultNothing(TypedDict):
    kind: Literal["nothing"]


# What all clients have in common.


T = TypeVar("T")

#: Parameters as they are sent: by position, by name, or none.
Params = Union[None, List[Any], Dict[str, Any]]


class Unset(enum.Enum):
    """The type of :data:`UNSET`, which stands for a parameter that is not sent."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset.UNSET


class ClientError(Exception):
    """A call that brought no result. Every error of this client is one."""


class NotSentError(ClientError):
    """There was no connection, or no token: the call has not run."""


class CallTimeoutError(ClientError):
    """No answer came in time. The call may have run."""


class TransportError(ClientError):
    """The connection broke, or HTTP refused the request; ``status`` is None or says how.

    With a status of 4xx the call has not run; else it may have.
    """

    def __init__(self, message: str, status: Optional[int] = None) -> None:
        super().__init__(message)
        self.status = status


class ProtocolError(ClientError):
    """What came is no answer to what was sent. The call may have run."""


class RpcError(ClientError):
    """The server answered with an error. Codes that are declared have classes of their own."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(code, message, data)
        self.code = code
        self.message = message
        self.data = data

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"


class Call(Generic[T]):
    """A method and its parameters, ready to be sent alone, as a notification or in a batch."""

    def __init__(self, method: str, params: Params = None) -> None:
        self.method = method
        self.params = params

    def __repr__(self) -> str:
        return f"Call({self.method!r}, {self.params!r})"


def _by_name(*params: Tuple[str, Any]) -> Params:
    named = {name: value for name, value in params if value is not UNSET}
    return named or None


def _rest(params: Union[Mapping[str, Any], Unset]) -> Sequence[Tuple[str, Any]]:
    return () if isinstance(params, Unset) else tuple(params.items())


def _by_position(*params: Tuple[str, Any]) -> Params:
    values = [value for _, value in params]
    while values and values[-1] is UNSET:
        values.pop()
    if UNSET in values:
        name = params[values.index(UNSET)][0]
        raise TypeError(f"{name!r} cannot be left out when a later parameter is given")
    return values or None


def _either(*params: Tuple[str, Any]) -> Params:
    """By position, unless one is left out before another."""
    values = [value for _, value in params]
    while values and values[-1] is UNSET:
        values.pop()
    if any(value is UNSET for value in values):
        return _by_name(*params)
    return values or None


def _request(call: Call[Any], id: Optional[int]) -> Dict[str, Any]:
    request: Dict[str, Any] = {"jsonrpc": "2.0", "method": call.method}
    if id is not None:
        request["id"] = id
    if call.params is not None:
        request["params"] = call.params
    return request


def _encode(message: Any) -> bytes:
    # NaN and infinity have no JSON: that is a ValueError here, before anything is sent.
    return json.dumps(message, allow_nan=False, separators=(",", ":")).encode()


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ProtocolError("the answer is no JSON") from None


def _outcome(response: Any) -> Tuple[Any, Optional[RpcError]]:
    """The result of a response, or its error."""
    if not isinstance(response, dict) or response.get("jsonrpc") != "2.0":
        raise ProtocolError("the answer is no response of JSON-RPC 2.0")
    error = response.get("error")
    if ("result" in response) == (error is not None):
        raise ProtocolError("the answer has not exactly one of result and error")
    if error is None:
        return response["result"], None
    code = error.get("code") if isinstance(error, dict) else None
    if type(code) is not int or not isinstance(error.get("message"), str):
        raise ProtocolError("the error in the answer is none of JSON-RPC 2.0")
    kind = _ERRORS.get(code, RpcError)
    return None, kind(code, error["message"], error.get("data"))


def _refusal(body: bytes) -> Optional[RpcError]:
    """The error in the body of a response that has another status than 200."""
    try:
        return _outcome(_decode(body))[1]
    except ProtocolError:
        return None


def _is_unauthenticated(body: bytes, message: Any) -> bool:
    """Whether the server did not know who called, so that nothing has run."""
    if b"-32006" not in body:
        return False
    try:
        answer = _decode(body)
        whole = isinstance(answer, list)
        answers = answer if whole else [answer]
        errors = [_outcome(one)[1] for one in answers]
    except ProtocolError:
        return False
    # A notification may have run.
    asked = not whole or all("id" in request for request in message)
    refused = [error is not None and error.code == -32006 for error in errors]
    return asked and bool(refused) and all(refused)


#: A bearer token, or a function that gives one.
Token = Union[None, str, Callable[[], Union[str, Awaitable[str]]]]


class _Grant:
    """A token in use. It is compared by identity."""

    def __init__(self, token: Any) -> None:
        # What no header can carry. The text is not shown: it may be almost a token.
        good = isinstance(token, str) and token.isascii() and token.isprintable()
        if not good or not token or " " in token:
            raise NotSentError("there is no token: what was given is none")
        self.header = {"Authorization": f"Bearer {token}"}


def _same(answered: Any, id: int) -> bool:
    return type(answered) is int and answered == id


def _result(body: bytes, id: int) -> Any:
    response = _decode(body)
    result, error = _outcome(response)
    answered = response.get("id")
    if error is not None and (answered is None or _same(answered, id)):
        raise error
    if not _same(answered, id):
        raise ProtocolError("the answer has the id of another call")
    return result


class Ticket(Generic[T]):
    """The right to one result of a batch."""

    def __init__(self, call: Call[T], id: int) -> None:
        self._call = call
        self._id = id
        self._result: Any = None
        self._error: Optional[ClientError] = ClientError("the batch was not sent")

    def result(self) -> T:
        """The result, once the batch was sent; raises what a single call would raise."""
        if self._error is not None:
            raise self._error
        result: T = self._result
        return result

    def outcome(self) -> Union[T, ClientError]:
        """The result, or the error that :meth:`result` would raise."""
        return self._error if self._error is not None else self.result()


class _Entries:
    """Calls and notifications that are sent together."""

    def __init__(self) -> None:
        self._requests: List[Dict[str, Any]] = []
        self._tickets: Dict[int, Ticket[Any]] = {}

    def call(self, call: Call[T]) -> Ticket[T]:
        """Add a call."""
        id = len(self._requests) + 1
        ticket = Ticket(call, id)
        self._requests.append(_request(call, id))
        self._tickets[id] = ticket
        return ticket

    def notify(self, call: Call[Any]) -> None:
        """Add a notification: the method runs, and its outcome is not told."""
        self._requests.append(_request(call, None))

    def _settle(self, body: bytes) -> List[Any]:
        tickets = dict(self._tickets)
        if tickets:
            answer = _decode(body)
            if not isinstance(answer, list):
                # One error for all of it, as for a batch that is too long.
                _, error = _outcome(answer)
                raise error or ProtocolError("the answer is none to a batch")
            for ticket in tickets.values():
                ticket._error = ProtocolError("the answer leaves this call out")
            for response in answer:
                id = response.get("id") if isinstance(response, dict) else None
                found = tickets.pop(id, None) if type(id) is int else None
                if found is None:
                    continue
                try:
                    found._result, found._error = _outcome(response)
                except ProtocolError as error:
                    found._error = error
        return [ticket.outcome() for ticket in self._tickets.values()]


class Batch(_Entries):
    """Calls and notifications that are sent together; see :meth:`send`."""

    def __init__(self, client: "_Client") -> None:
        super().__init__()
        self._client = client

    def send(self) -> List[Any]:
        """Send all of it. Gives results, or errors in their places, in the order of the calls.

        Raises an error when nothing can be said of a single call.
        """
        if not self._requests:
            return []
        return self._settle(self._client._post(self._requests))


class AsyncBatch(_Entries):
    """Calls and notifications that are sent together; see :meth:`send`."""

    def __init__(self, client: "_AsyncClient") -> None:
        super().__init__()
        self._client = client

    async def send(self) -> List[Any]:
        """Send all of it. Gives results, or errors in their places, in the order of the calls.

        Raises an error when nothing can be said of a single call.
        """
        if not self._requests:
            return []
        return self._settle(await self._client._post(self._requests))


class _Settings:
    """What both clients are told.

    ``timeout`` is in seconds, None is for ever; ``headers`` go with every request;
    ``token`` says who calls: a bearer token, or a function that gives one, which may be
    async for the client for asyncio. If the server refuses a token, the function is asked
    again, and the call is sent again, once. ``max_response`` is the size in bytes beyond which an answer is not read.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: Optional[float] = 30.0,
        headers: Optional[Mapping[str, str]] = None,
        token: Token = None,
        max_response: int = 10 * 1024 * 1024,
        ssl_context: Optional[ssl.SSLContext] = None,
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the URL is none of http://HOST or https://HOST")
        given = {name.lower() for name in headers or {}}
        if token is not None and "authorization" in given:
            raise ValueError("a token and a header Authorization are given")
        self._url = url
        self._token = token
        self._grant = _Grant(token) if isinstance(token, str) else None
        self._lock = threading.Lock()
        self._asking: Optional[asyncio.Task[_Grant]] = None
        self._timeout = timeout
        self._headers = {
            **(headers or {}),
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        self._max_response = max_response
        self._ssl_context = ssl_context
        self._ids = itertools.count(1)

    def _refused(self, status: int, text: bytes) -> ClientError:
        refusal = _refusal(text) if status in (401, 403, 429) else None
        if refusal is not None:
            return _Refusal(text, refusal)
        said = text[:1024].decode(errors="replace").strip()
        return TransportError(
            f"HTTP status {status}: {said}" if said else f"HTTP status {status}", status
        )

    def _too_long(self) -> ProtocolError:
        return ProtocolError(f"the answer is longer than {self._max_response} bytes")


class _Refusal(ClientError):
    """A response of another status than 200 with an error of JSON-RPC in it."""

    def __init__(self, body: bytes, error: RpcError) -> None:
        super().__init__(str(error))
        self.body = body
        self.error = error


def _is_refused(error: ClientError, message: Any) -> bool:
    """Whether a call failed because of its token, so that nothing has run."""
    if isinstance(error, _Refusal):
        return _is_unauthenticated(error.body, message)
    return isinstance(error, TransportError) and error.status == 401


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        # A call that was sent elsewhere as a GET would be no call.
        return None


def _said(error: urllib.error.HTTPError) -> bytes:
    """What a server says when it refuses a request, as far as it comes."""
    try:
        with error:
            return error.read(1024)
    except (OSError, http.client.HTTPException):
        return b""


def _refusal_body(refusal: _Refusal, message: Any) -> bytes:
    """The answer of a call is in the body; a notification has none but the error."""
    requests = message if isinstance(message, list) else [message]
    if any("id" in request for request in requests):
        return refusal.body
    raise refusal.error from None


class _Client(_Settings):
    """The synchronous client, all but its methods. Threads may share it."""

    def send(self, call: Call[T]) -> T:
        """Make a call."""
        id = next(self._ids)
        result: T = _result(self._post(_request(call, id)), id)
        return result

    def notify(self, call: Call[Any]) -> None:
        """Send a notification: the method runs, and its outcome is not told."""
        self._post(_request(call, None))

    def batch(self) -> Batch:
        """Start a batch, of calls that are sent together."""
        return Batch(self)

    def _post(self, message: Any) -> bytes:
        body = _encode(message)
        until = None if self._timeout is None else time.monotonic() + self._timeout
        grant = self._grant_after(None, until)
        try:
            try:
                answer = self._attempt(body, grant, until)
                if not _is_unauthenticated(answer, message):
                    return answer
                refused: Optional[ClientError] = None
            except ClientError as error:
                if not _is_refused(error, message):
                    raise
                refused = error
            if grant is not None and callable(self._token):
                return self._attempt(body, self._grant_after(grant, until), until)
            if refused is not None:
                raise refused
            return answer
        except _Refusal as refusal:
            return _refusal_body(refusal, message)

    def _grant_after(
        self, refused: Optional[_Grant], until: Optional[float]
    ) -> Optional[_Grant]:
        """A token, but not one that was refused. One thread asks for all."""
        if not callable(self._token):
            return self._grant
        left = -1 if until is None else max(0.0, until - time.monotonic())
        if not self._lock.acquire(timeout=left):
            raise NotSentError("there is no token in time")
        try:
            if self._grant is None or self._grant is refused:
                self._grant = None
                try:
                    token = self._token()
                except Exception as error:
                    raise NotSentError("there is no token") from error
                self._grant = _Grant(token)
            return self._grant
        finally:
            self._lock.release()

    def _attempt(
        self, body: bytes, grant: Optional[_Grant], until: Optional[float]
    ) -> bytes:
        headers = {**self._headers, **(grant.header if grant else {})}
        request = urllib.request.Request(self._url, body, headers, method="POST")
        https = urllib.request.HTTPSHandler(context=self._ssl_context)
        opener = urllib.request.build_opener(_NoRedirects, https)
        try:
            with opener.open(request, timeout=self._timeout) as response:
                return self._read(response, until)
        except urllib.error.HTTPError as error:
            raise self._refused(error.code, _said(error)) from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, socket.timeout):
                raise CallTimeoutError("no answer in time") from None
            if isinstance(error.reason, (ConnectionRefusedError, socket.gaierror)):
                raise NotSentError(f"cannot connect: {error.reason}") from error
            raise TransportError(f"the connection failed: {error.reason}") from error
        except socket.timeout:
            raise CallTimeoutError("no answer in time") from None
        except (OSError, http.client.HTTPException) as error:
            raise TransportError(f"the connection failed: {error!r}") from error

    def _read(
        self, response: http.client.HTTPResponse, until: Optional[float]
    ) -> bytes:
        body = bytearray()
        while True:
            piece = response.read1(65536)
            if not piece:
                break
            body += piece
            if len(body) > self._max_response:
                raise self._too_long()
            # The socket's own timeout begins anew with every piece.
            if until is not None and time.monotonic() > until:
                raise CallTimeoutError("no whole answer in time")
        return bytes(body)


class _AsyncClient(_Settings):
    """The client for asyncio, all but its methods: HTTP/1.1 with a connection for each request.

    Cancelling a call closes its connection, by which the server learns of it.
    """

    async def send(self, call: Call[T]) -> T:
        """Make a call."""
        id = next(self._ids)
        result: T = _result(await self._post(_request(call, id)), id)
        return result

    async def notify(self, call: Call[Any]) -> None:
        """Send a notification: the method runs, and its outcome is not told."""
        await self._post(_request(call, None))

    def batch(self) -> AsyncBatch:
        """Start a batch, of calls that are sent together."""
        return AsyncBatch(self)

    async def _post(self, message: Any) -> bytes:
        body = _encode(message)
        try:
            return await asyncio.wait_for(self._attempts(body, message), self._timeout)
        except _Refusal as refusal:
            return _refusal_body(refusal, message)
        except asyncio.TimeoutError:
            raise CallTimeoutError("no answer in time") from None
        except (
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            ValueError,
        ) as error:
            raise TransportError(
                f"the answer is no whole one of HTTP: {error}"
            ) from error
        except OSError as error:
            raise TransportError(f"the connection failed: {error!r}") from error

    async def _attempts(self, body: bytes, message: Any) -> bytes:
        grant = await self._grant_after(None)
        try:
            answer = await self._exchange(body, grant)
            if not _is_unauthenticated(answer, message):
                return answer
            refused: Optional[ClientError] = None
        except ClientError as error:
            if not _is_refused(error, message):
                raise
            refused = error
        if grant is not None and callable(self._token):
            return await self._exchange(body, await self._grant_after(grant))
        if refused is not None:
            raise refused
        return answer

    async def _grant_after(self, refused: Optional[_Grant]) -> Optional[_Grant]:
        """A token, but not one that was refused. One task asks for all."""
        if not callable(self._token):
            return self._grant
        if self._grant is not None and self._grant is not refused:
            return self._grant
        loop = asyncio.get_running_loop()
        asking = self._asking
        if asking is None or asking.done() or asking.get_loop() is not loop:
            self._grant = None
            asking = self._asking = loop.create_task(self._ask())
            # Whoever waited may have gone.
            asking.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(asking)

    async def _ask(self) -> _Grant:
        try:
            token = self._token() if callable(self._token) else self._token
            given = await token if inspect.isawaitable(token) else token
        except Exception as error:
            raise NotSentError("there is no token") from error
        self._grant = _Grant(given)
        return self._grant

    async def _exchange(self, body: bytes, grant: Optional[_Grant]) -> bytes:
        url = urllib.parse.urlsplit(self._url)
        secure = url.scheme == "https"
        context = self._ssl_context or (
            ssl.create_default_context() if secure else None
        )
        try:
            reader, writer = await asyncio.open_connection(
                url.hostname,
                url.port or (443 if secure else 80),
                ssl=context if secure else None,
            )
        except OSError as error:
            raise NotSentError(f"cannot connect: {error}") from error
        try:
            writer.write(self._head(url, len(body), grant) + body)
            await writer.drain()
            return await self._answer(reader)
        finally:
            writer.close()

    def _head(
        self, url: urllib.parse.SplitResult, length: int, grant: Optional[_Grant]
    ) -> bytes:
        headers = {**self._headers, **(grant.header if grant else {})}
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        lines = [f"POST {path} HTTP/1.1", f"Host: {url.netloc.rpartition('@')[2]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {length}", "Connection: close"]
        if any("\r" in line or "\n" in line for line in lines):
            raise ClientError("a header or the URL has a line break in it")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        status = 100
        while 100 <= status < 200:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            status = int(first.split(" ")[1])
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if status == 204:
            return b""
        answer = await self._body(reader, headers)
        if not 200 <= status < 300:
            raise self._refused(status, answer)
        return answer

    async def _body(
        self, reader: asyncio.StreamReader, headers: Dict[str, str]
    ) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await self._chunks(reader)
        if "content-length" in headers:
            length = int(headers["content-length"])
            if length > self._max_response:
                raise self._too_long()
            return await reader.readexactly(length)
        body = bytearray()
        while piece := await reader.read(65536):
            body += piece
            if len(body) > self._max_response:
                raise self._too_long()
        return bytes(body)

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        body = bytearray()
        while True:
            line = await reader.readuntil(b"\r\n")
            length = int(line.split(b";")[0], 16)
            if length < 0:
                raise ValueError("a chunk of less than nothing")
            if len(body) + length > self._max_response:
                raise self._too_long()
            piece = await reader.readexactly(length + 2)
            body += piece[:length]
            if length == 0:
                return bytes(body)


# Errors that the server declares, and those of JSON-RPC itself.


class ParseError(RpcError):
    """-32700: Parse error"""

    CODE = -32700


class InvalidRequestError(RpcError):
    """-32600: Invalid request"""

    CODE = -32600


class MethodNotFoundError(RpcError):
    """-32601: Method not found"""

    CODE = -32601


class InvalidParamsError(RpcError):
    """-32602: Invalid params"""

    CODE = -32602


class InternalError(RpcError):
    """-32603: Internal error"""

    CODE = -32603


class DivisionByZeroError(RpcError):
    """1: division by zero

    There is no such number.
    """

    CODE = 1


class ThereIsNoSuchDrawerError(RpcError):
    """101: there is no such drawer"""

    CODE = 101


class DrawerDrawerIsFullError(RpcError):
    """102: drawer {drawer} is full

    Pressing may help.
    """

    CODE = 102


_ERRORS: Dict[int, Type[RpcError]] = {
    ParseError.CODE: ParseError,
    InvalidRequestError.CODE: InvalidRequestError,
    MethodNotFoundError.CODE: MethodNotFoundError,
    InvalidParamsError.CODE: InvalidParamsError,
    InternalError.CODE: InternalError,
    DivisionByZeroError.CODE: DivisionByZeroError,
    ThereIsNoSuchDrawerError.CODE: ThereIsNoSuchDrawerError,
    DrawerDrawerIsFullError.CODE: DrawerDrawerIsFullError,
}


# Methods.


class CalcCalls:
    """Calls of ``calc`` that are not sent yet, for batches and notifications."""

    def add(self, a: float, b: float) -> Call[float]:
        """Adds two numbers."""
        return Call("calc.add", _either(("a", a), ("b", b)))

    def divide(self, a: int, b: int) -> Call[int]:
        """Divides two numbers."""
        return Call("calc.divide", _either(("a", a), ("b", b)))

    def randomPaths(
        self,
        num_paths: Union[int, Unset] = UNSET,
        size: Union[int, Unset] = UNSET,
        step: Union[Optional[float], Unset] = UNSET,
    ) -> Call[List[List[float]]]:
        """Paths of `size` steps, each of them `step` long."""
        return Call(
            "calc.randomPaths",
            _either(("num_paths", num_paths), ("size", size), ("step", step)),
        )


class NewsCalls:
    """Calls of ``news`` that are not sent yet, for batches and notifications."""

    def tell(self, subject: str, line: str) -> Call[int]:
        """Tells a line, and returns its number."""
        return Call("news.tell", _either(("subject", subject), ("line", line)))


class ShapesDrawersCalls:
    """Calls of ``shapes.drawers`` that are not sent yet, for batches and notifications."""

    def clear(self) -> Call[None]:
        """Takes everything out."""
        return Call("shapes.drawers.clear")

    def put(
        self, shape: Shape, drawer: int, try_: Union[Optional[bool], Unset] = UNSET
    ) -> Call[Receipt]:
        """Puts a shape into a drawer."""
        return Call(
            "shapes.drawers.put",
            _either(("shape", shape), ("drawer", drawer), ("try", try_)),
        )


class ShapesCalls:
    """Calls of ``shapes`` that are not sent yet, for batches and notifications."""

    drawers = ShapesDrawersCalls()

    def area(self, shape: Shape) -> Call[float]:
        """The area of a shape."""
        return Call("shapes.area", _either(("shape", shape)))

    def either(self, values: List[Either]) -> Call[List[Either]]:
        """Numbers or texts, as they came."""
        return Call("shapes.either", _either(("values", values)))

    def find(
        self, color: Color, names: Union[Optional[Dict[str, Color]], Unset] = UNSET
    ) -> Call[Optional[ShapeResult]]:
        """The shape of a colour, if there is one."""
        return Call("shapes.find", _either(("color", color), ("names", names)))

    def follow(self, command: Command) -> Call[List[Event]]:
        """Follows a command, and says what came of it."""
        return Call("shapes.follow", _either(("command", command)))

    def tree(self, depth: int) -> Call[Tree]:
        """A tree in which every branch has two."""
        return Call("shapes.tree", _either(("depth", depth)))


class Calls:
    """Calls that are not sent yet, for batches and notifications."""

    calc = CalcCalls()
    news = NewsCalls()
    shapes = ShapesCalls()

    def echo(self, message: Any = UNSET) -> Call[Any]:
        """Gives back what it was given."""
        return Call("echo", _either(("message", message)))

    def list(self) -> Call[Sequence[Union[int, Optional[str]]]]:
        """Was there before `page`."""
        warnings.warn("list is deprecated", DeprecationWarning, stacklevel=3)
        return Call("list")

    def page(
        self,
        words: List[str],
        limit: Union[int, Unset] = UNSET,
        start: Union[int, Unset] = UNSET,
    ) -> Call[List[str]]:
        """A page of something, whose parameters have names only."""
        return Call(
            "page", _by_name(("words", words), ("limit", limit), ("start", start))
        )

    def ping(self) -> Call[str]:
        """Answers, so that callers know that somebody is there."""
        return Call("ping")

    def total(
        self, start: int, extra: Union[Dict[str, int], Unset] = UNSET
    ) -> Call[int]:
        """Adds numbers, whatever they are called."""
        return Call("total", _by_name(("start", start), *_rest(extra)))


calls = Calls()


class CalcMethods:
    """The methods of ``calc``."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    def add(self, a: float, b: float) -> float:
        """Adds two numbers."""
        return self._client.send(calls.calc.add(a, b))

    def divide(self, a: int, b: int) -> int:
        """Divides two numbers.

        :param b: Anything but 0.
        :raises DivisionByZeroError: 1
        """
        return self._client.send(calls.calc.divide(a, b))

    def randomPaths(
        self,
        num_paths: Union[int, Unset] = UNSET,
        size: Union[int, Unset] = UNSET,
        step: Union[Optional[float], Unset] = UNSET,
    ) -> List[List[float]]:
        """Paths of `size` steps, each of them `step` long."""
        return self._client.send(calls.calc.randomPaths(num_paths, size, step))


class NewsMethods:
    """The methods of ``news``."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    def tell(self, subject: str, line: str) -> int:
        """Tells a line, and returns its number."""
        return self._client.send(calls.news.tell(subject, line))


class ShapesDrawersMethods:
    """The methods of ``shapes.drawers``."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    def clear(self) -> None:
        """Takes everything out."""
        return self._client.send(calls.shapes.drawers.clear())

    def put(
        self, shape: Shape, drawer: int, try_: Union[Optional[bool], Unset] = UNSET
    ) -> Receipt:
        """Puts a shape into a drawer.

        :param try_: Whether to press.
        :raises ThereIsNoSuchDrawerError: 101
        :raises DrawerDrawerIsFullError: 102
        """
        return self._client.send(calls.shapes.drawers.put(shape, drawer, try_))


class ShapesMethods:
    """The methods of ``shapes``."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    @property
    def drawers(self) -> ShapesDrawersMethods:
        """The methods of ``shapes.drawers``."""
        return ShapesDrawersMethods(self._client)

    def area(self, shape: Shape) -> float:
        """The area of a shape."""
        return self._client.send(calls.shapes.area(shape))

    def either(self, values: List[Either]) -> List[Either]:
        """Numbers or texts, as they came."""
        return self._client.send(calls.shapes.either(values))

    def find(
        self, color: Color, names: Union[Optional[Dict[str, Color]], Unset] = UNSET
    ) -> Optional[ShapeResult]:
        """The shape of a colour, if there is one."""
        return self._client.send(calls.shapes.find(color, names))

    def follow(self, command: Command) -> List[Event]:
        """Follows a command, and says what came of it."""
        return self._client.send(calls.shapes.follow(command))

    def tree(self, depth: int) -> Tree:
        """A tree in which every branch has two."""
        return self._client.send(calls.shapes.tree(depth))


class WorkshopClient(_Client):
    """The client. Options are those of :class:`_Settings`."""

    @property
    def calc(self) -> CalcMethods:
        """The methods of ``calc``."""
        return CalcMethods(self)

    @property
    def news(self) -> NewsMethods:
        """The methods of ``news``."""
        return NewsMethods(self)

    @property
    def shapes(self) -> ShapesMethods:
        """The methods of ``shapes``."""
        return ShapesMethods(self)

    def echo(self, message: Any = UNSET) -> Any:
        """Gives back what it was given."""
        return self.send(calls.echo(message))

    def list(self) -> Sequence[Union[int, Optional[str]]]:
        """Was there before `page`.

        Deprecated.
        """
        return self.send(calls.list())

    def page(
        self,
        words: List[str],
        limit: Union[int, Unset] = UNSET,
        start: Union[int, Unset] = UNSET,
    ) -> List[str]:
        """A page of something, whose parameters have names only.

        :param limit: How many at most.
        """
        return self.send(calls.page(words, limit, start))

    def ping(self) -> str:
        """Answers, so that callers know that somebody is there."""
        return self.send(calls.ping())

    def total(self, start: int, extra: Union[Dict[str, int], Unset] = UNSET) -> int:
        """Adds numbers, whatever they are called.

        :param extra: Other parameters.
        """
        return self.send(calls.total(start, extra))


class AsyncCalcMethods:
    """The methods of ``calc``."""

    def __init__(self, client: _AsyncClient) -> None:
        self._client = client

    async def add(self, a: float, b: float) -> float:
        """Adds two numbers."""
        return await self._client.send(calls.calc.add(a, b))

    async def divide(self, a: int, b: int) -> int:
        """Divides two numbers.

        :param b: Anything but 0.
        :raises DivisionByZeroError: 1
        """
        return await self._client.send(calls.calc.divide(a, b))

    async def randomPaths(
        self,
        num_paths: Union[int, Unset] = UNSET,
        size: Union[int, Unset] = UNSET,
        step: Union[Optional[float], Unset] = UNSET,
    ) -> List[List[float]]:
        """Paths of `size` steps, each of them `step` long."""
        return await self._client.send(calls.calc.randomPaths(num_paths, size, step))


class AsyncNewsMethods:
    """The methods of ``news``."""

    def __init__(self, client: _AsyncClient) -> None:
        self._client = client

    async def tell(self, subject: str, line: str) -> int:
        """Tells a line, and returns its number."""
        return await self._client.send(calls.news.tell(subject, line))


class AsyncShapesDrawersMethods:
    """The methods of ``shapes.drawers``."""

    def __init__(self, client: _AsyncClient) -> None:
        self._client = client

    async def clear(self) -> None:
        """Takes everything out."""
        return await self._client.send(calls.shapes.drawers.clear())

    async def put(
        self, shape: Shape, drawer: int, try_: Union[Optional[bool], Unset] = UNSET
    ) -> Receipt:
        """Puts a shape into a drawer.

        :param try_: Whether to press.
        :raises ThereIsNoSuchDrawerError: 101
        :raises DrawerDrawerIsFullError: 102
        """
        return await self._client.send(calls.shapes.drawers.put(shape, drawer, try_))


class AsyncShapesMethods:
    """The methods of ``shapes``."""

    def __init__(self, client: _AsyncClient) -> None:
        self._client = client

    @property
    def drawers(self) -> AsyncShapesDrawersMethods:
        """The methods of ``shapes.drawers``."""
        return AsyncShapesDrawersMethods(self._client)

    async def area(self, shape: Shape) -> float:
        """The area of a shape."""
        return await self._client.send(calls.shapes.area(shape))

    async def either(self, values: List[Either]) -> List[Either]:
        """Numbers or texts, as they came."""
        return await self._client.send(calls.shapes.either(values))

    async def find(
        self, color: Color, names: Union[Optional[Dict[str, Color]], Unset] = UNSET
    ) -> Optional[ShapeResult]:
        """The shape of a colour, if there is one."""
        return await self._client.send(calls.shapes.find(color, names))

    async def follow(self, command: Command) -> List[Event]:
        """Follows a command, and says what came of it."""
        return await self._client.send(calls.shapes.follow(command))

    async def tree(self, depth: int) -> Tree:
        """A tree in which every branch has two."""
        return await self._client.send(calls.shapes.tree(depth))


class AsyncWorkshopClient(_AsyncClient):
    """The client for asyncio; see :class:`WorkshopClient`."""

    @property
    def calc(self) -> AsyncCalcMethods:
        """The methods of ``calc``."""
        return AsyncCalcMethods(self)

    @property
    def news(self) -> AsyncNewsMethods:
        """The methods of ``news``."""
        return AsyncNewsMethods(self)

    @property
    def shapes(self) -> AsyncShapesMethods:
        """The methods of ``shapes``."""
        return AsyncShapesMethods(self)

    async def echo(self, message: Any = UNSET) -> Any:
        """Gives back what it was given."""
        return await self.send(calls.echo(message))

    async def list(self) -> Sequence[Union[int, Optional[str]]]:
        """Was there before `page`.

        Deprecated.
        """
        return await self.send(calls.list())

    async def page(
        self,
        words: List[str],
        limit: Union[int, Unset] = UNSET,
        start: Union[int, Unset] = UNSET,
    ) -> List[str]:
        """A page of something, whose parameters have names only.

        :param limit: How many at most.
        """
        return await self.send(calls.page(words, limit, start))

    async def ping(self) -> str:
        """Answers, so that callers know that somebody is there."""
        return await self.send(calls.ping())

    async def total(
        self, start: int, extra: Union[Dict[str, int], Unset] = UNSET
    ) -> int:
        """Adds numbers, whatever they are called.

        :param extra: Other parameters.
        """
        return await self.send(calls.total(start, extra))
