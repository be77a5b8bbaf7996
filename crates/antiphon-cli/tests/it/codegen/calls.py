"""Test of a generated client with the server at the URL in the first argument."""

import asyncio
import json
import sys
import threading
import warnings
from http.server import BaseHTTPRequestHandler, HTTPServer

import calculator
from calculator import AsyncCalculatorClient, CalculatorClient, calls

warnings.simplefilter("error")
url = sys.argv[1]
client = CalculatorClient(url)


def raised(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"no {kind}")


# By position, by name, and with parameters left out.
assert client.calc.add(3, 4) == 7.0
assert client.calc.add(b=3, a=4) == 7.0
assert client.ping() == "pong"
assert client.echo({"ä": [None, "\u2028"]}) == {"ä": [None, "\u2028"]}
assert client.calc.randompaths(size=2, mu=0.5, sigma=0) == [[0.0, 0.5, 1.0]]
assert client.calc.randompaths(2, 0) == [[0.0], [0.0]]
assert calls.calc.randompaths(2, 0).params == [2, 0]
assert calls.calc.randompaths(size=2).params == {"size": 2}
assert calls.calc.randompaths().params is None

# Errors.
error = raised(calculator.InvalidParamsError, client.calc.divide, 1, 0)
assert (error.code, error.message) == (-32602, "Invalid params: division by zero")
unknown = calculator.Call("nothing")
raised(calculator.MethodNotFoundError, client.send, unknown)
raised(ValueError, client.calc.add, float("nan"), 1)
raised(TypeError, client.calc.add, 1)
error = raised(calculator.TransportError, CalculatorClient(url + "/elsewhere").ping)
assert error.status == 404, error
raised(calculator.NotSentError, CalculatorClient("http://127.0.0.1:1").ping)
raised(calculator.ProtocolError, CalculatorClient(url, max_response=10).ping)
raised(ValueError, CalculatorClient, "ws://127.0.0.1")

# Notifications.
assert client.notify(calls.calc.add(1, 2)) is None
assert client.notify(unknown) is None

# Batches: results and errors in the order of the calls.
batch = client.batch()
total = batch.call(calls.calc.add(1, 2))
batch.notify(calls.ping())
failing = batch.call(calls.calc.divide(1, 0))
last = batch.call(calls.echo("x"))
raised(calculator.ClientError, total.result)
outcomes = batch.send()
assert outcomes[0] == 3.0 and outcomes[2] == "x", outcomes
assert isinstance(outcomes[1], calculator.InvalidParamsError)
assert total.result() == 3.0 and last.result() == "x"
raised(calculator.InvalidParamsError, failing.result)
assert client.batch().send() == []
only = client.batch()
only.notify(calls.ping())
assert only.send() == []
long = client.batch()
for _ in range(101):
    long.call(calls.ping())
raised(calculator.RpcError, long.send)


async def alike():
    client = AsyncCalculatorClient(url)
    assert await client.calc.add(3, b=4) == 7.0
    walks = await client.calc.randompaths(1, 99_999)
    assert len(walks[0]) == 100_000
    sums = await asyncio.gather(*(client.calc.add(n, n) for n in range(20)))
    assert sums == [2.0 * n for n in range(20)]
    await client.notify(calls.ping())
    batch = client.batch()
    total = batch.call(calls.calc.add(1, 2))
    failing = batch.call(calls.calc.divide(1, 0))
    await batch.send()
    assert total.result() == 3.0
    raised(calculator.InvalidParamsError, failing.result)
    table = [
        (calculator.InvalidParamsError, client.calc.divide(1, 0)),
        (calculator.TransportError, AsyncCalculatorClient(url + "/elsewhere").ping()),
        (calculator.NotSentError, AsyncCalculatorClient("http://127.0.0.1:1").ping()),
        (calculator.ProtocolError, AsyncCalculatorClient(url, max_response=10).ping()),
    ]
    for kind, call in table:
        try:
            await call
        except kind:
            continue
        raise AssertionError(f"no {kind}")


asyncio.run(alike())


class Peer(BaseHTTPRequestHandler):
    """Server with a fixed response. An empty response means that it never answers."""

    protocol_version = "HTTP/1.1"
    answer = b""
    chunked = False
    stopped = threading.Event()

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        if not self.answer:
            self.stopped.wait(30)
            self.close_connection = True
            return
        self.send_response(200)
        if self.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(len(self.answer)):
                self.wfile.write(b"1\r\n" + self.answer[at : at + 1] + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(self.answer)))
            self.end_headers()
            self.wfile.write(self.answer)

    def log_message(self, *_):
        pass


class Peers(HTTPServer):
    def handle_error(self, *_):
        pass


def good(id=1, **members):
    return json.dumps({"jsonrpc": "2.0", "id": id, **members}).encode()


server = Peers(("127.0.0.1", 0), Peer)
threading.Thread(target=server.serve_forever, daemon=True).start()
peer = f"http://127.0.0.1:{server.server_address[1]}/"
table = [
    (good(result="pong"), None),
    (good(result="pong", error=None), None),
    (good(id=None, error={"code": 7, "message": "m"}), calculator.RpcError),
    (good(id=2, result="pong"), calculator.ProtocolError),
    (good(id="1", result="pong"), calculator.ProtocolError),
    (good(id=True, result="pong"), calculator.ProtocolError),
    (good(), calculator.ProtocolError),
    (good(result=1, error={"code": 7, "message": "m"}), calculator.ProtocolError),
    (good(error={"code": "7", "message": "m"}), calculator.ProtocolError),
    (good(error=7), calculator.ProtocolError),
    (b'{"id":1,"result":1}', calculator.ProtocolError),
    (b"[]", calculator.ProtocolError),
    (b"no JSON", calculator.ProtocolError),
    (b"[" * 100_000, calculator.ProtocolError),
]
for answer, kind in table:
    for Peer.chunked in (False, True):
        if len(answer) > 1000 and Peer.chunked:
            continue
        Peer.answer = answer

        def both():
            CalculatorClient(peer).ping()

        def alone():
            asyncio.run(AsyncCalculatorClient(peer).ping())

        for run in (both, alone):
            run() if kind is None else raised(kind, run)

Peer.answer = b""
raised(calculator.CallTimeoutError, CalculatorClient(peer, timeout=0.05).ping)
Peer.stopped.set()
server.shutdown()
server.server_close()
print("done")
