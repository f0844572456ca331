// Workers of the edge on workerd, each with a bucket, a cache and a port of its own. Arguments: the folder of node
// modules, the top folder of the workspace, the number of Workers, the access key of their buckets and its secret.
// Prints one line of JSON when they answer (`{"endpoint", "edges": [URL…]}`; the bucket of the first is `bucket-0`),
// and ends when its standard input ends: a killed node would leave workerd behind.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { front } from "./front.mjs";

const [modules, workspace, count, accessKeyId, secretAccessKey] = process.argv.slice(2);
const { Miniflare, convertV4MiniflareOptions, Log, LogLevel } = createRequire(`${modules}/`)("miniflare");

// What is deployed runs with what wrangler.toml says, and so does what is tested.
const deployed = readFileSync(`${workspace}/wrangler.toml`, "utf8");
const [, compatibilityDate] = /^compatibility_date = "(.+)"$/m.exec(deployed);
const [, flags] = /^compatibility_flags = (\[[^\]]*\])/m.exec(deployed) ?? [null, "[]"];

const ours = (name) => readFileSync(`${workspace}/workers/${name}`);
const workerModules = [
  { type: "ESModule", path: "/watched.mjs", contents: readFileSync(new URL("watched.mjs", import.meta.url)) },
  { type: "ESModule", path: "/js/main.js", contents: ours("js/main.js") },
  { type: "ESModule", path: "/build/index.js", contents: ours("build/index.js") },
  { type: "CompiledWasm", path: "/build/index_bg.wasm", contents: ours("build/index_bg.wasm") },
];
const names = Array.from({ length: Number(count) }, (_, number) => `edge-${number}`);
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    log: new Log(LogLevel.ERROR),
    cf: false,
    workers: names.map((name, number) => ({
      name,
      modulesRoot: "/",
      modules: workerModules,
      compatibilityDate,
      compatibilityFlags: JSON.parse(flags),
      // Bound as MISSES where a test wants it.
      ratelimits: { LIMITER: { namespace_id: `limiter-${number}`, simple: { limit: 4, period: 60 } } },
      r2Buckets: { BUCKET: { id: `bucket-${number}`, s3Credentials: { accessKeyId, secretAccessKey } } },
      // Miniflare's own front would encode bodies anew.
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    })),
  }),
);
const endpoint = await front(await miniflare.ready);
const edges = await Promise.all(names.map(async (name) => (await miniflare.unsafeGetDirectURL(name)).origin));
console.log(JSON.stringify({ endpoint, edges }));

process.stdin.resume();
process.stdin.on("end", async () => {
  await miniflare.dispose();
  process.exit(0);
});
