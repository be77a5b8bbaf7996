// A WebSocket server that answers in good and in broken frames: node web_socket_server.mjs
//
// The path of a connection says how. It tells its port, what handshakes ask for, and how connections
// end.

import http from "node:http";
import { WebSocketServer } from "ws";
import { tell } from "./lib.mjs";

/** What is done with the text of an answer, by path. */
const ways = {
  "/text": (socket, text) => socket.send(text),
  "/binary": (socket, text) => socket.send(Buffer.from(text)),
  "/fragments": (socket, text) => {
    for (const [at, part] of [...text].entries()) {
      socket.send(part, { fin: at + 1 === text.length });
      if (at === 3) socket.ping("between");
    }
  },
  "/strangers": (socket, text) => {
    // What nobody has asked for, and what is no message, disturbs nobody.
    socket.send('{"jsonrpc":"2.0","id":99999,"result":1}');
    socket.send('{"jsonrpc":"2.0","method":"unheard","params":[1]}');
    socket.pong("unasked");
    socket.send(text);
  },
  "/masked": (socket, text) => socket.send(text, { mask: true }),
  "/bad_text": (socket) => socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false }),
  "/reserved": (socket) => socket._socket.write(Buffer.from([0xc1, 0x00])),
  "/continuation": (socket) => socket._socket.write(Buffer.from([0x80, 0x00])),
  "/huge": (socket) => socket._socket.write(Buffer.from([0x81, 0x7f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
  "/close": (socket) => socket.close(1008, "enough"),
  "/cut": (socket) => socket.terminate(),
};

const server = http.createServer();
const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: true,
  handleProtocols: (offered) => (offered.has("jsonrpc") ? "jsonrpc" : false),
});

server.on("upgrade", (request, socket, head) => {
  const { url, headers } = request;
  if (url === "/refused") {
    socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nWho is it");
    return;
  }
  sockets.handleUpgrade(request, socket, head, (peer) => {
    tell("handshake", {
      protocol: peer.protocol,
      extensions: headers["sec-websocket-extensions"],
      origin: headers.origin,
      token: headers["x-token"],
    });
    peer.on("error", () => {});
    peer.on("close", (code) => tell("closed", code));
    peer.on("message", (data) => {
      const { id, params } = JSON.parse(data.toString());
      if (id !== undefined) ways[url](peer, JSON.stringify({ jsonrpc: "2.0", id, result: params }));
    });
  });
});

server.listen(0, "127.0.0.1", () => tell("port", server.address().port));
