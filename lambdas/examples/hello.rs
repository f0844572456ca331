//! A minimal function on `lambda_http`: the baseline for the start time and size of our functions, and a mirror that
//! shows what an engine passes to a function and returns from it.
//!
//! The function answers every request with a JSON description of that request; `GET /…?bytes=N` returns N bytes that
//! are not valid text.

use lambda_http::{Body, Error, Request, RequestExt as _, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(answer)).await
}

async fn answer(request: Request) -> Result<Response<Body>, Error> {
    let parameters = request.query_string_parameters();
    if let Some(length) = parameters.first("bytes").and_then(|length| length.parse::<usize>().ok()) {
        let bytes = (0..length).map(|byte| (byte % 251) as u8 | 0x80).collect::<Vec<_>>();
        return Ok(Response::builder().header("content-type", "application/c2pa").body(bytes.into())?);
    }
    let mut headers = serde_json::Map::new();
    for (name, value) in request.headers() {
        let values = headers.entry(name.as_str()).or_insert_with(|| serde_json::json!([]));
        if let Some(values) = values.as_array_mut() {
            values.push(String::from_utf8_lossy(value.as_bytes()).into());
        }
    }
    // None of these variables is a secret.
    let variables = [
        "CREDLINK_FILES_QUEUE_URL",
        "CREDLINK_PUBLIC_URL",
        "CREDLINK_QUEUE_URL",
        "CREDLINK_TABLE",
        "STORAGE_BUCKET",
    ];
    let environment = variables.map(|name| (name, std::env::var(name).ok()));
    let answer = serde_json::json!({
        "method": request.method().as_str(),
        "uri": request.uri().to_string(),
        "headers": headers,
        "body_bytes": request.body().len(),
        "request_id": request.lambda_context().request_id,
        "function": request.lambda_context().env_config.function_name,
        "environment": environment.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    });
    let response = Response::builder().header("content-type", "application/json");
    let response = response.header("link", "<a>; rel=a").header("link", "<b>; rel=b");
    Ok(response.body(answer.to_string().into())?)
}
