// The entry point of the deployed Worker: what worker-build generates, without its wrapper, which takes a tenth of the time of
// a request.
//
// worker-build exports a class behind a proxy. For every request, the runtime creates an object of it and two more proxies, so
// that the program can be restarted after it was aborted. wasm-bindgen's own guard does the same at the next call.
import Worker from "../build/index.js";

// worker-build puts every function that the program exports here.
const program = Worker.prototype;
const answer = program.server();

export default {
  fetch: (request, env, ctx) => answer(program, request, env, ctx),
};
