// What the Worker asks of its runtime, in as few crossings between WebAssembly and JavaScript as there can be: a
// request comes in as one string, an answer goes out as one string and a body. No decision is made here, and no body
// comes near WebAssembly's memory.

/** The request's headers that anything depends on; `accept-encoding` is read apart. */
const HEADERS = [
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
  "if-range",
  "range",
  "x-request-id",
  "authorization",
  "cf-connecting-ip",
];

/**
 * A request in lines: the method, the URL, the time in milliseconds, an id for it in case that it brings none, and headers
 * as `name:value`.
 *
 * The runtime may rewrite `Accept-Encoding`; what the client sent stands in `cf`.
 */
export function lines(request) {
  const { headers, cf } = request;
  let text = `${request.method}\n${request.url}\n${Date.now()}\n${crypto.randomUUID()}`;
  const coding = cf?.clientAcceptEncoding ?? headers.get("accept-encoding");
  if (coding) text += `\naccept-encoding:${coding}`;
  for (const name of HEADERS) {
    const value = headers.get(name);
    if (value !== null) text += `\n${name}:${value}`;
  }
  return text;
}

/** Milliseconds since 1970. */
export const now = () => Date.now();

/** A variable or a secret, if it is set. */
export function variable(env, name) {
  const value = env[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/**
 * Headers of an answer, from lines of `name:value` with each name once. An object: the runtime takes three times as long
 * to read pairs.
 */
function named(lines) {
  const headers = {};
  for (const line of lines.split("\n")) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon)] = line.slice(colon + 1);
  }
  return headers;
}

/** An answer with a text, or with no body at all. */
export const answer = (status, headers, text) =>
  new Response(text ?? null, { status, headers: named(headers), encodeBody: "manual" });

/** An answer with a stored object, as it is stored: `from` is a response of the cache, or an `ArrayBuffer`. */
export function answerStored(status, headers, from) {
  const body = from instanceof ArrayBuffer ? from : from.body;
  return new Response(body, { status, headers: named(headers), encodeBody: "manual" });
}

/** Content of at most so many bytes is unpacked at once; what is longer is streamed, and never held as a whole. */
const UNPACKED_BYTES = 1_048_576;

/** An answer with a stored gzip unpacked to its `length` bytes. */
export async function answerUnpacked(status, headers, from, length) {
  const isHeld = from instanceof ArrayBuffer;
  let body;
  if (length <= UNPACKED_BYTES) {
    body = await unpacked(isHeld ? from : await from.arrayBuffer(), length);
    if (body === null) throw new Error("the gzip is damaged");
  } else {
    const stored = isHeld ? new Response(from).body : from.body;
    // Without a fixed length there would be no Content-Length, for want of which c2pa-rs stops reading at 10 MB.
    body = stored.pipeThrough(new DecompressionStream("gzip")).pipeThrough(new FixedLengthStream(length));
  }
  return new Response(body, { status, headers: named(headers), encodeBody: "manual" });
}

/**
 * An answer with the bytes from `first` up to `end` of an object's content of `length` bytes. A long content goes past in
 * pieces, of which no more than one is held: a range of one byte costs no more memory than that.
 */
export async function answerPart(status, headers, from, gzip, length, first, end) {
  const isHeld = from instanceof ArrayBuffer;
  let body;
  if (isHeld && !gzip) {
    body = new Uint8Array(from, first, end - first);
  } else if (gzip && length <= UNPACKED_BYTES) {
    const content = await unpacked(isHeld ? from : await from.arrayBuffer(), length);
    if (content === null) throw new Error("the gzip is damaged");
    body = content.slice(first, end);
  } else {
    const stored = isHeld ? new Response(from).body : from.body;
    const content = gzip ? stored.pipeThrough(new DecompressionStream("gzip")) : stored;
    body = content.pipeThrough(part(first, end)).pipeThrough(new FixedLengthStream(end - first));
  }
  return new Response(body, { status, headers: named(headers), encodeBody: "manual" });
}

/** Lets the bytes from `first` up to `end` pass, and ends there: what comes behind them is not read. */
function part(first, end) {
  let at = 0;
  return new TransformStream({
    transform(chunk, controller) {
      const from = Math.max(first - at, 0);
      const to = Math.min(end - at, chunk.length);
      at += chunk.length;
      if (from < to) controller.enqueue(chunk.subarray(from, to));
      if (at >= end) controller.terminate();
    },
  });
}

