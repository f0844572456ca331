// What is deployed: the Worker that worker-build makes, without the wrapping that takes a tenth of the time of
// a request.
//
// worker-build exports a class behind a proxy, of which the runtime makes an object and two more proxies for
// every request, to start the program anew after it was aborted. wasm-bindgen's own guard does that as well,
// at the next call.
import Worker from "../build/index.js";

const { fetch } = Worker.prototype;

export default {
  fetch: (request, env, ctx) => fetch.call({ env, ctx }, request),
};
