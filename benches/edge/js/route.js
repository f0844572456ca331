/** The routes: from a request to the object that it asks for. */

import { Problem } from "./problem.js";

const PROOF_ID = /^[a-z2-7]{32}$/;
const TENANT = /^[a-z0-9][a-z0-9\-_]{0,63}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const MANIFEST_ID = /^[A-Za-z0-9][A-Za-z0-9:._-]*$/;
const READ_ONLY = "GET, HEAD, OPTIONS";

/**
 * Returns the route of a request: its name, and the key of its object (a promise if the ID has to be derived), or the methods
 * for an `OPTIONS`.
 *
 * @param {string} method
 * @param {URL} url
 */
export function parse(method, { pathname, search, searchParams }) {
  if (pathname.length + search.length > 8_192) {
    throw new Problem("target-too-long", "a path and its query may have 8192 bytes");
  }
  const [, room, id, last, ...rest] = pathname.split("/");
  if (rest.length > 0 || id === undefined) throw noSuchRoute();
  if (room === "proofs" && id === "by-hash" && last !== undefined) {
    return readOnly(method, "read_proof", () => byHash(last, searchParams));
  }
  if (room === "proofs" && last !== undefined) {
    return readOnly(method, "read_revision", () => revision(proofId(id), last));
  }
  if (room === "proofs") return readOnly(method, "read_proof", () => record(proofId(id)));
  if (room === "manifests" && last === undefined) {
    return readOnly(method, "read_manifest", () => manifest(id));
  }
  throw noSuchRoute();
}

function noSuchRoute() {
  const detail = "there is no such path; GET /v1/openapi.json lists those that there are";
  return new Problem("no-such-route", detail);
}

function readOnly(method, name, key) {
  if (method === "GET" || method === "HEAD") return { name, key: key() };
  if (method === "OPTIONS") return { name: "options", allow: READ_ONLY };
  const detail = `${method} is not allowed here; this path allows ${READ_ONLY}`;
  throw new Problem("method-not-allowed", detail, { headers: { allow: READ_ONLY } });
}

function record(id) {
  return {
    text: `proofs/${id}`,
    tag: `proofs/${id}`,
    type: "application/json",
    mutable: true,
    cacheControl: "public, max-age=60, must-revalidate",
    absent: `no proof has the id ${id}`,
  };
}

function revision(id, text) {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) {
    throw Problem.field("revision", "a revision is a whole number from 1 (a proof's life has at most 64)");
  }
  return {
    ...record(id),
    text: `proofs/${id}/${text}`,
    mutable: false,
    cacheControl: "public, max-age=31536000, immutable",
    absent: `the proof ${id} has no earlier record of revision ${text}; `
      + `the current one is at /v1/proofs/${id}`,
    current: record(id),
    revision: Number(text),
  };
}

function manifest(segment) {
  const id = decode("manifest_id", segment);
  if (id.length > 255 || !MANIFEST_ID.test(id) || !id.includes(":")) {
    throw Problem.field("manifest_id", "a manifest id is a URN such as urn:c2pa:<uuid>");
  }
  // UUIDs are case-insensitive (RFC 9562, section 4).
  const parts = id.split(":").map((part) => (UUID.test(part) ? part.toLowerCase() : part));
  const text = `manifests/${parts.join("%3A")}`;
  return {
    text,
    tag: text,
    type: "application/c2pa",
    mutable: false,
    cacheControl: "public, max-age=31536000, immutable",
    absent: `no manifest has the id ${parts.join(":")}`,
  };
}

/** Returns the key of the record of a media hash, from which its proof ID is derived (see `ProofId::derive`). */
async function byHash(segment, parameters) {
  const tenant = parameters.get("tenant") ?? "default";
  if (!TENANT.test(tenant)) {
    throw Problem.field("tenant", "a tenant is 1 to 64 characters of a-z, 0-9, `-` and `_`");
  }
  const hex = decode("media_hash", segment).replace(/^sha256:/, "");
  if (!/^[0-9A-Fa-f]{64}$/.test(hex)) {
    throw Problem.field("media_hash", "a media hash is 64 hexadecimal digits, bare or behind `sha256:`");
  }
  const domain = new TextEncoder().encode(`credlink/proof/v1\0${tenant}\0`);
  const named = new Uint8Array([...domain, ...Uint8Array.fromHex(hex)]);
  return record(base32(new Uint8Array(await crypto.subtle.digest("SHA-256", named)).subarray(0, 20)));
}

/** Returns the lower-case base32 (RFC 4648, section 6) of a multiple of five bytes. */
function base32(bytes) {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits.replace(/.{5}/g, (five) => "abcdefghijklmnopqrstuvwxyz234567"[parseInt(five, 2)]);
}

function proofId(segment) {
  const id = decode("id", segment);
  if (!PROOF_ID.test(id)) throw Problem.field("id", "a proof id is 32 characters of a-z and 2-7");
  return id;
}

function decode(field, segment) {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    throw Problem.field(field, "it has to be UTF-8");
  }
}
