// Proxy in front of a server, which cuts connections when it is told to.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Starts a proxy: `{ url, cut(), away(), back(), turnTo(url), close() }`. */
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
  const { port } = proxy.address();
  const cut = () => sockets.forEach((socket) => socket.destroy());
  const away = async () => {
    const closed = once(proxy, "close");
    proxy.close();
    cut();
    await closed;
  };
  return {
    url: `http://127.0.0.1:${port}/`,
    /** Cuts all connections; new ones are accepted. */
    cut,
    /** Cuts all connections, and refuses new ones. */
    away,
    /** Accepts connections again. */
    async back() {
      proxy.listen(port, "127.0.0.1");
      await once(proxy, "listening");
    },
    /** Leads new connections to another server. */
    turnTo(other) {
      target = new URL(other);
    },
    close: away,
  };
}
