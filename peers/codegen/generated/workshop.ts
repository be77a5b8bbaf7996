/**
 * WorkshopClient: Workshop 1.2.0, over JSON-RPC 2.0.
 *
 * A workshop: sums, shapes and drawers, to try clients on.
 *
 * Text that tries to leave its comment: *\/ """ \ `${x}`
 *
 * ```ignore
 * compile_error!("an example is no test");
 * ```
 *
 * Integers of 64 bits are numbers, as JSON.parse gives them: they are exact up to Number.MAX_SAFE_INTEGER (2⁵³ − 1), and rounded beyond it. Where that may happen, the documentation of the value says so.
 *
 * Written by `antiphon codegen`: changes are lost when it runs again.
 */

// Types.

/**
 * A colour.
 *
 * - `"deep-blue"`: Almost violet.
 */
export type Color = "red" | "green" | "deep-blue";

/** A text, or an object with one member. */
export type Command = "stop" | CommandWaitVariant | CommandDrawVariant;

/** A number or a text. */
export type Either = number | string;

/** What has happened. */
export type Event = EventDrawn | EventWaited | EventCleared;

/** A place on the plane. */
export interface Point {
  label?: string | null;
  /** To the right. */
  x: number;
  y: number;
}

/** A place on the plane. */
export interface PointResult {
  label: string | null;
  /** To the right. */
  x: number;
  y: number;
}

/** What is where. */
export interface Receipt {
  drawer: number;
  shape: ShapeResult;
}

/** With four corners. */
export interface Rectangle {
  height: number;
  width: number;
}

/** Told apart by its kind. */
export type Shape = ShapeCircle | ShapeRectangle | ShapeNothing;

/** Told apart by its kind. */
export type ShapeResult =
  ShapeResultCircle | ShapeResultRectangle | ShapeResultNothing;

/** Has others of its kind. */
export interface Tree {
  children: Tree[];
  next: Tree | null;
  type: Color;
}

/** So many milliseconds. */
export interface CommandWaitVariant {
  wait: number;
}

export interface CommandDraw {
  shape: Shape;
  times?: number | null;
}

export interface CommandDrawVariant {
  draw: CommandDraw;
}

export interface EventDrawn {
  data: ShapeResult;
  event: "Drawn";
}

export interface EventWaited {
  data: number;
  event: "Waited";
}

export interface EventCleared {
  event: "Cleared";
}

/** Round. */
export interface ShapeCircle {
  center: Point;
  kind: "circle";
  radius: number;
}

export interface ShapeRectangle {
  kind: "rectangle";
  height: number;
  width: number;
}

export interface ShapeNothing {
  kind: "nothing";
}

/** Round. */
export interface ShapeResultCircle {
  center: PointResult;
  kind: "circle";
  radius: number;
}

export interface ShapeResultRectangle {
  kind: "rectangle";
  height: number;
  width: number;
}

export interface ShapeResultNothing {
  kind: "nothing";
}

// What all clients have in common.

/** Parameters as they are sent: by position, by name, or none. */
export type Params = unknown[] | { [name: string]: unknown } | undefined;

/** What can be said of one call. */
export interface CallOptions {
  /** Milliseconds to wait for the answer; null is for ever. */
  timeout?: number | null;
  /** Ends the call, with the reason of the signal. */
  signal?: AbortSignal;
}

/** What can be said of one subscription. */
export interface SubscriptionOptions extends CallOptions {
  /**
   * Is told, before an item comes or the subscription ends, how many are missing before that; null if
   * nobody knows whether any are, as after a restart of the server.
   */
  missed?: (count: number | null) => void;
  /** Begins behind the item with this cursor, if items have cursors. */
  after?: string;
}

/** What can be said of a client. */
export interface ClientOptions {
  /** Milliseconds that calls wait for their answers; null is for ever. 30000. */
  timeout?: number | null;
  /** The longest answer that is read, in bytes; 10 MiB. */
  maxResponse?: number;
  /**
   * A bearer token that says who calls, or a function that gives one. Over HTTP it is a header of
   * every request; over a WebSocket it is told before anything else, on every connection. If the
   * server refuses a token, the function is asked again, and the call is sent again, once.
   */
  token?: string | (() => string | Promise<string>);
  /** HTTP: headers of every request. */
  headers?: { [name: string]: string };
  /** HTTP: what sends requests, in place of the global `fetch`. */
  fetch?: typeof fetch;
  /** WebSocket: what makes connections, in place of the global `WebSocket`. */
  webSocket?: new (url: string) => WebSocket;
  /** WebSocket: items of a subscription that may wait until they are taken. 1024. */
  buffer?: number;
}

/** The server answered with an error. */
export class RpcError extends Error {
  override readonly name = "RpcError";

  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** The request failed, or the connection ended: the call may have run. */
export class TransportError extends Error {
  override readonly name = "TransportError";

  /** The status of HTTP, if there was one. */
  readonly status: number | undefined;

