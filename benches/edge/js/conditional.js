/** The conditions, ranges and codings of a request (RFC 9110, sections 13, 14 and 12.5.3). */

import { Problem } from "./problem.js";

/** Returns the strong entity tag of a representation. */
export function entityTag(sha256, gzip) {
  return gzip ? `"${sha256}.gz"` : `"${sha256}"`;
}

/**
 * Evaluates the conditions of a read, in the order of section 13.2.2.
 *
 * @param {Headers} headers
 * @param {{sha256: string, created: number}} facts
 * @returns {"proceed" | "not-modified" | "failed"}
 */
export function evaluate(headers, { sha256, created }) {
  const modified = Math.floor(created / 1_000);
  const match = headers.get("if-match");
  if (match !== null) {
    if (!includes("if-match", match, sha256, true)) return "failed";
  } else if (modified > date(headers.get("if-unmodified-since"))) {
    return "failed";
  }
  const noneMatch = headers.get("if-none-match");
  if (noneMatch !== null) {
    if (includes("if-none-match", noneMatch, sha256, false)) return "not-modified";
  } else if (modified <= date(headers.get("if-modified-since"))) {
    return "not-modified";
  }
  return "proceed";
}

/** Returns the seconds since 1970, or NaN for an invalid date, which compares false with everything. */
function date(text) {
  return text === null ? NaN : Math.floor(Date.parse(text) / 1_000);
}

/** Returns `true` if a list of entity tags contains one of this content, in either coding. `strong` ignores weak tags. */
function includes(name, text, sha256, strong) {
  if (text.trim() === "*") return true;
  const tag = /\s*(W\/)?"([^"]*)"\s*(,|$)/y;
  let count = 0;
  let found = false;
  while (tag.lastIndex < text.length) {
    const [, weak, opaque] = tag.exec(text) ?? malformed(name);
    if ((count += 1) > 100) malformed(name);
    found ||= !(strong && weak) && (opaque === sha256 || opaque === `${sha256}.gz`);
  }
  return found;
}

function malformed(name) {
  const allowed = "`*`, or up to 100 entity tags in double quotes, such as the ETag of an earlier answer";
  throw Problem.field(name, allowed);
}

/**
 * Returns the part of `length` bytes that a request asks for: `undefined` means all of it, and `null` beyond the end.
 *
 * @param {Headers} headers
 * @param {{sha256: string, created: number, length: number}} facts
 */
export function part(headers, { sha256, created, length }) {
  const [, first, last] = headers.get("range")?.match(/^\s*bytes\s*=\s*(\d*)-(\d*)\s*$/i) ?? [];
  if (first === undefined || (first === "" && last === "")) return undefined;
  const condition = headers.get("if-range");
  if (condition !== null) {
    const same = condition.startsWith('"') ? condition === entityTag(sha256, false)
      : !condition.startsWith("W/") && date(condition) === Math.floor(created / 1_000);
    if (!same) return undefined;
  }
  if (first === "") {
    return Number(last) === 0 || length === 0 ? null : { start: Math.max(0, length - last), end: length };
  }
  if (last !== "" && Number(first) > Number(last)) return undefined;
  if (Number(first) >= length) return null;
  return { start: Number(first), end: last === "" ? length : Math.min(Number(last) + 1, length) };
}

/** Returns `true` if a stored gzip coding is sent as it is. A client that sends no header gets the unpacked content. */
export function acceptsGzip(request) {
  // Cloudflare rewrites the header; `cf` has the value that the client sent.
  const text = request.cf?.clientAcceptEncoding ?? request.headers.get("accept-encoding");
  if (!text) return false;
  let gzip, any, identity;
  for (const item of text.split(",")) {
    const [coding, ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => /^q\s*=/.test(parameter));
    const quality = weight === undefined ? 1 : qualityOf(weight.slice(weight.indexOf("=") + 1).trim());
    if (coding === "gzip" || coding === "x-gzip") gzip = quality;
    else if (coding === "*") any = quality;
    else if (coding === "identity") identity = quality;
  }
  gzip ??= any ?? 0;
  return gzip > 0 && gzip >= (identity ?? 0);
}

/** Returns a weight (section 12.4.2), or 0 if it is malformed. */
function qualityOf(text) {
  return /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text) ? Number(text) : 0;
}
