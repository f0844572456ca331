// R2 as workerd runs it, behind miniflare's S3 endpoint. Arguments: the folder of node modules, the number of buckets
// (`bucket-0` and on), the access key and its secret. Prints one line of JSON when it answers, and ends when its
// standard input ends: a killed node would leave workerd behind.
//
// The endpoint is a Worker that does not say `encodeBody: "manual"`, so what is stored in gzip is gzipped once more on
// its way out. R2 itself sends what is stored, as the server in front does: it takes the second gzip off.
import { Agent, createServer, request } from "node:http";
import { createRequire } from "node:module";
import { gunzipSync } from "node:zlib";

const [modules, count, accessKeyId, secretAccessKey] = process.argv.slice(2);
const { Miniflare, convertV4MiniflareOptions, Log, LogLevel } = createRequire(`${modules}/`)("miniflare");

const r2Buckets = Object.fromEntries(
  Array.from({ length: Number(count) }, (_, number) => [
    `BUCKET_${number}`,
    { id: `bucket-${number}`, s3Credentials: { accessKeyId, secretAccessKey } },
  ]),
);
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    modules: true,
    script: "export default { fetch: () => new Response(null, { status: 404 }) };",
    host: "127.0.0.1",
    port: 0,
    log: new Log(LogLevel.ERROR),
    r2Buckets,
  }),
);
const { hostname, port } = await miniflare.ready;
const agent = new Agent({ keepAlive: true });

const server = createServer((incoming, outgoing) => {
  const { method, url: path, headers } = incoming;
  const passed = request({ agent, hostname, port, method, path, headers }, (answer) => {
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
  incoming.pipe(passed);
});
server.keepAliveTimeout = 600_000;
server.listen(0, "127.0.0.1", () => {
  const endpoint = `http://127.0.0.1:${server.address().port}/cdn-cgi/local/r2/s3`;
  console.log(JSON.stringify({ endpoint }));
});
process.stdin.resume();
process.stdin.on("end", async () => {
  await miniflare.dispose();
  process.exit(0);
});
