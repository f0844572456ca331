//! From the start of a process to its first event.
//!
//! Before the first event is asked for, a function reads its configuration and nothing else: what is wrong with that
//! ends the process with an error in words. Clients, caches and connections come with the first event that needs them, and
//! stay as long as the process.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use credlink_core::time::Timestamp;
use credlink_deployment::configuration::Configuration;
use credlink_deployment::deployment::{Deployment, Opening};
use credlink_metrics::emf::{self, Flush};
use credlink_ports::Clock as _;
use credlink_runtime::clock::SystemClock;
use credlink_runtime::deadline::within;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_http::{Error, LambdaEvent, lambda_runtime, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OnceCell;
use tracing_subscriber::EnvFilter;

use crate::{batch, gateway, schedule};

/// What a run of the schedule keeps of its time: the page that it is at when it stops has to be done by then.
const LAST_PAGE: Duration = Duration::from_secs(20);

/// Runs a function behind API Gateway.
#[must_use]
pub fn http() -> ExitCode {
    run(async |deployment: &Deployment, event: LambdaEvent<ApiGatewayV2httpRequest>| {
        let (event, context) = event.into_parts();
        let answer = gateway::answer(deployment.service(), deployment, event, &context).await;
        Ok::<ApiGatewayV2httpResponse, Error>(answer)
    })
}

/// Runs the function behind the queue.
#[must_use]
pub fn queue() -> ExitCode {
    run(async |deployment: &Deployment, event: LambdaEvent<SqsEvent>| {
        let (batch, context) = event.into_parts();
        let deadline = gateway::deadline(&context);
        let work = async |message, attempts| within(deadline, deployment.work(&message, attempts)).await;
        let answer = batch::answer(batch, work).await;
        within(deadline, deployment.service().tick_in_turn()).await;
        // What is left is a metric, and no more: the batch is answered whether or not the queue says it.
        if let Err(failure) = within(deadline, deployment.depth()).await {
            tracing::warn!(reason = %failure, "the queue does not say how much waits");
        }
        Ok::<SqsBatchResponse, Error>(answer)
    })
}

/// Runs the function behind the schedule.
#[must_use]
pub fn cleanup() -> ExitCode {
    run(async |deployment: &Deployment, event: LambdaEvent<Value>| {
        let until =
            timestamp(event.context.deadline().checked_sub(LAST_PAGE).unwrap_or(SystemTime::UNIX_EPOCH));
        let done = within(gateway::deadline(&event.context), schedule::run(deployment, until)).await?;
        Ok::<_, Error>(done)
    })
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_milliseconds(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Answers events with `handler` until the process is ended from outside.
fn run<E, A, H>(handler: H) -> ExitCode
where
    E: for<'de> Deserialize<'de>,
    A: Serialize,
    H: AsyncFn(&Deployment, LambdaEvent<E>) -> Result<A, Error>,
{
    log();
    let (configuration, metrics) = match prepare() {
        Ok(prepared) => prepared,
        Err(error) => return fail(&*error),
    };
    // One event at a time, which waits for the network most of its time: one thread is enough, and starts sooner.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let deployment = OnceCell::new();
    // In a box: it has 400 KB, and each layer of the runtime would put a copy of it on the stack.
    let answer = |event| {
        Box::pin(async {
            let answered = match deployment.get_or_try_init(|| open(&configuration)).await {
                Ok(deployment) => handler(deployment, event).await,
                Err(error) => {
                    tracing::error!(reason = %error, "the function cannot work");
                    Err(error)
                }
            };
            if let Err(error) = metrics.flush(SystemClock.now(), std::io::stdout()) {
                tracing::warn!(reason = %error, "metrics were not written");
            }
            answered
        })
    };
    match runtime.block_on(lambda_runtime::run(service_fn(answer))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// What there is to do before the first event.
fn prepare() -> Result<(Configuration, Flush), Error> {
    let configuration = Configuration::from_environment()?;
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|_| "credlink".to_owned());
    // Before anything is made that counts: it goes to the recorder that is there then.
    let metrics = emf::install(&configuration.metrics_namespace, &[("Function", &function)])?;
    // Two crates bring TLS, and either could choose.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok((configuration, metrics))
}

async fn open(configuration: &Configuration) -> Result<Deployment, Error> {
    let gate = configuration.gate()?;
    if !gate.asks() {
        return Err("neither CREDLINK_JWKS nor CREDLINK_TOKENS is set: anybody could store and delete".into());
    }
    let public_url = configuration.public_url.clone();
    let opening = Opening {
        configuration,
        machine: None,
        gate,
        public_url: public_url
            .ok_or("CREDLINK_PUBLIC_URL is not set; it has to be what stands before the paths in links")?,
        link_keys: configuration.link_keys.clone(),
        // A count is a write, which costs more than the read.
        count_reads: false,
    };
    Ok(Deployment::open(opening).await?)
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    tracing::error!(reason = %error, "the function does not start");
    ExitCode::FAILURE
}

/// One JSON object a line, on standard output, where CloudWatch takes it from.
fn log() {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    // CloudWatch notes the time of each line itself.
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        // The span is the request: its id stands on every line under it.
        .with_span_list(false)
        .without_time()
        .with_env_filter(filter)
        .with_ansi(false);
    // It fails only where a subscriber is set already, which then does the work.
    let _ = subscriber.try_init();
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}
