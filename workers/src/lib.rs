//! x
mod runtime;
use worker::{Context, Env, event};

#[event(fetch)]
async fn fetch(request: web_sys::Request, _env: Env, _context: Context) -> worker::Result<web_sys::Response> {
    runtime::answer(200, "a:b", Some(&runtime::lines(&request))).map_err(worker::Error::from)
}