  constructor(message: string, status?: number, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

/** No answer came in time: the call may have run. */
export class CallTimeoutError extends Error {
  override readonly name = "CallTimeoutError";
}

/** What came is no answer to what was sent: the call may have run. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** A subscription ended before it was complete. */
export class StreamError extends Error {
  override readonly name = "StreamError";

  readonly reason: string;

  constructor(reason: string) {
    super(`the subscription has ended: ${reason}`);
    this.reason = reason;
  }
}

/** A call, which is sent when it is awaited; awaited twice, it is sent twice. */
export class Call<T> implements PromiseLike<T> {
  private readonly core: Core;
  readonly method: string;
  readonly params: Params;
  private readonly options: CallOptions;

  constructor(
    core: Core,
    method: string,
    params: Params,
    options: CallOptions = {},
  ) {
    this.core = core;
    this.method = method;
    this.params = params;
    this.options = options;
  }

  /** The same call with options of its own. */
  with(options: CallOptions): Call<T> {
    const merged = { ...this.options, ...options };
    return new Call(this.core, this.method, this.params, merged);
  }

  /** Sends it. */
  async send(): Promise<T> {
    const [outcome] = await this.core.send([this], [], false, this.options);
    return settled(outcome) as T;
  }

  /** Sends it as a notification: the method runs, and its outcome is not told. */
  async notify(): Promise<void> {
    await this.core.send([], [this], false, this.options);
  }

  then<A = T, B = never>(
    fulfilled?: ((result: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.send().then(fulfilled, rejected);
  }
}

/**
 * A subscription, which begins when it is iterated and ends with the loop. It needs a WebSocket.
 *
 * If its items have cursors, it goes on behind the last one when the connection is lost or the server
 * stops, with pauses of up to 10 seconds between attempts, until its signal aborts or the client is
 * closed. What it has missed meanwhile comes first, as far as the server has kept it.
 */
export class Subscription<T> implements AsyncIterable<T> {
  private readonly core: Core;
  readonly method: string;
  readonly params: Params;
  /** The cursor of the item that was taken last, to go on behind it: `with({ after: cursor })`. */
  cursor: string | undefined;
  private readonly unsubscribe: string;
  private readonly resumes: boolean;
  private readonly options: SubscriptionOptions;

  constructor(
    core: Core,
    method: string,
    params: Params,
    unsubscribe: string,
    resumes: boolean,
    options: SubscriptionOptions = {},
  ) {
    this.core = core;
    this.method = method;
    this.params = params;
    this.unsubscribe = unsubscribe;
    this.resumes = resumes;
    this.options = options;
  }

  /** The same subscription with options of its own; the signal also ends the loop. */
  with(options: SubscriptionOptions): Subscription<T> {
    const { core, method, params, unsubscribe, resumes } = this;
    const merged = { ...this.options, ...options };
    return new Subscription(
      core,
      method,
      params,
      unsubscribe,
      resumes,
      merged,
    );
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    const { signal } = this.options;
    const era = this.core.era;
    const place = { after: this.options.after, began: false };
    // Attempts in a row without an item.
    for (let attempt = 0; ; attempt += 1) {
      const began = place.began;
      try {
        for await (const item of this.connected(place)) {
          attempt = 0;
          this.cursor = place.after;
          this.miss(item.missed);
          yield item.value as T;
        }
        return;
      } catch (error) {
        const goesOn = this.resumes && place.began && isPassing(error, began);
        if (!goesOn || signal?.aborted || this.core.era !== era) throw error;
        const longest = Math.min(10_000, 100 * 2 ** attempt);
        await pause(Math.random() * longest, signal);
        if (this.core.era !== era) throw error;
      }
    }
  }

  /** The items that come over one connection, from a place on, which moves with them. */
  private async *connected(place: {
    after: string | undefined;
    began: boolean;
  }): AsyncGenerator<Item, void, void> {
    const items = new Items(this.core.buffer);
    const opened = new Call<unknown>(this.core, this.method, this.params);
    const end = () => items.fail(this.options.signal?.reason);
    const [outcome] = await this.core.send(
      [opened],
      [],
      false,
      this.options,
      items,
      // Asks where it begins, to go on there if the connection is lost before an item has come.
      place.after ?? (this.resumes ? null : undefined),
    );
    const id = settled(outcome);
    if (typeof id !== "string" && typeof id !== "number") {
      throw new ProtocolError("the result is no id of a subscription");
    }
    this.options.signal?.addEventListener("abort", end);
    // Without a cursor nobody knows what came while there was no connection.
    if (place.began && place.after === undefined) this.options.missed?.(null);
    place.began = true;
    try {
      if (this.options.signal?.aborted) end();
      for (;;) {
        const item = await items.next().catch((error: unknown) => {
          place.after ??= items.start;
          // If it goes on behind a cursor, the server counts again.
          const goesOn = this.resumes && place.after !== undefined;
          if (!goesOn || !isPassing(error, false)) this.miss(items.behind);
          throw error;
        });
        if (item === undefined) return this.miss(items.behind);
        place.after = item.cursor ?? place.after;
        yield item;
      }
    } finally {
      this.options.signal?.removeEventListener("abort", end);
      this.core.transport.forget?.(id);
      if (!items.ended) {
        const bye = new Call<unknown>(this.core, this.unsubscribe, [id]);
        // That it has ended is what was wanted, however it came about.
        bye.send().catch(() => undefined);
      }
    }
  }

  /** Says that no item comes behind those that are missing. */
  private miss(count: number | null): void {
    if (count !== 0) this.options.missed?.(count);
  }
}

/** Whether what has ended a subscription, or kept it from going on, may pass by itself. */
function isPassing(error: unknown, wentOn: boolean): boolean {
  if (error instanceof StreamError) return error.reason === "shutdown";
  if (error instanceof RpcError) return wentOn && error.code === OVERLOADED;
  return error instanceof TransportError || error instanceof CallTimeoutError;
}

/** Waits, unless the caller wants no more. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** An item, and how many are missing before it; null if nobody knows. */
interface Item {
  value: unknown;
  cursor: string | undefined;
  missed: number | null;
}

/** Items that have come and were not taken yet. */
class Items {
  /** The server sends no more. */
  ended = false;
  /** The cursor of the place where they begin, if the server has told it. */
  start: string | undefined;
  /** How many are missing behind the last one; null if nobody knows. */
  behind: number | null = 0;
  private readonly waiting: Item[] = [];
  /** The number of the message that came last. */
  private seq = 0;
  private end: { error?: unknown } | undefined;
  private wake: (() => void) | undefined;

  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** What the server says of the subscription. */
  take(params: { [name: string]: unknown }): void {
    if (this.end !== undefined) return;
    if ("result" in params) {
      if (this.waiting.length >= this.limit) {
        // What is lost cannot be had again; the rest still comes in order.
        return this.finish({ error: new StreamError("lagged") });
      }
      const { result: value, cursor } = params;
      const missed = this.missing(params["seq"], params["missed"]);
      const known = typeof cursor === "string" ? cursor : undefined;
      this.waiting.push({ value, cursor: known, missed });
    } else if (
      typeof params["cursor"] === "string" &&
      !("end" in params || "error" in params)
    ) {
      this.start = params["cursor"];
    } else {
      const { error, end } = params;
      this.ended = true;
      this.behind = this.missing(params["seq"], params["missed"]);
      const complete = end === "complete" || end === "unsubscribed";
      if (isObject(error)) this.finish({ error: rpcError(error) });
      else if (complete) this.finish({});
      else this.finish({ error: new StreamError(String(end ?? "no reason")) });
    }
    this.wake?.();
  }

  /** How many items are missing: what the server says, and what the numbers leave out. */
  private missing(seq: unknown, missed: unknown): number | null {
    const before = this.seq;
    if (typeof seq === "number") this.seq = seq;
    const gap = Math.max(0, this.seq - before - 1);
    if (missed === null) return null;
    return gap + (typeof missed === "number" ? missed : 0);
  }

  /** Ends it at once: what waits is dropped. */
  fail(error: unknown): void {
    this.waiting.length = 0;
    this.finish({ error });
  }

  /** The connection is gone, and the subscription with it. */
  lose(error: unknown): void {
    this.ended = true;
    this.finish({ error });
  }

  private finish(end: { error?: unknown }): void {
    this.end ??= end;
    this.wake?.();
  }

  /** The next item, or none after the last. */
  async next(): Promise<Item | undefined> {
    for (;;) {
      const item = this.waiting.shift();
      if (item !== undefined) return item;
      if (this.end !== undefined) {
        if ("error" in this.end) throw this.end.error;
        return undefined;
      }
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

/** A request of JSON-RPC 2.0. */
export interface RpcRequest {
  jsonrpc: "2.0";
  id?: number;
  method: string;
  params?: unknown;
  after?: string | null;
}

/** How requests go to the server and answers come back. */
export interface Transport {
  /**
   * Sends one request, or an array of them, and gives the answers to those that have an id: all in
   * an array, in any order, or one for the whole batch.
   */
  exchange(
    message: RpcRequest | RpcRequest[],
    signal: AbortSignal,
    items?: Items,
  ): Promise<unknown>;
  /** Forgets a subscription. */
  forget?(id: string | number): void;
  /** Ends connections. */
  close(): void;
}

/** The tokens of a client. A function is asked by one call for all, and again for another token. */
class Tokens {
  private readonly source: ClientOptions["token"];
  private latest: Promise<string> | undefined;

  constructor(options: ClientOptions) {
    this.source = options.token;
    const names = Object.keys(options.headers ?? {});
    if (
      this.source !== undefined &&
      names.some((name) => name.toLowerCase() === "authorization")
    ) {
      throw new TypeError("a token and a header Authorization are given");
    }
  }

  /** The token for a call. */
  current(): Promise<string> | undefined {
    if (this.source !== undefined) this.latest ??= this.ask(this.source);
    return this.latest;
  }

  /** Another token than one that was refused, if there may be one. */
  after(refused: Promise<string> | undefined): Promise<string> | undefined {
    if (typeof this.source !== "function") return undefined;
    if (this.latest === refused) this.latest = undefined;
    return this.current();
  }

  private ask(source: string | (() => string | Promise<string>)) {
    const asking = (async () => {
      let token: unknown;
      try {
        token = typeof source === "function" ? await source() : source;
      } catch (error) {
        const why = "the call was not sent: there is no token";
        throw new TransportError(why, undefined, error);
      }
      // What no header can carry. The text is not shown: it may be almost a token.
      if (typeof token !== "string" || !/^[!-~]+$/.test(token)) {
        throw new TransportError("the call was not sent: the token is none");
      }
      return token;
    })();
    asking.catch(() => {
      if (this.latest === asking) this.latest = undefined;
    });
    return asking;
  }
}

/** Whether the server did not know who called, so that nothing has run. */
function isUnauthenticated(
  answer: unknown,
  message: RpcRequest | RpcRequest[],
): boolean {
  const refused = (one: unknown) =>
    isObject(one) &&
    isObject(one["error"]) &&
    one["error"]["code"] === UNAUTHENTICATED;
  if (!Array.isArray(answer)) return refused(answer);
  // A notification may have run.
  const asked = [message].flat().every(({ id }) => id !== undefined);
  return asked && answer.length > 0 && answer.every(refused);
}

/** Statuses of HTTP that come with an error of JSON-RPC: the caller is refused. */
const REFUSALS = [401, 403, 429];

const OVERLOADED = -32000;
const UNAUTHENTICATED = -32006;
const METHOD_NOT_FOUND = -32601;

/** Requests over HTTP. */
export class FetchTransport implements Transport {
  private readonly url: string;
  private readonly options: ClientOptions;
  private readonly tokens: Tokens;

  constructor(url: string, options: ClientOptions = {}) {
    this.url = url;
    this.options = options;
    this.tokens = new Tokens(options);
  }

  async exchange(
    message: RpcRequest | RpcRequest[],
    signal: AbortSignal,
    items?: Items,
  ): Promise<unknown> {
    if (items !== undefined) {
      throw new TransportError("a subscription needs a WebSocket");
    }
    const token = this.tokens.current();
    if (token === undefined) return this.post(message, signal);
    const given = await aborted(token, signal);
    try {
      const answer = await this.post(message, signal, given);
      if (!isUnauthenticated(answer, message)) return answer;
      const other = this.tokens.after(token);
      if (other === undefined) return answer;
    } catch (error) {
      const refused =
        (error instanceof TransportError && error.status === 401) ||
        (error instanceof RpcError && error.code === UNAUTHENTICATED);
      if (!refused || this.tokens.after(token) === undefined) throw error;
    }
    const other = await aborted(this.tokens.current() ?? token, signal);
    return this.post(message, signal, other);
  }

  private async post(
    message: RpcRequest | RpcRequest[],
    signal: AbortSignal,
    token?: string,
  ): Promise<unknown> {
    const send = this.options.fetch ?? fetch;
    const authorization =
      token === undefined ? {} : { authorization: `Bearer ${token}` };
    try {
      const response = await send(this.url, {
        method: "POST",
        headers: {
          ...this.options.headers,
          ...authorization,
          accept: "application/json",
          "content-type": "application/json",
        },
        body: JSON.stringify(message),
        redirect: "error",
        signal,
      });
      const text = await this.read(response);
      const requests = Array.isArray(message) ? message : [message];
      const asked = requests.some((request) => request.id !== undefined);
      if (REFUSALS.includes(response.status)) {
        const refusal = refusalIn(text);
        if (asked && refusal !== undefined) return refusal;
        if (refusal !== undefined) throw rpcError(refusal.error);
      }
      if (!response.ok) {
        const said = text.slice(0, 1024).trim();
        const about = `HTTP status ${response.status}`;
        throw new TransportError(
          said === "" ? about : `${about}: ${said}`,
          response.status,
        );
      }
      return asked ? parse(text) : undefined;
    } catch (error) {
      signal.throwIfAborted();
      const known = [TransportError, ProtocolError, RpcError];
      if (known.some((kind) => error instanceof kind)) throw error;
      throw new TransportError(
        `the request failed: ${error}`,
        undefined,
        error,
      );
    }
  }

  private async read(response: Response): Promise<string> {
    const limit = this.options.maxResponse ?? MAX_RESPONSE;
    const reader = response.body?.getReader();
    const decoder = new TextDecoder();
    let text = "";
    let length = 0;
    while (reader !== undefined) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.byteLength;
      if (length > limit) {
        await reader.cancel();
        throw new ProtocolError(`the answer is longer than ${limit} bytes`);
      }
      text += decoder.decode(value, { stream: true });
    }
    return text + decoder.decode();
  }

  close(): void {}
}

/** Answers that are still to come. */
interface Exchange {
  missing: Set<number>;
  answers: unknown[];
  batch: boolean;
  items: Items | undefined;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/**
 * Requests and subscriptions over a WebSocket, which is connected by the first request, and again
 * by the next after it was lost.
 */
export class WebSocketTransport implements Transport {
  private socket: Promise<WebSocket> | undefined;
  private readonly exchanges = new Set<Exchange>();
  private readonly subscriptions = new Map<string | number, Items>();

  private readonly url: string;
  private readonly options: ClientOptions;
  private readonly tokens: Tokens;
  /** The token that the server was told last, and when it has heard it. */
  private told: Promise<string> | undefined;
  private telling: Promise<void> = Promise.resolve();

  constructor(url: string, options: ClientOptions = {}) {
    this.url = url;
    this.options = options;
    this.tokens = new Tokens(options);
  }

  async exchange(
    message: RpcRequest | RpcRequest[],
    signal: AbortSignal,
    items?: Items,
  ): Promise<unknown> {
    const socket = await aborted(this.connected(), signal);
    const told = this.told;
    const answer = await this.ask(socket, message, signal, items);
    if (told === undefined || !isUnauthenticated(answer, message)) {
      return answer;
    }
    const renewed = this.renew(socket, told);
    if (renewed === undefined) return answer;
    await aborted(renewed, signal);
    return this.ask(socket, message, signal, items);
  }

  /** Tells another token on a connection that lives; those who ask for it at once share it. */
  private renew(
    socket: WebSocket,
    refused: Promise<string>,
  ): Promise<void> | undefined {
    if (this.told === refused) {
      const token = this.tokens.after(refused);
      if (token === undefined) return undefined;
      this.told = token;
      this.telling = token.then((given) => this.tell(socket, given));
    }
    return this.telling;
  }

  /** Tells who calls on a new connection. A token that is refused is replaced once. */
  private async authenticate(socket: WebSocket): Promise<void> {
    this.told = this.tokens.current();
    if (this.told === undefined) return;
    const first = this.told;
    try {
      return await this.tell(socket, await first);
    } catch (error) {
      const refused =
        error instanceof RpcError && error.code === UNAUTHENTICATED;
      const other = refused ? this.tokens.after(first) : undefined;
      if (other === undefined) throw error;
      this.told = other;
      await this.tell(socket, await other);
    }
  }

  /** A server without this method needs no token. */
  private async tell(socket: WebSocket, token: string): Promise<void> {
    // Calls have ids from 1.
    const request: RpcRequest = {
      jsonrpc: "2.0",
      id: 0,
      method: "rpc.authenticate",
      params: [token],
    };
    const { signal, done } = deadline(10_000, undefined);
    try {
      const answer = outcome(await this.ask(socket, request, signal));
      if (answer.status === "fulfilled") return;
      const reason: unknown = answer.reason;
      const unknown =
        reason instanceof RpcError && reason.code === METHOD_NOT_FOUND;
      if (!unknown) throw reason;
    } finally {
      done();
    }
  }

  private async ask(
    socket: WebSocket,
    message: RpcRequest | RpcRequest[],
    signal: AbortSignal,
    items?: Items,
  ): Promise<unknown> {
    const text = JSON.stringify(message);
    const requests = Array.isArray(message) ? message : [message];
    const ids = requests.flatMap(({ id }) => (id === undefined ? [] : [id]));
    if (ids.length === 0) return socket.send(text);
    const answer = new Promise<unknown>((resolve, reject) => {
      const exchange: Exchange = {
        missing: new Set(ids),
        answers: [],
        batch: Array.isArray(message),
        items,
        resolve,
        reject,
      };
      this.exchanges.add(exchange);
      const abort = () => {
        if (!this.exchanges.delete(exchange)) return;
        for (const id of exchange.missing) {
          const cancel = { method: "$/cancelRequest", params: { id } };
          socket.send(JSON.stringify({ jsonrpc: "2.0", ...cancel }));
        }
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
    });
    socket.send(text);
    return answer;
  }

  forget(id: string | number): void {
    this.subscriptions.delete(id);
  }

  close(): void {
    this.socket?.then(
      (socket) => socket.close(),
      () => undefined,
    );
  }

  private connected(): Promise<WebSocket> {
    this.socket ??= new Promise<WebSocket>((resolve, reject) => {
      const socket = new (this.options.webSocket ?? WebSocket)(this.url);
      let opened = false;
      let over = false;
      const end = (why: string) => {
        if (over) return;
        over = true;
        this.socket = undefined;
        const error = new TransportError(why);
        reject(error);
        const exchanges = [...this.exchanges];
        this.exchanges.clear();
        for (const exchange of exchanges) exchange.reject(error);
        const subscriptions = [...this.subscriptions.values()];
        this.subscriptions.clear();
        for (const items of subscriptions) items.lose(error);
      };
      socket.onopen = () => {
        opened = true;
        this.authenticate(socket).then(
          () => resolve(socket),
          (error: unknown) => {
            reject(error);
            socket.close();
          },
        );
      };
      socket.onmessage = (event: { data: unknown }) =>
        this.receive(socket, event.data);
      // Node.js 20 does not close a WebSocket that could not be opened.
      socket.onerror = () => {
        if (!opened) end("the connection could not be opened");
      };
      socket.onclose = (event) => {
        const why = event.reason === "" ? "" : `: ${event.reason}`;
        end(`the connection has ended (${event.code})${why}`);
      };
    });
    return this.socket;
  }

  private receive(socket: WebSocket, data: unknown): void {
    const limit = this.options.maxResponse ?? MAX_RESPONSE;
    if (typeof data !== "string" || data.length > limit) {
      return socket.close(1009, "too long");
    }
    let message: unknown;
    try {
      message = parse(data);
    } catch {
      return socket.close(1002, "no JSON");
    }
    if (Array.isArray(message)) {
      for (const one of message) this.hear(one);
    } else {
      this.hear(message);
    }
  }

  private hear(message: unknown): void {
    if (!isObject(message)) return;
    const { id, params } = message;
    if ("method" in message) {
      if (!isObject(params)) return;
      const subscription = params["subscription"];
      if (typeof subscription !== "string" && typeof subscription !== "number")
        return;
      const items = this.subscriptions.get(subscription);
      items?.take(params);
      if (items?.ended) this.subscriptions.delete(subscription);
      return;
    }
    for (const exchange of this.exchanges) {
      // What could not be read has no id: only where one waits it is clear which.
      const whole = id === null && this.exchanges.size === 1;
      if (whole) exchange.missing.clear();
      else if (typeof id !== "number" || !exchange.missing.delete(id)) continue;
      exchange.answers.push(message);
      const opened = message["result"];
      if (
        exchange.items !== undefined &&
        (typeof opened === "string" || typeof opened === "number")
      ) {
        // At once: the first item may be the next message.
        this.subscriptions.set(opened, exchange.items);
      }
      if (exchange.missing.size === 0) {
        this.exchanges.delete(exchange);
        const all = exchange.batch && !whole;
        exchange.resolve(all ? exchange.answers : message);
      }
      return;
    }
  }
}

const MAX_RESPONSE = 10 * 1024 * 1024;

/** What namespaces of a client share. */
export class Core {
  readonly buffer: number;
  private readonly timeout: number | null;
  private lastId = 0;
  /** How often the client was closed. */
  era = 0;

  readonly transport: Transport;

  constructor(transport: Transport, options: ClientOptions) {
    this.transport = transport;
    this.buffer = options.buffer ?? 1024;
    this.timeout = options.timeout === undefined ? 30_000 : options.timeout;
  }

  call<T>(method: string, params?: Params): Call<T> {
    return new Call(this, method, params);
  }

  subscription<T>(
    method: string,
    unsubscribe: string,
    params?: Params,
  ): Subscription<T> {
    return new Subscription(this, method, params, unsubscribe, false);
  }

  /** A subscription whose items have cursors. */
  resumable<T>(
    method: string,
    unsubscribe: string,
    params?: Params,
  ): Subscription<T> {
    return new Subscription(this, method, params, unsubscribe, true);
  }

  close(): void {
    this.era += 1;
    this.transport.close();
  }

  /** What became of calls, in their order. */
  async send(
    calls: readonly Call<unknown>[],
    notifications: readonly Call<unknown>[],
    batch: boolean,
    options: CallOptions,
    items?: Items,
    after?: string | null,
  ): Promise<PromiseSettledResult<unknown>[]> {
    const requests = [...calls, ...notifications].map(
      (call, at): RpcRequest => {
        const request: RpcRequest = { jsonrpc: "2.0", method: call.method };
        if (at < calls.length) request.id = ++this.lastId;
        if (call.params !== undefined) request.params = call.params;
        if (after !== undefined) request.after = after;
        return request;
      },
    );
    const [first] = requests;
    if (first === undefined) return [];
    const message = batch ? requests : first;
    const timeout =
      options.timeout === undefined ? this.timeout : options.timeout;
    const { signal, done } = deadline(timeout, options.signal);
    let answer: unknown;
    try {
      answer = await this.transport.exchange(message, signal, items);
    } finally {
      done();
    }
    if (calls.length === 0) return [];
    if (batch && !Array.isArray(answer)) {
      // One error for all of it, as for a batch that is too long.
      const whole = outcome(answer);
      throw whole.status === "rejected"
        ? whole.reason
        : new ProtocolError("the answer is none to a batch");
    }
    const answers = new Map<unknown, unknown>();
    for (const one of batch ? (answer as unknown[]) : [answer]) {
      if (isObject(one)) answers.set(one["id"], one);
    }
    return requests.slice(0, calls.length).map(({ id }) => {
      // An error may be of a request that could not be read, and has no id then.
      const one = answers.get(id) ?? (batch ? undefined : answers.get(null));
      if (one === undefined) {
        const reason = new ProtocolError("the call has no answer");
        return { status: "rejected", reason };
      }
      return outcome(one);
    });
  }
}

/** What all clients have. */
export class ClientBase {
  protected readonly core: Core;

  /**
   * A client of the server at this URL (`http:`, `https:`, `ws:` or `wss:`), or behind a transport.
   * Nothing is connected before the first call.
   */
  constructor(target: string | URL | Transport, options: ClientOptions = {}) {
    let transport: Transport;
    if (typeof target === "string" || target instanceof URL) {
      const url = String(target);
      transport = /^wss?:/i.test(url)
        ? new WebSocketTransport(url, options)
        : new FetchTransport(url, options);
    } else {
      transport = target;
    }
    this.core = new Core(transport, options);
  }

  /**
   * Sends calls in one request, and tells what became of each, in their order. Fails only when
   * nothing can be said of a single one. `notify` are calls to be sent as notifications.
   */
  async batch<const C extends readonly Call<unknown>[]>(
    calls: C,
    options: CallOptions & { notify?: readonly Call<unknown>[] } = {},
  ): Promise<{
    -readonly [K in keyof C]: PromiseSettledResult<Awaited<C[K]>>;
  }> {
    const notify = options.notify ?? [];
    const outcomes = await this.core.send(calls, notify, true, options);
    return outcomes as {
      -readonly [K in keyof C]: PromiseSettledResult<Awaited<C[K]>>;
    };
  }

  /** Ends the connection, if there is one; the next call makes another. */
  close(): void {
    this.core.close();
  }
}

/** By name. */
function byName(...params: [string, unknown][]): Params {
  return Object.fromEntries(params.filter(([, value]) => value !== undefined));
}

/** By position; what is left out at the end is not sent. */
function byPosition(...params: [string, unknown][]): Params {
  const values = params.map(([, value]) => value);
  while (values.length > 0 && values[values.length - 1] === undefined) {
    values.pop();
  }
  const gap = values.indexOf(undefined);
  if (gap >= 0) {
    const name = params[gap]?.[0];
    throw new TypeError(`${name} is left out, and a later parameter is not`);
  }
  return values.length === 0 ? undefined : values;
}

/** By position, unless one is left out before another. */
function either(...params: [string, unknown][]): Params {
  let last = params.length - 1;
  while (last >= 0 && params[last]?.[1] === undefined) last -= 1;
  const given = params.slice(0, last + 1);
  const whole = given.every(([, value]) => value !== undefined);
  return whole ? byPosition(...given) : byName(...given);
}

function isObject(value: unknown): value is { [name: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProtocolError("the answer is no JSON");
  }
}

/** An error in the body of a response that has another status than 200. */
function refusalIn(
  text: string,
): { error: { [name: string]: unknown } } | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    if (!isObject(answer) || answer["jsonrpc"] !== "2.0") return undefined;
    const error = answer["error"];
    return isObject(error) ? { ...answer, error } : undefined;
  } catch {
    return undefined;
  }
}

function rpcError(error: { [name: string]: unknown }): Error {
  const { code, message, data } = error;
  return typeof code === "number" && typeof message === "string"
    ? new RpcError(code, message, data)
    : new ProtocolError("the error in the answer is none of JSON-RPC 2.0");
}

/** What a response says. */
function outcome(response: unknown): PromiseSettledResult<unknown> {
  const rejected = (reason: unknown) =>
    ({ status: "rejected", reason }) as const;
  if (!isObject(response) || response["jsonrpc"] !== "2.0") {
    return rejected(new ProtocolError("the answer is none of JSON-RPC 2.0"));
  }
  const { result, error, id } = response;
  if (isObject(error) && !("result" in response)) {
    return rejected(rpcError(error));
  }
  const good = "result" in response && (error === undefined || error === null);
  return good && id !== null
    ? { status: "fulfilled", value: result }
    : rejected(new ProtocolError("the answer is neither result nor error"));
}

function settled(outcome: PromiseSettledResult<unknown> | undefined): unknown {
  if (outcome?.status === "fulfilled") return outcome.value;
  throw outcome?.reason ?? new ProtocolError("the call has no answer");
}

/** A signal for when the time is over, or the caller wants no more. */
function deadline(
  timeout: number | null,
  outer: AbortSignal | undefined,
): { signal: AbortSignal; done: () => void } {
  const controller = new AbortController();
  const abort = () => controller.abort(outer?.reason);
  const late = () =>
    controller.abort(new CallTimeoutError(`no answer within ${timeout} ms`));
  const timer = timeout === null ? undefined : setTimeout(late, timeout);
  if (outer?.aborted) abort();
  outer?.addEventListener("abort", abort);
  const done = () => {
    clearTimeout(timer);
    outer?.removeEventListener("abort", abort);
  };
  return { signal: controller.signal, done };
}

/** A promise, for as long as somebody wants it. */
function aborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
    promise.then(resolve, reject);
  });
}

// Methods.

/** Codes of errors: those of JSON-RPC itself, and what the server declares. */
export const ErrorCode = {
  ParseError: -32700,
  InvalidRequest: -32600,
  MethodNotFound: -32601,
  InvalidParams: -32602,
  InternalError: -32603,
  /**
   * division by zero
   *
   * There is no such number.
   */
  DivisionByZero: 1,
  /** there is no such drawer */
  ThereIsNoSuchDrawer: 101,
  /**
   * drawer {drawer} is full
   *
   * Pressing may help.
   */
  DrawerDrawerIsFull: 102,
} as const;

/** The methods of `calc`. */
export class CalcMethods {
  private readonly core: Core;

  constructor(core: Core) {
    this.core = core;
  }

  /** Adds two numbers. */
  add(a: number, b: number): Call<number> {
    return this.core.call("calc.add", either(["a", a], ["b", b]));
  }

  /** The same as `add`, with parameters by name. */
  addNamed(params: { a: number; b: number }): Call<number> {
    return this.core.call("calc.add", params);
  }

  /**
   * Divides two numbers.
   *
   * @param a An integer of 64 bits: beyond 2⁵³ − 1 it is rounded.
   * @param b Anything but 0. An integer of 64 bits: beyond 2⁵³ − 1 it is rounded.
   * @returns An integer of 64 bits: beyond 2⁵³ − 1 it is rounded.
   * @throws {RpcError} with the code 1
   */
  divide(a: number, b: number): Call<number> {
    return this.core.call("calc.divide", either(["a", a], ["b", b]));
  }

  /** The same as `divide`, with parameters by name. */
  divideNamed(params: { a: number; b: number }): Call<number> {
    return this.core.call("calc.divide", params);
  }

  /** Paths of `size` steps, each of them `step` long. */
  randomPaths(
    num_paths?: number,
    size?: number,
    step?: number | null,
  ): Call<number[][]> {
    return this.core.call(
      "calc.randomPaths",
      either(["num_paths", num_paths], ["size", size], ["step", step]),
    );
  }

  /** The same as `randomPaths`, with parameters by name. */
  randomPathsNamed(params?: {
    num_paths?: number;
    size?: number;
    step?: number | null;
  }): Call<number[][]> {
    return this.core.call("calc.randomPaths", params);
  }
}

/** The methods of `news`. */
export class NewsMethods {
  private readonly core: Core;

  constructor(core: Core) {
    this.core = core;
  }

  /** Lines about a subject. */
  follow(subject: string): Subscription<string> {
    return this.core.resumable(
      "news.follow",
      "rpc.unsubscribe",
      either(["subject", subject]),
    );
  }

  /** The same as `follow`, with parameters by name. */
  followNamed(params: { subject: string }): Subscription<string> {
    return this.core.resumable("news.follow", "rpc.unsubscribe", params);
  }

  /**
   * Tells a line, and returns its number.
   *
   * @returns An integer of 64 bits: beyond 2⁵³ − 1 it is rounded.
   */
  tell(subject: string, line: string): Call<number> {
    return this.core.call(
      "news.tell",
      either(["subject", subject], ["line", line]),
    );
  }

  /** The same as `tell`, with parameters by name. */
  tellNamed(params: { subject: string; line: string }): Call<number> {
    return this.core.call("news.tell", params);
  }
}

/** The methods of `shapes.drawers`. */
export class ShapesDrawersMethods {
  private readonly core: Core;

  constructor(core: Core) {
    this.core = core;
  }

  /** Takes everything out. */
  clear(): Call<null> {
    return this.core.call("shapes.drawers.clear");
  }

  /**
   * Puts a shape into a drawer.
   *
   * @param try_ Whether to press.
   * @throws {RpcError} with the code 101
   * @throws {RpcError} with the code 102
   */
  put(shape: Shape, drawer: number, try_?: boolean | null): Call<Receipt> {
    return this.core.call(
      "shapes.drawers.put",
      either(["shape", shape], ["drawer", drawer], ["try", try_]),
    );
  }

  /** The same as `put`, with parameters by name. */
  putNamed(params: {
    shape: Shape;
    drawer: number;
    try?: boolean | null;
  }): Call<Receipt> {
    return this.core.call("shapes.drawers.put", params);
  }
}

/** The methods of `shapes`. */
export class ShapesMethods {
  private readonly core: Core;
  readonly drawers: ShapesDrawersMethods;

  constructor(core: Core) {
    this.core = core;
    this.drawers = new ShapesDrawersMethods(core);
  }

  /** The area of a shape. */
  area(shape: Shape): Call<number> {
    return this.core.call("shapes.area", either(["shape", shape]));
  }

  /** The same as `area`, with parameters by name. */
  areaNamed(params: { shape: Shape }): Call<number> {
    return this.core.call("shapes.area", params);
  }

  /** Numbers or texts, as they came. */
  either(values: Either[]): Call<Either[]> {
    return this.core.call("shapes.either", either(["values", values]));
  }

  /** The same as `either`, with parameters by name. */
  eitherNamed(params: { values: Either[] }): Call<Either[]> {
    return this.core.call("shapes.either", params);
  }

  /** The shape of a colour, if there is one. */
  find(
    color: Color,
    names?: { [key: string]: Color } | null,
  ): Call<ShapeResult | null> {
    return this.core.call(
      "shapes.find",
      either(["color", color], ["names", names]),
    );
  }

  /** The same as `find`, with parameters by name. */
  findNamed(params: {
    color: Color;
    names?: { [key: string]: Color } | null;
  }): Call<ShapeResult | null> {
    return this.core.call("shapes.find", params);
  }

  /** Follows a command, and says what came of it. */
  follow(command: Command): Call<Event[]> {
    return this.core.call("shapes.follow", either(["command", command]));
  }

  /** The same as `follow`, with parameters by name. */
  followNamed(params: { command: Command }): Call<Event[]> {
    return this.core.call("shapes.follow", params);
  }

  /** A tree in which every branch has two. */
  tree(depth: number): Call<Tree> {
    return this.core.call("shapes.tree", either(["depth", depth]));
  }

  /** The same as `tree`, with parameters by name. */
  treeNamed(params: { depth: number }): Call<Tree> {
    return this.core.call("shapes.tree", params);
  }

  /** What happens to shapes; fails after the second event. */
  watch(color?: Color | null): Subscription<Event> {
    return this.core.subscription(
      "shapes.watch",
      "shapes.unwatch",
      either(["color", color]),
    );
  }

  /** The same as `watch`, with parameters by name. */
  watchNamed(params?: { color?: Color | null }): Subscription<Event> {
    return this.core.subscription("shapes.watch", "shapes.unwatch", params);
  }
}

/** The client: a method for each of the server's. */
export class WorkshopClient extends ClientBase {
  readonly calc = new CalcMethods(this.core);
  readonly news = new NewsMethods(this.core);
  readonly shapes = new ShapesMethods(this.core);

  /** Gives back what it was given. */
  echo(message?: unknown): Call<unknown> {
    return this.core.call("echo", either(["message", message]));
  }

  /** The same as `echo`, with parameters by name. */
  echoNamed(params?: { message?: unknown }): Call<unknown> {
    return this.core.call("echo", params);
  }

  /**
   * Was there before `page`.
   *
   * @deprecated
   */
  list(): Call<[number, string | null]> {
    return this.core.call("list");
  }

  /**
   * A page of something, whose parameters have names only.
   *
   * @param limit How many at most.
   */
  page(words: string[], limit?: number, start?: number): Call<string[]> {
    return this.core.call(
      "page",
      byName(["words", words], ["limit", limit], ["start", start]),
    );
  }

  /** The same as `page`, with parameters by name. */
  pageNamed(params: {
    words: string[];
    limit?: number;
    start?: number;
  }): Call<string[]> {
    return this.core.call("page", params);
  }

  /** Answers, so that callers know that somebody is there. */
  ping(): Call<string> {
    return this.core.call("ping");
  }

  /**
   * Counts from 1 to `count`, or for ever.
   *
   * @param count An integer of 64 bits: beyond 2⁵³ − 1 it is rounded.
   * @param milliseconds From one to the next. An integer of 64 bits: beyond 2⁵³ − 1 it is rounded.
   */
  ticks(
    count?: number | null,
    milliseconds?: number | null,
  ): Subscription<number> {
    return this.core.subscription(
      "ticks",
      "rpc.unsubscribe",
      either(["count", count], ["milliseconds", milliseconds]),
    );
  }

  /** The same as `ticks`, with parameters by name. */
  ticksNamed(params?: {
    count?: number | null;
    milliseconds?: number | null;
  }): Subscription<number> {
    return this.core.subscription("ticks", "rpc.unsubscribe", params);
  }

  /**
   * Adds numbers, whatever they are called.
   *
   * @param start An integer of 64 bits: beyond 2⁵³ − 1 it is rounded.
   * @param extra Other parameters. An integer of 64 bits: beyond 2⁵³ − 1 it is rounded.
   * @returns An integer of 64 bits: beyond 2⁵³ − 1 it is rounded.
   */
  total(start: number, extra?: { [key: string]: number }): Call<number> {
    return this.core.call(
      "total",
      byName(["start", start], ...Object.entries(extra ?? {})),
    );
  }

  /** The same as `total`, with parameters by name. */
  totalNamed(params: { start: number; [name: string]: unknown }): Call<number> {
    return this.core.call("total", params);
  }
}
