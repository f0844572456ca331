// The Worker's calls to its runtime, with as few crossings between WebAssembly and JavaScript as possible: a request goes in as
// one string, and an answer comes out as one string and a body. No decision is made here, and no body is copied into
// WebAssembly's memory.

/**
 * The request headers that every answer may depend on, except `accept-encoding`, which is read separately. The program knows
 * these names (`request.rs`), and no others.
 */
const HEADERS = [
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
  "if-range",
  "range",
  "x-request-id",
];

/** The request headers that only a request that waits may need: a purge, and one that the cache cannot answer. */
const MORE_HEADERS = ["authorization", "cf-connecting-ip"];

/** The request header on which only an answer with bytes of a file may depend. */
const FILE_HEADERS = ["accept"];

/**
 * Returns a request as lines: the method, the URL, the time in milliseconds, an ID for it in case it has none, and headers as
 * `name:value`.
 *
 * The runtime may rewrite `Accept-Encoding`; `cf` has the value that the client sent.
 */
function lines({ method, url, headers, cf }) {
  const text = `${method}\n${url}\n${Date.now()}\n${crypto.randomUUID()}`;
  const coding = cf?.clientAcceptEncoding ?? headers.get("accept-encoding");
  return (coding ? `${text}\naccept-encoding:${coding}` : text) + values(headers, HEADERS);
}

/** Returns a line for each of these headers that a request has. */
function values(headers, names) {
  let text = "";
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null) text += `\n${name}:${value}`;
  }
  return text;
}

/** What the URL of the entry of a file's record follows. */
const FILE = "file ";

/** Returns the result of a look-up in the cache: the response, `null` if there is none, or the error. */
async function found(url) {
  try {
    return (await caches.default.match(url)) ?? null;
  } catch (error) {
    return error;
  }
}

/** Returns the metadata of an entry that was found, or `null`. */
const entryOf = (found) => (found instanceof Response ? found.headers.get("credlink-entry") : null);

/**
 * Answers a request for bytes of a file. `file` returns the URL of their entry, from the entry of the file's record, which is
 * under `url`; or the description of an answer that needs no bytes, or nothing. `part` describes the answer with the bytes.
 */
async function fileServer({ ready, file, part, handle, fail }, request, environment, context, text, url) {
  const asked = text + values(request.headers, FILE_HEADERS);
  const first = await found(url);
  ready();
  const entry = entryOf(first);
  let description = entry === null ? "" : (file(asked, entry) ?? "");
  let bytesUrl = "";
  let bytes;
  if (description.startsWith("http")) {
    bytesUrl = description;
    bytes = await found(bytesUrl);
    ready();
    const ofBytes = entryOf(bytes);
    description = ofBytes === null ? "" : (part(asked, entry, ofBytes) ?? "");
  }
  if (description !== "") {
    try {
      return respond(description, bytes);
    } catch (error) {
      ready();
      return respond(fail(asked, error));
    }
  }
  const all = asked + values(request.headers, MORE_HEADERS);
  return handle(request, environment, context, all, url, first, bytesUrl, bytes);
}

/**
 * Returns the function that answers requests with the entry points of the program. `begin` returns the URL of an entry to look
 * up in the cache, after `file ` if it is that of a file's record; the description of an answer; or nothing. `hit` describes
 * the answer that the entry gives, if it does. `handle` does everything else, and `fail` describes the answer in place of one
 * that could not be made. The program may have been aborted during every wait, so `ready` comes before the first call after
 * one.
 */
export const server = () => async (program, request, environment, context) => {
  const { ready, begin, hit, handle, fail } = program;
  const text = lines(request);
  ready();
  const step = begin(text, environment);
  let description = step;
  let first;
  if (step.startsWith("http")) {
    try {
      first = (await caches.default.match(step)) ?? null;
    } catch (error) {
      first = error;
    }
    ready();
    const entry = first instanceof Response ? first.headers.get("credlink-entry") : null;
    description = entry === null ? "" : (hit(text, entry) ?? "");
  } else if (step.startsWith(FILE)) {
    return fileServer(program, request, environment, context, text, step.slice(FILE.length));
  }
  if (description !== "") {
    try {
      const made = respond(description, first);
      return made instanceof Response ? made : await made;
    } catch (error) {
      ready();
      return respond(fail(text, error));
    }
  }
  return handle(request, environment, context, text + values(request.headers, MORE_HEADERS), step, first, "", undefined);
};

/** Milliseconds since 1970. */
export const now = () => Date.now();

