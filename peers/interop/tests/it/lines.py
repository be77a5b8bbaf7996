"""Speaks to an Antiphon server over its standard input and output, one message a line: python3 lines.py PROGRAM…"""

import json
import subprocess
import sys

SHORT = dict(timeout=15)


def start():
    return subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def request(id, method, *params):
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def notification(method, params):
    return {"jsonrpc": "2.0", "method": method, "params": params}


def answers(*messages):
    """All lines that come of these, when standard input ends behind them or the server has enough."""
    server = start()
    lines = [m if isinstance(m, bytes) else json.dumps(m).encode() + b"\n" for m in messages]
    out, _ = server.communicate(b"".join(lines), **SHORT)
    assert server.returncode == 0, server.returncode
    return [json.loads(line) for line in out.splitlines()]


def result(id, result):
    return {"jsonrpc": "2.0", "id": id, "result": result}


# Calls, a batch, a notification; white space around and between messages.
seen = answers(
    request(1, "calc.add", 3, 7),
    notification("note", ["a"]),
    b" \r\n",
    [request(2, "ping"), request("x", "none"), notification("note", ["b"])],
    b'{"jsonrpc":"2.0",\t"id":1.50,"method":"ping"}\r\n',
)
assert seen[0] == result(1, 10), seen
assert seen[1][0] == result(2, "pong") and seen[1][1]["error"]["code"] == -32601, seen
assert len(seen[1]) == 2 and seen[2] == result(1.5, "pong") and len(seen) == 3, seen

# What is no JSON is answered, and the next line is read; what is no message at all is the end.
seen = answers(b"{\n", request(1, "ping"))
assert [seen[0]["error"]["code"], seen[1]] == [-32700, result(1, "pong")], seen
seen = answers(b"Content-Length: 40\r\n\r\n", request(1, "ping"))
assert [answer["error"]["code"] for answer in seen] == [-32700], seen

# A conversation: the caller is called back, cancels, and leaves.
server = start()


def send(message):
    server.stdin.write(json.dumps(message).encode() + b"\n")
    server.stdin.flush()


def receive():
    return json.loads(server.stdout.readline())


send(request(1, "twice", 10))
for expected in [10, 20]:
    asked = receive()
    assert (asked["method"], asked["params"]) == ("double", [expected]), asked
    send(result(asked["id"], 2 * expected))
assert receive() == result(1, 40)

send(request(2, "hold"))
send(notification("$/cancelRequest", {"id": 2}))
error = receive()
assert (error["id"], error["error"]["code"]) == (2, -32800), error

send(request(3, "report", 2))
for step in [1, 2]:
    told = receive()
    assert (told["method"], told["params"]) == ("$/progress", {"token": 3, "value": step}), told
assert receive() == result(3, 2)

send(request(4, "hold"))
server.stdin.close()
assert server.stdout.read() == b""
assert server.wait(**SHORT) == 0
