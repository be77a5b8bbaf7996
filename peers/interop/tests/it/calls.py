"""Calls an Antiphon server with the standard library alone: python3 calls.py URL"""

import json
import sys
import urllib.error
import urllib.request

URL = sys.argv[1]


def send(text, **headers):
    """Status and body of the answer to a text."""
    headers = {"content-type": "application/json", **headers}
    request = urllib.request.Request(URL, text.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def call(method, params, id=1):
    """The answer to a call, as a dictionary."""
    request = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
    status, body = send(json.dumps(request))
    assert status == 200, (status, body)
    answer = json.loads(body)
    assert answer["jsonrpc"] == "2.0" and answer["id"] == id, answer
    return answer


def notification(*params):
    return {"jsonrpc": "2.0", "method": "note", "params": params}


# Calls, by position and by name.
assert call("calc.add", [3, 7])["result"] == 10
assert call("calc.add", {"b": 7, "a": 3})["result"] == 10
assert call("echo", ["ü\u2028\U0001f600\n"])["result"] == "ü\u2028\U0001f600\n"

# Errors.
error = call("calc.divide", [5, 0])["error"]
assert error == {"code": 1, "message": "division by zero", "data": {"dividend": 5}}, error
assert call("none", [])["error"] == {"code": -32601, "message": "Method not found"}
error = call("calc.add", [3])["error"]
assert error["code"] == -32602, error
assert error["data"] == {"parameter": "b", "reason": "missing"}, error
status, body = send("{")
assert status == 200 and json.loads(body)["error"]["code"] == -32700, (status, body)
assert json.loads(body)["id"] is None

# Ids come back byte for byte, also those that no number of Python or Rust holds.
for id in ["null", "-1", "1.50", "1e400", "123456789012345678901234567890", '"\\u00fc"']:
    status, body = send('{"jsonrpc":"2.0","id":%s,"method":"ping"}' % id)
    assert (status, body) == (200, '{"jsonrpc":"2.0","id":%s,"result":"pong"}' % id), body

# Notifications have no answer.
assert send(json.dumps(notification("alone"))) == (204, "")
assert send(json.dumps([notification("in a batch")])) == (204, "")

# A batch.
batch = [{"jsonrpc": "2.0", "id": n, "method": "calc.add", "params": [n, 1]} for n in range(50)]
batch += [notification("with others"), {"jsonrpc": "2.0", "id": "x", "method": "none"}, 7]
status, body = send(json.dumps(batch))
answers = json.loads(body)
assert [answer["result"] for answer in answers[:50]] == [n + 1 for n in range(50)]
assert [answer["id"] for answer in answers[50:]] == ["x", None]
assert [answer["error"]["code"] for answer in answers[50:]] == [-32601, -32600]

# What a browser could be made to send is refused before it is read.
assert send("[]", **{"content-type": "text/plain"})[0] == 415
assert send("[]", host="evil.example")[0] == 403
assert send("[]", origin="http://evil.example")[0] == 403