/** Returns a variable or a secret, if it is set. */
export function variable(env, name) {
  const value = env[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/**
 * Returns headers, from lines of `name:value` with each name once. They are an object, because the runtime
 * takes three times as long to read pairs.
 */
function named(lines) {
  const headers = {};
  for (const line of lines.split("\n")) addTo(headers, line);
  return headers;
}

/** Adds a line of `name:value` to headers. */
function addTo(headers, line) {
  const colon = line.indexOf(":");
  headers[line.slice(0, colon)] = line.slice(colon + 1);
}

/** The longest content, in bytes, that is unpacked in one piece. Longer content is streamed, and never held as a whole. */
const UNPACKED_BYTES = 1_048_576;

/**
 * Returns the response of a description (`Answer::describe`), or a promise of it if something has to be unpacked, and logs its
 * line. `from` has the stored bytes: it is a response of the cache, or an `ArrayBuffer`.
 */
export function respond(description, from) {
  const parts = description.split("\n");
  const [status, kind, ...numbers] = parts[0].split(" ");
  const text = kind === "text" ? parts.pop() : null;
  const headers = {};
  for (let at = 2; at < parts.length; at += 1) addTo(headers, parts[at]);
  const finish = (body) => {
    const response = new Response(body, { status: Number(status), headers, encodeBody: "manual" });
    if (parts[1] !== "") console.log(parts[1]);
    return response;
  };
  switch (kind) {
    case "stored":
      return finish(from instanceof ArrayBuffer ? from : from.body);
    case "unpacked":
      return unpackedBody(from, ...numbers.map(Number)).then(finish);
    case "part":
      return finish(partBody(from, ...numbers.map(Number)));
    case "unpacked-part":
      return unpackedPartBody(from, ...numbers.map(Number)).then(finish);
    default:
      return finish(text);
  }
}

const bytesOf = (from) => (from instanceof ArrayBuffer ? from : from.arrayBuffer());
const streamOf = (from) => (from instanceof ArrayBuffer ? new Response(from).body : from.body);

/** Returns the content of a stored gzip, which is `length` bytes long. */
async function unpackedBody(from, length) {
  if (length <= UNPACKED_BYTES) return unpackedWhole(from, length);
  // Without a fixed length there is no Content-Length, and without that c2pa-rs stops reading at 10 MB.
  return streamOf(from).pipeThrough(new DecompressionStream("gzip")).pipeThrough(new FixedLengthStream(length));
}

async function unpackedWhole(from, length) {
  const content = await unpacked(await bytesOf(from), length);
  if (content === null) throw new Error("the gzip is damaged");
  return content;
}

/**
 * Returns the bytes from `first` up to `end` of an object's content of `length` bytes. Long content is streamed in pieces, and
 * only one piece is held at a time, so a range of one byte costs no more memory than that.
 */
function partBody(from, length, first, end) {
  if (from instanceof ArrayBuffer) return new Uint8Array(from, first, end - first);
  return cut(from.body, first, end);
}

/** Does the same with a stored gzip. */
async function unpackedPartBody(from, length, first, end) {
  if (length <= UNPACKED_BYTES) return (await unpackedWhole(from, length)).slice(first, end);
  return cut(streamOf(from).pipeThrough(new DecompressionStream("gzip")), first, end);
}

const cut = (content, first, end) =>
  content.pipeThrough(part(first, end)).pipeThrough(new FixedLengthStream(end - first));

/** Passes the bytes from `first` up to `end` on, and ends there, without reading the rest. */
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

/** The size of zlib's first buffer, in bytes. */
const ZLIB_BUFFER = 16_384;
let zlib;

/**
 * Returns the content of a gzip, if the gzip is valid to its last byte and the content has exactly `length` bytes. At most
 * twice that many bytes are held.
 *
 * zlib takes 10 µs for a record, and a `DecompressionStream` 110. zlib takes 4 ms to load, so it is loaded when it is first
 * used. If zlib fails, the stream decides: it is stricter, and always available.
 */
async function unpacked(stored, length) {
  zlib ??= globalThis.process?.getBuiltinModule?.("node:zlib");
  // A gzip ends with the length of its content (RFC 1952, section 2.3.1). zlib would accept zeros after it; this check does not.
  const end = stored.byteLength - 4;
  if (end > 0 && new DataView(stored, end).getUint32(0, true) === length) {
    try {
      // The limit applies to zlib's buffers, which double, not to the output.
      const content = zlib.gunzipSync(stored, { maxOutputLength: 2 * length + ZLIB_BUFFER });
      if (content.byteLength === length) return content;
    } catch {
      // The stream decides whether it is damaged.
    }
  }
  return streamed(stored, length);
}

/** Does the same with a stream. */
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

/** Returns the SHA-256 of an object's content in hexadecimal digits, or `undefined` if its length is not `length`. */
export async function digest(stored, gzip, length) {
  const content = gzip ? await unpacked(stored, length) : stored;
  if (content === null || content.byteLength !== length) return undefined;
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return bytes.toHex?.() ?? Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns an object's content as text, or `undefined` if its length is not `length`. */
export async function content(stored, gzip, length) {
  const content = gzip ? await unpacked(stored, length) : stored;
  return content === null || content.byteLength !== length ? undefined : new TextDecoder().decode(content);
}

/** The size in bytes above which an object is long, and is loaded only when there is room for it. */
const LONG_BYTES = 1_048_576;

/**
 * The number of long objects that an isolate loads and checks at a time, wherever they come from. Of the 128 MB that an isolate
 * has, each takes its bytes as stored, at most ten megabytes, and up to twice its content while it is unpacked.
 */
const LOADS = 3;

/**
 * The longest time for which a loaded object keeps its place while it is checked. The load gives the place back, unless the
 * runtime ended it in the middle or the program was aborted.
 */
const CHECKED_MILLISECONDS = 10_000;

/** The places that are taken, each with the time at which it becomes free by itself; and the place of each loaded object. */
const places = new Set();
const taken = new WeakMap();

/**
 * Waits for a place for a long object, for as long as its load may take. It polls, because a request may not wait for an event in
 * the context of another request.
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
 * Returns the result of `work` within a number of milliseconds, together with the place of its bytes. `work` receives the
 * argument for `enter`, which it calls if the object turns out to be long. If there is no result in time, the place is freed at
 * once: the request has its answer by then, and the runtime ends whatever the load is still doing.
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

/** Frees the place of a loaded object. */
export function leave(bytes) {
  places.delete(taken.get(bytes));
}

/** Counts one request under `key` with a limiter, within a time limit in milliseconds. Returns `true` if it is allowed. */
export async function mayLook(limiter, key, milliseconds) {
  return (await within(milliseconds, limiter.limit({ key }))).success;
}

/** Returns the cached response under a URL. */
export const match = (url) => caches.default.match(url);

/** Returns the attributes of a cached object. */
export const said = (response) => response.headers.get("credlink-entry") ?? undefined;

/** Caches an object, or its absence: `from` is a response of the cache, an `ArrayBuffer` or nothing. */
export const keep = (url, headers, from) =>
  caches.default.put(url, new Response(from instanceof Response ? from.body : from ?? null, { headers: named(headers) }));

/** Removes the entry under a URL from the cache. */
export const forget = (url) => caches.default.delete(url);

/** Returns the result of a promise, or fails if that takes longer than a number of milliseconds. */
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
 * Waits for a promise that another request began. That promise belongs to the context of the other request, and so would
 * everything that follows it; the returned promise belongs to the context of this request.
 */
export const follow = (promise, milliseconds) => within(milliseconds, promise.then(() => undefined));

/**
 * Returns an object of R2, or `undefined` if there is none. It has no `stored` if it still has the known tag, is larger than
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

/** Puts an object into R2 if there is none under its key. Returns `true` if it did. */
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

/** Asks R2 for an object that does not exist. */
export const probe = (bucket, key, milliseconds) =>
  within(milliseconds, bucket.head(key).then(() => undefined));

/** Returns a body of at most `limit` bytes, or `undefined` if it has more. One that turns out to be long enters as `loading`. */
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

/** Returns the text of a request's body, or `undefined` if it has more than `limit` bytes. */
export async function text(request, limit) {
  const body = await bounded(request, limit);
  return body && new TextDecoder().decode(body);
}

/**
 * Sends a request to another server, within a time limit in milliseconds for everything. The bytes of the body are missing if
 * there are more than `limit`. No answer is taken from a cache, and no redirect is followed.
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

/** The headers that are passed on of an answer of the API. */
const PASSED_HEADERS = [
  "accept-ranges",
  "access-control-allow-origin",
  "access-control-expose-headers",
  "cache-control",
  "cache-tag",
  "content-disposition",
  "content-range",
  "content-type",
  "etag",
  "last-modified",
  "location",
  "retry-after",
  "vary",
  "www-authenticate",
];

/**
 * Passes a reader's request on to the API, within a time limit in milliseconds until its answer begins. Returns the status of
 * the answer, the headers to pass on as lines of `name:value`, the mark of the API, and the response, whose body was not read.
 * No answer is taken from a cache, and no redirect is followed.
 */
export async function pass(method, url, headers, milliseconds) {
  const ended = new AbortController();
  let response;
  try {
    const { signal } = ended;
    const options = { method, headers: named(headers), cache: "no-store", redirect: "manual", signal };
    response = await within(milliseconds, fetch(url, options));
  } catch (error) {
    ended.abort();
    throw error;
  }
  // The runtime unpacks a body that has a coding all the same, and then nobody knows its length.
  const length = response.headers.has("content-encoding") ? [] : ["content-length"];
  return {
    status: response.status,
    lines: values(response.headers, [...PASSED_HEADERS, ...length]).slice(1),
    mark: response.headers.get("credlink-api") ?? undefined,
    response,
  };
}

/** Lets go of a response whose body nobody reads. */
export const discard = ({ body }) => body?.cancel();

/** Returns bytes as text. */
export const decode = (bytes) => new TextDecoder().decode(bytes);

/** Keeps a request's context alive until `promise` is settled. */
export const waitUntil = (context, promise) => context.waitUntil(promise);

/** Logs a line that needs attention. */
export const complain = (line) => console.error(line);
