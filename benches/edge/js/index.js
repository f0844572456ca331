/**
 * CredLink's Worker in plain JavaScript, as the baseline for the one in Rust. Its answers are identical, byte for byte; the
 * benchmark compares them before it measures.
 *
 * In scope: reading proofs, revisions and manifests from R2 through the Cache API. Out of scope: signed links, the origin
 * behind R2, purges, health.
 */

import { finish, preflight } from "./answer.js";
import { Problem } from "./problem.js";
import { read } from "./read.js";
import { parse } from "./route.js";

const REQUEST_ID = /^[A-Za-z0-9\-_.:/+=]{1,128}$/;

export default {
  async fetch(request, env, context) {
    const started = Date.now();
    const given = request.headers.get("x-request-id");
    const requestId = given !== null && REQUEST_ID.test(given) ? given : crypto.randomUUID();
    const line = { route: "none", cache: "none", bytes: 0 };
    let answer;
    try {
      const url = new URL(request.url);
      const route = parse(request.method, url);
      line.route = route.name;
      answer = route.allow ? preflight(route.allow) : await read(request, url, route, env, context, line);
    } catch (error) {
      answer = failed(error, requestId);
    }
    line.bytes = answer.bytes ?? 0;
    log(requestId, request.method, answer.status, line, Date.now() - started);
    return finish(answer, request.method, requestId);
  },
};

/** Returns the answer to a failure. A failure that the client did not cause is logged with its reason. */
function failed(error, requestId) {
  if (error instanceof Problem && error.reason === undefined) return error.answer(requestId);
  const internal = () => new Problem("internal", "it was logged with this request's id");
  const problem = error instanceof Problem ? error : internal();
  const reason = problem.reason ?? String(error);
  console.error(JSON.stringify({ level: "error", message: problem.slug, request_id: requestId, reason }));
  return problem.answer(requestId);
}

/** Logs one line for each request, without the query. */
function log(requestId, method, status, line, latency) {
  console.log(JSON.stringify({
    level: "info",
    message: "request",
    request_id: requestId,
    method,
    route: line.route,
    status,
    cache: line.cache,
    bytes: line.bytes,
    latency_ms: latency,
  }));
}
