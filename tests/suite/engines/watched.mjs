// Stands around the Worker that is tested, in its isolate. It hands requests over as Cloudflare's front does, counts
// what the Worker calls, lets calls fail or wait, sets the clock forward, and keeps what is logged.
//
// Names of calls are `bucket.get`, `cache.put`, `fetch` and the like; `body`, the bytes of an object of R2, and `digest`, a
// SHA-256, are noted where their mode is not `well`. With a mode for `limiter` from the start on, the Worker has one.
//
// `POST /.watched` with a JSON object speaks to it, and is answered with what was seen; every member may be missing:
// `variables` (the Worker's own, from its next request on), `modes` (see `modeOf`), `ahead` (milliseconds that the
// clock is ahead of the real one), `at` (the clock stands still there), `forget` (true: what was seen is forgotten).
import { WorkerEntrypoint } from "cloudflare:workers";

const variables = {};
const modes = {};
const seen = { calls: [], logs: [], tags: [] };
let ahead = 0;
let at;
let unfinished = 0;

/** How calls of this name go: by its mode, by that of its part (`bucket.get`: `bucket`), else well. */
function modeOf(name) {
  return modes[name] ?? modes[name.split(".")[0]] ?? "well";
}

/** Notes a call, and throws or waits as its mode says. */
async function pass(name, subject) {
  seen.calls.push(`${name} ${subject}`);
  while (modeOf(name) === "held") {
    await scheduler.wait(5);
  }
  if (modeOf(name) === "fails") {
    throw new Error(`${name}: We encountered an internal error. Please try again. (10001)`);
  }
}

/** What is said of an entry of the cache in which nothing is. */
function absence(response) {
  const said = response instanceof Response ? response.headers.get("credlink-entry") : null;
  return said && "nothing" in (JSON.parse(said).content ?? {}) ? " (nothing)" : "";
}

/** The same object, whose methods are watched, and are those of what stands behind it. */
function watched(part, object, methods, behind = () => object) {
  return new Proxy(object, {
    get(target, property) {
      const value = Reflect.get(target, property, target);
      if (typeof value !== "function" || property === "constructor") {
        return value;
      }
      if (!methods.includes(property)) {
        return value.bind(target);
      }
      return async (subject, ...rest) => {
        await pass(`${part}.${property}`, `${subject.key ?? subject.url ?? subject}${absence(rest[0])}`);
        if (part === "cache" && property === "put") {
          seen.tags.push(rest[0].headers.get("cache-tag"));
        }
        const result = await (await behind())[property](subject, ...rest);
        if (part === "bucket" && property === "get" && result?.body) {
          seen.calls.push(`body ${subject}`);
          if (modeOf("body") !== "well") {
            return slowly(result, subject);
          }
        }
        return result;
      };
    },
  });
}

/** The object of R2, whose bytes come as the mode of `body` says. */
function slowly(found, subject) {
  return new Proxy(found, {
    get(target, property) {
      const value = Reflect.get(target, property, target);
      if (property !== "arrayBuffer") {
        return typeof value === "function" ? value.bind(target) : value;
      }
      return async () => {
        await pass("body.arrayBuffer", subject);
        return target.arrayBuffer();
      };
    },
  });
}

const bucketMethods = ["get", "head", "put", "delete", "list"];
const cacheMethods = ["match", "put", "delete"];
// The Workers of a process share a cache: each is given one of its own.
const allCaches = caches;
let ownCache;
const openOwn = () => allCaches.open((ownCache ??= crypto.randomUUID()));
Object.defineProperty(globalThis, "caches", {
  value: { default: watched("cache", allCaches.default, cacheMethods, openOwn) },
});

const realFetch = fetch;
globalThis.fetch = async (subject, ...rest) => {
  await pass("fetch", subject.url ?? subject);
  return realFetch(subject, ...rest);
};

const realDigest = crypto.subtle.digest.bind(crypto.subtle);
Object.defineProperty(crypto.subtle, "digest", {
  value: async (algorithm, content) => {
    if (modeOf("digest") !== "well") {
      await pass("digest", content.byteLength);
    }
    return realDigest(algorithm, content);
  },
});

const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length > 0 ? given : [globalThis.Date.now()]));
  }

  static now() {
    // Only the program is aborted by it, and not the modules in JavaScript around it.
    if (modeOf("clock") === "fails" && new Error().stack.includes("wasm://")) {
      throw new WebAssembly.RuntimeError("unreachable");
    }
    return at ?? RealDate.now() + ahead;
  }

  static [Symbol.hasInstance](value) {
    return value instanceof RealDate;
  }
};

for (const level of ["debug", "log", "info", "warn", "error"]) {
  console[level] = (...parts) => seen.logs.push({ level, text: parts.join(" ") });
}

// Only now: what the Worker's modules take from the global scope is watched.
const { default: worker } = await import("./js/main.js");

/** A request as Cloudflare hands it over: it asks for its own encodings, and says beside what the client asked for. */
function handedOver(request) {
  if (modeOf("front") === "out") {
    return request;
  }
  const headers = new Headers(request.headers);
  const clientAcceptEncoding = headers.get("accept-encoding") ?? "";
  headers.set("accept-encoding", "gzip, br");
  return new Request(request, { headers, cf: { clientAcceptEncoding } });
}

async function control(request) {
  const asked = await request.json();
  Object.assign(variables, asked.variables);
  Object.assign(modes, asked.modes);
  ahead = asked.ahead ?? ahead;
  at = asked.at ?? at;
  const answer = Response.json({ ...seen, unfinished });
  if (asked.forget) {
    seen.calls.length = 0;
    seen.logs.length = 0;
    seen.tags.length = 0;
  }
  return answer;
}

export default class extends WorkerEntrypoint {
  async fetch(request) {
    const { ctx, env } = this;
    if (request.method === "POST" && new URL(request.url).pathname === "/.watched") {
      return control(request);
    }
    const waitUntil = ctx.waitUntil.bind(ctx);
    ctx.waitUntil = (promise) => {
      unfinished += 1;
      waitUntil(Promise.resolve(promise).finally(() => (unfinished -= 1)));
    };
    const bucket = watched("bucket", env.BUCKET, bucketMethods);
    try {
      const limiter = "limiter" in modes ? { MISSES: watched("limiter", env.LIMITER, ["limit"]) } : {};
      return await worker.fetch(handedOver(request), { ...env, ...variables, ...limiter, BUCKET: bucket }, ctx);
    } catch (error) {
      if (modeOf("clock") === "fails") {
        return new Response("aborted", { status: 500 });
      }
      seen.logs.push({ level: "uncaught", text: String(error?.stack ?? error) });
      throw error;
    }
  }
}
