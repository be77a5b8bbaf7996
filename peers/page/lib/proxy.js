// Proxy in front of a server, which cuts connections when it is told to.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Starts a proxy: `{ url, cut(), turnTo(url), close() }`. */
export async function startProxy(url) {
  let target = new URL(url);
  const sockets = new Set();
  const proxy = createServer((socket) => {
    const other = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ]) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    url: `http://127.0.0.1:${proxy.address().port}/`,
    /** Cuts all connections; new ones are accepted. */
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    /** Leads new connections to another server. */
    turnTo(other) {
      target = new URL(other);
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, "close");
    },
  };
}
