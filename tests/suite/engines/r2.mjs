// R2 as workerd runs it, behind miniflare's S3 endpoint. Arguments: the folder of node modules, the number of buckets
// (`bucket-0` and on), the access key and its secret. Prints one line of JSON when it answers, and ends when its
// standard input ends: a killed node would leave workerd behind.
import { createRequire } from "node:module";

import { front } from "./front.mjs";

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
const endpoint = await front(await miniflare.ready);
console.log(JSON.stringify({ endpoint }));

process.stdin.resume();
process.stdin.on("end", async () => {
  await miniflare.dispose();
  process.exit(0);
});
