/** Reads through the Cache API in front of R2, with our own lifetimes in its entries. */

import { admit, respond } from "./answer.js";
import { attributesOf, check, factsOf } from "./object.js";
import { Problem } from "./problem.js";

/** The loads in progress, by the URL of their entry: concurrent misses of one object share one. */
const loads = new Map();
/** The entries that are being refreshed, each by one refresh at a time. */
const refreshes = new Set();

/** Answers a GET or HEAD of an object, and notes in `line` what the cache had. */
export async function read(request, url, route, env, context, line) {
  const key = await route.key;
  const now = Date.now();
  const site = { origin: url.origin, env, context, now };
  if (key.current !== undefined) {
    // A revision is served only if its proof is, and if both belong to the same life.
    const current = await find(key.current, site);
    if (!current.facts) throw new Problem("not-found", key.absent);
    admit(current.facts, now);
    if (key.revision <= current.facts.generation) throw new Problem("not-found", key.absent);
  }
  const found = await find(key, site);
  line.cache = found.cache;
  if (!found.facts) throw new Problem("not-found", key.absent);
  const answer = await respond(request, key, found, now);
  answer.headers["cache-status"] = found.status;
  if (found.checked !== undefined) answer.headers["age"] = `${Math.floor((now - found.checked) / 1_000)}`;
  return answer;
}

/** Returns the lifetimes of the entries of an object, in milliseconds. */
function lifetimes(key, env) {
  const milliseconds = (name, otherwise) => Number(env[name] ?? otherwise) * 1_000;
  return {
    fresh: key.mutable
      ? milliseconds("CREDLINK_RECORD_FRESH", 30)
      : milliseconds("CREDLINK_IMMUTABLE_FRESH", 300),
    stale: key.mutable
      ? milliseconds("CREDLINK_RECORD_STALE", 30)
      : milliseconds("CREDLINK_IMMUTABLE_STALE", 300),
    absent: milliseconds("CREDLINK_ABSENT", 5),
    staleIfError: milliseconds("CREDLINK_STALE_IF_ERROR", 3_600),
  };
}

/** Returns the object, from the cache if its entry is young enough, and otherwise from R2. */
async function find(key, site) {
  const address = `${site.origin}/${key.text}`;
  const cached = await caches.default.match(address);
  if (cached === undefined) return share(key, address, site);
  const entry = entryOf(cached);
  const { fresh, stale, absent, staleIfError } = lifetimes(key, site.env);
  const age = site.now - entry.checked;
  if (!entry.facts) {
    return age < absent
      ? { ...entry, cache: "absent", status: "credlink; hit; detail=absent" }
      : share(key, address, site);
  }
  if (age < fresh) return { ...entry, cache: "hit", status: "credlink; hit" };
  if (age < fresh + stale) {
    site.context.waitUntil(refresh(key, address, site));
    return { ...entry, cache: "stale", status: "credlink; hit; detail=stale" };
  }
  try {
    const loaded = await share(key, address, site);
    return { ...loaded, cache: "revalidated", status: "credlink; fwd=stale" };
  } catch (error) {
    if (age >= staleIfError || error.slug !== "unavailable") throw error;
    return { ...entry, cache: "error", status: "credlink; hit; detail=error" };
  }
}

async function refresh(key, address, site) {
  if (refreshes.has(address)) return;
  refreshes.add(address);
  try {
    await share(key, address, site);
  } finally {
    refreshes.delete(address);
  }
}

/** Loads an object. A request for it that arrives before it is cached shares the same load. */
function share(key, address, site) {
  let load = loads.get(address);
  if (load === undefined) {
    load = fetchObject(key, address, site);
    loads.set(address, load);
    site.context.waitUntil(load.then(({ kept }) => kept).finally(() => loads.delete(address)));
  }
  return load;
}

/** Gets an object from R2, checks it, and puts it into the cache if that is allowed. */
async function fetchObject(key, address, { env, now }) {
  let object;
  try {
    object = await within(Number(env.CREDLINK_TIMEOUT ?? 5_000), env.BUCKET.get(key.text));
  } catch (error) {
    throw Problem.unavailable(`R2: ${error}`);
  }
  if (object === null) {
    const kept = keep(key, address, now, undefined, null, Number(env.CREDLINK_ABSENT ?? 5));
    return { kept, cache: "miss", status: "credlink; fwd=uri-miss; stored" };
  }
  const attributes = attributesOf(object);
  const facts = factsOf(attributes);
  const stored = await object.arrayBuffer();
  const content = await check(stored, facts);
  const found = { facts, size: stored.byteLength, stored, content, cache: "miss" };
  if (facts.visibility === "private") return { ...found, status: "credlink; fwd=uri-miss" };
  const seconds = key.mutable ? Number(env.CREDLINK_STALE_IF_ERROR ?? 3_600) : 31_536_000;
  const kept = keep(key, address, now, attributes, stored, seconds);
  return { ...found, kept, status: "credlink; fwd=uri-miss; stored" };
}

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

/** Puts an entry into the cache: the stored bytes without their coding, which would otherwise be applied again. */
function keep(key, address, now, attributes, body, seconds) {
  const headers = {
    "cache-control": `public, max-age=${seconds}`,
    "cache-tag": key.tag,
    "content-type": "application/octet-stream",
    "credlink-checked": `${now}`,
  };
  if (attributes !== undefined) headers["credlink-attributes"] = JSON.stringify(attributes);
  return caches.default.put(address, new Response(body, { headers }));
}

/** Returns the content of an entry. */
function entryOf(response) {
  const { headers, body } = response;
  const checked = Number(headers.get("credlink-checked"));
  const attributes = headers.get("credlink-attributes");
  if (attributes === null) return { checked };
  const facts = factsOf(JSON.parse(attributes));
  return { facts, checked, size: Number(headers.get("content-length")), stored: body };
}
