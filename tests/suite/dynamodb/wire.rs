//! The connection between the SDK and the engine, which counts calls and fails those that a test names.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use credlink_aws::http_client;
use credlink_dynamodb::DynamoIndex;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::engines::dynoxide;

/// A fault that happens to a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The call arrives, but its answer does not.
    LoseAnswer,
    /// The call does not arrive, and is answered with this status and code.
    Refuse(u16, &'static str),
    /// The call waits for a permit, and then continues.
    Wait(Arc<Semaphore>),
    /// The transaction does not arrive, and is answered as cancelled for these reasons, one per write.
    Cancel(&'static [&'static str]),
    /// The answer reports every item as unprocessed.
    ProcessNothing,
}

/// A client whose calls pass through the wire. Clones share its state.
#[derive(Debug, Clone)]
pub struct Wire {
    inner: SharedHttpClient,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<String, u32>,
    faults: VecDeque<(&'static str, Fault)>,
}

impl Wire {
    pub fn new() -> Self {
        Self { inner: http_client(), state: Arc::default() }
    }

    /// An index over an empty table behind this wire.
    pub async fn index(&self) -> DynamoIndex {
        let index = dynoxide::index_over(SharedHttpClient::new(self.clone())).await;
        self.calls();
        index
    }

    /// Makes the next call of `operation` meet `fault`. Several faults of one operation are met in turn.
    pub fn fail(&self, operation: &'static str, fault: Fault) {
        self.state.lock().unwrap().faults.push_back((operation, fault));
    }

    /// Returns the calls since this was last called.
    pub fn calls(&self) -> BTreeMap<String, u32> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }

    /// Returns `true` if every fault was met.
    pub fn is_whole(&self) -> bool {
        self.state.lock().unwrap().faults.is_empty()
    }
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { inner, state: Arc::clone(&self.state) })
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    state: Arc<Mutex<State>>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let fault = {
            let mut state = self.state.lock().unwrap();
            *state.calls.entry(operation.clone()).or_default() += 1;
            let next = state.faults.front().is_some_and(|(name, _)| *name == operation);
            if next { state.faults.pop_front().map(|(_, fault)| fault) } else { None }
        };
        let inner = self.inner.clone();
        HttpConnectorFuture::new(async move {
            match fault {
                None => inner.call(request).await,
                Some(Fault::LoseAnswer) => {
                    inner.call(request).await?;
                    Err(ConnectorError::io("the connection was reset".into()))
                }
                Some(Fault::Wait(permits)) => {
                    permits.acquire().await.unwrap().forget();
                    inner.call(request).await
                }
                Some(Fault::Refuse(status, code)) => Ok(answer(status, &json!({"__type": code}))),
                Some(Fault::Cancel(codes)) => {
                    let reasons: Vec<_> = codes.iter().map(|code| json!({"Code": code})).collect();
                    let code = "TransactionCanceledException";
                    Ok(answer(400, &json!({"__type": code, "CancellationReasons": reasons})))
                }
                Some(Fault::ProcessNothing) => {
                    let asked: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
                    let nothing = json!({"Responses": {}, "UnprocessedKeys": asked["RequestItems"]});
                    Ok(answer(200, &nothing))
                }
            }
        })
    }
}

fn answer(status: u16, body: &Value) -> HttpResponse {
    let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()));
    answer.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    answer
}
