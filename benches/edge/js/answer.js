/** Turns an object into an answer: status, headers and body. */

import { acceptsGzip, entityTag, evaluate, part } from "./conditional.js";
import { unpack } from "./object.js";
import { Problem } from "./problem.js";

/** The longest content, in bytes, that is unpacked in one piece. Longer content is streamed, and never held as a whole. */
const UNPACKED_BYTES = 1_048_576;

/** Returns the answer to a CORS preflight request (WHATWG Fetch, CORS protocol). */
export function preflight(allow) {
  const headers = {
    "allow": allow,
    "access-control-allow-methods": allow,
    "access-control-allow-headers":
      "authorization, content-type, content-encoding, if-match, if-none-match, if-range, range, x-request-id",
    "access-control-max-age": "86400",
  };
  return { status: 204, headers, body: null };
}

/** Refuses an object that may not be read, because it is private, deleted or expired. */
export function admit(facts, now) {
  if (facts.visibility === "private") {
    throw new Problem("private", "this needs a credential of its owner, or a signed link");
  }
  if (facts.tombstone) {
    const deleted = new Date(facts.created).toISOString();
    throw new Problem("deleted", `this was deleted on ${deleted}`, { members: { deleted } });
  }
  if (facts.expires <= now) {
    throw new Problem("expired", `this expired on ${new Date(facts.expires).toISOString()}`);
  }
}

/**
 * Returns the answer to a request for an object that exists.
 *
 * @param {Request} request
 * @param {object} key of the object
 * @param {{facts: object, size: number, stored: BodyInit, content?: ArrayBuffer}} found
 */
export async function respond(request, key, found, now) {
  const { facts } = found;
  admit(facts, now);
  const gzip = facts.gzip && acceptsGzip(request);
  const etag = entityTag(facts.sha256, gzip);
  const headers = {
    "etag": etag,
    "last-modified": new Date(facts.created).toUTCString(),
    "cache-control": key.cacheControl,
    "vary": "accept-encoding",
  };
  const outcome = evaluate(request.headers, facts);
  if (outcome === "not-modified") return { status: 304, headers, body: null };
  if (outcome === "failed") {
    const detail = "the content is not the one that was asked for";
    throw new Problem("precondition-failed", detail, { headers: { etag } });
  }
  headers["content-type"] = key.type;
  if (gzip) {
    headers["content-encoding"] = "gzip";
    // Ranges of a compressed body are useless, so it is sent whole.
    headers["accept-ranges"] = "none";
    return { status: 200, headers, body: found.stored, bytes: found.size };
  }
  headers["accept-ranges"] = "bytes";
  // Section 14.2: Range is defined only for GET.
  const wanted = request.method === "GET" ? part(request.headers, facts) : undefined;
  if (wanted === undefined) return { status: 200, headers, body: await content(found), bytes: facts.length };
  if (wanted === null) {
    const refused = { field: "range", headers: { "content-range": `bytes */${facts.length}` } };
    throw new Problem("range-not-satisfiable", `\`range\`: the content has ${facts.length} bytes`, refused);
  }
  headers["content-range"] = `bytes ${wanted.start}-${wanted.end - 1}/${facts.length}`;
  const whole = await new Response(await content(found)).arrayBuffer();
  const bytes = whole.slice(wanted.start, wanted.end);
  return { status: 206, headers, body: bytes, bytes: bytes.byteLength };
}

/** Returns the content of an object without its coding, with a length that is known before it is sent. */
async function content({ facts, stored, content }) {
  if (!facts.gzip) return stored;
  if (content !== undefined) return content;
  if (facts.length <= UNPACKED_BYTES) return unpack(await new Response(stored).arrayBuffer(), facts.length);
  return stored.pipeThrough(new DecompressionStream("gzip")).pipeThrough(new FixedLengthStream(facts.length));
}

/** Returns the response, with the headers that every response has. */
export function finish({ status, headers, body, bytes }, method, requestId) {
  headers["access-control-allow-origin"] = "*";
  headers["access-control-expose-headers"] = "accept-ranges, content-encoding, content-range, etag, location, retry-after, x-request-id";
  headers["x-content-type-options"] = "nosniff";
  headers["x-request-id"] = requestId;
  if (method === "HEAD" && bytes !== undefined) {
    headers["content-length"] = `${bytes}`;
    body = null;
  }
  // Bytes that are already gzipped are sent as they are.
  const encodeBody = headers["content-encoding"] ? "manual" : "automatic";
  return new Response(body, { status, headers, encodeBody });
}