/** zlib's first buffer, in bytes. */
const ZLIB_BUFFER = 16_384;
let zlib;

/**
 * The content of a gzip, if it is one to its last byte and has exactly `length` bytes; no more than twice that are ever held.
 *
 * zlib takes 10 µs for a record, and a `DecompressionStream` 110. It takes 4 ms to load, so that is left until it is used.
 * What zlib does not unpack whole, the stream judges: it is stricter, and always there.
 */
async function unpacked(stored, length) {
  zlib ??= globalThis.process?.getBuiltinModule?.("node:zlib");
  // A gzip ends with the length of its content (RFC 1952, section 2.3.1). Zeros behind it, which zlib would not mind, do not.
  const end = stored.byteLength - 4;
  if (end > 0 && new DataView(stored, end).getUint32(0, true) === length) {
    try {
      // The limit counts zlib's buffers, which double, and not what comes out.
      const content = zlib.gunzipSync(stored, { maxOutputLength: 2 * length + ZLIB_BUFFER });
      if (content.byteLength === length) return content;
    } catch {
      // The stream says whether it is damaged.
    }
  }
  return streamed(stored, length);
}

/** The same, by a stream. */
async function streamed(stored, length) {
  const content = new Uint8Array(length);
  let at = 0;
  try {
    for await (const chunk of new Response(stored).body.pipeThrough(new DecompressionStream("gzip"))) {
      if (chunk.length > length - at) return null;
      content.set(chunk, at);
      at += chunk.length;
    }
  } catch {
    return null;
  }
  return at === length ? content : null;
}

