/** Objects of R2, their attributes, and the check of their content. */

import { Problem } from "./problem.js";

const TOMBSTONE_TYPE = "application/vnd.credlink.tombstone+json";
/** The longest object, in bytes. Only a damaged gzip unpacks to more. */
const MAX_BYTES = 10_000_000;

let zlib;

/** Returns the attributes that CredLink wrote with an object. If they are damaged, it throws a problem. */
export function factsOf({ contentType, contentEncoding, metadata }) {
  const { sha256, length, tenant, visibility, created, expires, generation } = metadata;
  const facts = {
    sha256,
    length: Number(length),
    gzip: contentEncoding === "gzip",
    tenant,
    visibility,
    created: Date.parse(created),
    expires: expires === undefined ? undefined : Date.parse(expires),
    generation: Number(generation ?? 0),
    tombstone: contentType === TOMBSTONE_TYPE,
  };
  const known = /^[0-9a-f]{64}$/.test(sha256) && Number.isSafeInteger(facts.length) && tenant
    && (visibility === "public" || visibility === "private") && !Number.isNaN(facts.created)
    && !Number.isNaN(facts.expires ?? 0)
    && (facts.gzip || !contentEncoding || contentEncoding === "identity");
  if (!known) throw damaged("the object's attributes are damaged");
  return facts;
}

/** Returns the attributes that the writer gave an object of R2. */
export function attributesOf({ httpMetadata: { contentType, contentEncoding }, customMetadata }) {
  return { contentType, contentEncoding, metadata: customMetadata };
}

/**
 * Returns the content of stored bytes, after checking that its SHA-256 and length are the recorded ones.
 *
 * @param {ArrayBuffer} stored
 * @returns {Promise<ArrayBuffer | Uint8Array>}
 */
export async function check(stored, facts) {
  const content = facts.gzip ? unpack(stored, facts.length) : stored;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content)).toHex();
  if (digest !== facts.sha256 || content.byteLength !== facts.length) {
    throw damaged(`the content has the SHA-256 ${digest} and ${content.byteLength} bytes`);
  }
  return content;
}

/**
 * Returns the content of a gzip, which has `length` bytes: zlib's buffers, which double, hold at most twice that. A stream
 * would take ten times as long for a record. zlib is loaded when it is first needed, because that takes 4 ms.
 */
export function unpack(stored, length) {
  if (length > MAX_BYTES) throw damaged(`it has more than ${MAX_BYTES} bytes`);
  zlib ??= process.getBuiltinModule("node:zlib");
  try {
    return zlib.gunzipSync(stored, { maxOutputLength: 2 * length + 16_384 });
  } catch (error) {
    throw damaged(`the gzip data is damaged: ${error}`);
  }
}

function damaged(reason) {
  return new Problem("damaged", "what is stored is not what was written", { reason });
}
