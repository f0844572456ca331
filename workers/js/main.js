// The entry point of the deployed Worker: what worker-build generates, without its wrapper, which takes a tenth of the time of
// a request.
//
// worker-build exports a class behind a proxy. For every request, the runtime creates an object of it and two more proxies, so
// that the program can be restarted after it was aborted. wasm-bindgen's own guard does the same at the next call.
import Worker from "../build/index.js";

const { fetch } = Worker.prototype;

export default {
  fetch: (request, env, ctx) => fetch.call({ env, ctx }, request),
};