/** SHA-256 of an object's content in hexadecimal digits; `undefined` where it has another length than `length`. */
export async function digest(stored, gzip, length) {
  const content = gzip ? await unpacked(stored, length) : stored;
  if (content === null || content.byteLength !== length) return undefined;
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return bytes.toHex?.() ?? Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** An object of more bytes than this is long: it is loaded when there is room for it. */
const LONG_BYTES = 1_048_576;

/**
 * Most long objects that an isolate loads and checks at a time, from wherever they come. Each takes its bytes as stored, which
 * are ten megabytes at most, and up to twice its content while it is unpacked, of the 128 MB that an isolate has.
 */
const LOADS = 3;

/**
 * Longest time that what was loaded keeps its place while it is checked. Whoever loads gives the place back; what the runtime
 * ended in the middle, or a program that was aborted, does not.
 */
const CHECKED_MILLISECONDS = 10_000;

/** The places that are taken, each with the time at which it is free by itself; and the place of what was loaded. */
const places = new Set();
const taken = new WeakMap();

/**
 * Waits for a place for a long object, for as long as its load may take. It is looked for again and again: a request may not
 * wait for what happens in another one's context.
 */
async function enter(loading) {
  while (loading.place === undefined) {
    if (loading.isOver) throw new Error("too many long objects are loaded at the same time");
    const now = Date.now();
    for (const place of places) if (place.until <= now) places.delete(place);
    if (places.size < LOADS) {
      loading.place = { until: now + loading.milliseconds + CHECKED_MILLISECONDS };
      places.add(loading.place);
    } else {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/**
 * What `work` brings within so many milliseconds, and with it the place of its bytes. `work` is given what `enter` takes, for
 * when the object turns out to be long. Where nothing comes in time its place is free at once: the request that loaded has an answer
 * then, and the runtime ends the rest of what it does, wherever that is.
 */
async function loaded(milliseconds, work) {
  const loading = { milliseconds, isOver: false, place: undefined };
  const free = () => places.delete(loading.place);
  try {
    const [result, bytes] = await within(milliseconds, work(loading));
    if (bytes === undefined) free();
    else if (loading.place !== undefined) taken.set(bytes, loading.place);
    return result;
  } catch (error) {
    loading.isOver = true;
    free();
    throw error;
  }
}

/** Gives the place of what was loaded to others. */
export function leave(bytes) {
  places.delete(taken.get(bytes));
}

/** Counts one more under `key` by a limiter, which may take so many milliseconds; whether that is within its bound. */
export async function mayLook(limiter, key, milliseconds) {
  return (await within(milliseconds, limiter.limit({ key }))).success;
}

/** The cached response under a URL. */
export const match = (url) => caches.default.match(url);

/** What is said of a cached object. */
export const said = (response) => response.headers.get("credlink-entry") ?? undefined;

/** Caches an object, or the fact that there is none: `from` is a response of the cache, an `ArrayBuffer` or nothing. */
export const keep = (url, headers, from) =>
  caches.default.put(url, new Response(from instanceof Response ? from.body : from ?? null, { headers: named(headers) }));

/** Forgets what is cached under a URL. */
export const forget = (url) => caches.default.delete(url);

/** The same, or a failure when it takes longer than so many milliseconds. */
async function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits for what another request began. The promise belongs to that request's context, and so would everything that
 * follows it: the one that is returned here belongs to this request's.
 */
export const follow = (promise, milliseconds) => within(milliseconds, promise.then(() => undefined));

/**
 * An object of R2: `undefined` where there is none, without `stored` where it still has the tag that is known, is larger than
 * `limit`, or has the metadata `hidden` (`name=value`).
 */
export const load = (bucket, key, known, limit, hidden, milliseconds) =>
  loaded(milliseconds, async (loading) => {
    const found = await bucket.get(key, known === undefined ? undefined : { onlyIf: { etagDoesNotMatch: known } });
    if (found === null) return [undefined];
    const { etag, size, httpMetadata = {}, customMetadata = {} } = found;
    const attributes = JSON.stringify({
      content_type: httpMetadata.contentType ?? "",
      content_encoding: httpMetadata.contentEncoding,
      cache_control: httpMetadata.cacheControl,
      metadata: customMetadata,
    });
    const about = { etag, size, attributes };
    if (found.body === undefined || found.body === null) return [about];
    const isHidden = Object.entries(customMetadata).some(([name, value]) => `${name}=${value}` === hidden);
    if (size > limit || isHidden) {
      await found.body.cancel();
      return [about];
    }
    if (size > LONG_BYTES) await enter(loading);
    const stored = await found.arrayBuffer();
    return [{ ...about, stored }, stored];
  });

/** Puts an object into R2 where nothing stands; whether it did. */
export async function fill(bucket, key, stored, said) {
  const attributes = JSON.parse(said);
  const written = await bucket.put(key, stored, {
    onlyIf: new Headers({ "if-none-match": "*" }),
    httpMetadata: {
      contentType: attributes.content_type,
      contentEncoding: attributes.content_encoding,
      cacheControl: attributes.cache_control,
    },
    customMetadata: attributes.metadata,
  });
  return written !== null;
}

/** Asks R2 for something that is not there. */
export const probe = (bucket, key, milliseconds) =>
  within(milliseconds, bucket.head(key).then(() => undefined));

/** A body of at most `limit` bytes; `undefined` where it has more. One that turns out to be long enters as `loading`. */
async function bounded(message, limit, loading) {
  if (message.body === null) return new ArrayBuffer(0);
  const chunks = [];
  let length = 0;
  for await (const chunk of message.body) {
    length += chunk.length;
    if (length > limit) return undefined;
    chunks.push(chunk);
    if (length > LONG_BYTES && loading !== undefined) await enter(loading);
  }
  return new Blob(chunks).arrayBuffer();
}

/** The text of a request's body; `undefined` where it has more than `limit` bytes. */
export async function text(request, limit) {
  const body = await bounded(request, limit);
  return body && new TextDecoder().decode(body);
}

/**
 * Asks another server, which may take so many milliseconds in all. The bytes of the body are missing where they are
 * more than `limit`. No answer of it is taken from a cache, and no redirect is followed.
 */
export const ask = (method, url, headers, content, limit, milliseconds) =>
  loaded(milliseconds, async (loading) => {
    const response = await fetch(url, {
      method,
      headers: headers === "" ? {} : named(headers),
      body: content,
      cache: "no-store",
      redirect: "manual",
      signal: AbortSignal.timeout(milliseconds),
    });
    const body = await bounded(response, limit, loading);
    const answered = {
      status: response.status,
      type: response.headers.get("content-type") ?? "",
      coding: response.headers.get("content-encoding") ?? undefined,
      attributes: response.headers.get("credlink-attributes") ?? undefined,
      location: response.headers.get("location") ?? undefined,
      body,
    };
    return [answered, body];
  });

/** The text of bytes. */
export const decode = (bytes) => new TextDecoder().decode(bytes);

/** Keeps a request's context alive until `promise` is settled. */
export const waitUntil = (context, promise) => context.waitUntil(promise);

/** A line of the log. */
export const log = (line) => console.log(line);

/** A line of the log that somebody has to look at. */
export const complain = (line) => console.error(line);
