// What stands in front of miniflare's S3 endpoint of R2. The endpoint is a Worker that does not say
// `encodeBody: "manual"`, so what is stored in gzip is gzipped once more on its way out. R2 itself sends what is
// stored, as this server does: it takes the second gzip off. It also lists the parts of multipart uploads.
import { Agent, createServer, request } from "node:http";
import { gunzipSync } from "node:zlib";

import { Parts } from "./parts.mjs";

/**
 * Listens at a free port of loopback in front of miniflare's server.
 *
 * @param {URL} miniflare Where miniflare answers.
 * @returns {Promise<string>} The S3 endpoint.
 */
export function front({ hostname, port }) {
  const agent = new Agent({ keepAlive: true });
  const parts = new Parts();
  const server = createServer((incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const query = new URL(path, "http://localhost").searchParams;
    if (method === "GET" && query.has("uploadId")) {
      const [status, text] = parts.list(query);
      outgoing.writeHead(status, { "content-type": "application/xml", "content-length": Buffer.byteLength(text) });
      outgoing.end(text);
      return;
    }
    const passed = request({ agent, hostname, port, method, path, headers }, (answer) => {
      if (query.has("uploadId") || query.has("uploads")) {
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("end", () => {
          const whole = Buffer.concat(chunks);
          parts.note(method, query, Number(headers["content-length"]), answer, whole.toString());
          outgoing.writeHead(answer.statusCode, answer.headers);
          outgoing.end(whole);
        });
        return;
      }
      if (method !== "GET" || answer.headers["content-encoding"] !== "gzip") {
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
        return;
      }
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => {
        const stored = gunzipSync(Buffer.concat(chunks));
        const { "transfer-encoding": _, ...said } = answer.headers;
        outgoing.writeHead(answer.statusCode, { ...said, "content-length": stored.length });
        outgoing.end(stored);
      });
    });
    passed.on("error", () => outgoing.destroy());
    // What breaks off here breaks off there.
    incoming.on("close", () => incoming.complete || passed.destroy());
    incoming.pipe(passed);
  });
  server.keepAliveTimeout = 600_000;
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve(`http://127.0.0.1:${server.address().port}/cdn-cgi/local/r2/s3`);
    });
  });
}
