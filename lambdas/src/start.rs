//! The start of a process, up to its first event.
//!
//! Before a function asks for its first event, it reads its configuration and nothing else: an invalid configuration
//! ends the process with an explanatory error. Clients, caches and connections are created by the first event that
//! needs them, and live as long as the process.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use credlink_core::time::Timestamp;
use credlink_deployment::configuration::{Configuration, unknown_in_the_environment};
use credlink_deployment::deployment::{Deployment, Finaliser, Opening};
use credlink_metrics::emf::{self, Flush};
use credlink_ports::{Clock as _, RenditionSigner};
use credlink_runtime::clock::SystemClock;
use credlink_runtime::deadline::within;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_http::{Error, LambdaEvent, lambda_runtime, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OnceCell;
use tracing_subscriber::EnvFilter;

use crate::{batch, gateway, schedule};

/// Time that a scheduled run reserves for finishing its current page.
const LAST_PAGE: Duration = Duration::from_secs(20);

/// Runs a function behind API Gateway.
#[must_use]
pub fn http() -> ExitCode {
    run(async |deployment: &Deployment, event: LambdaEvent<ApiGatewayV2httpRequest>| {
        let (event, context) = event.into_parts();
        let answer = gateway::answer(deployment.service(), deployment, deployment, event, &context).await;
        Ok::<ApiGatewayV2httpResponse, Error>(answer)
    })
}

/// Runs the function that consumes the queue.
#[must_use]
pub fn queue() -> ExitCode {
    run(async |deployment: &Deployment, event: LambdaEvent<SqsEvent>| {
        let (batch, context) = event.into_parts();
        let deadline = gateway::deadline(&context);
        let work = async |message, attempts| within(deadline, deployment.work(&message, attempts)).await;
        let answer = batch::answer(batch, work).await;
        within(deadline, deployment.service().tick_in_turn()).await;
        // The depth of the queue is only a metric, so a failure here does not fail the batch.
        if let Err(failure) = within(deadline, deployment.depth()).await {
            tracing::warn!(reason = %failure, "the queue does not say how much waits");
        }
        Ok::<SqsBatchResponse, Error>(answer)
    })
}

/// Returns the signer of renditions that the configuration names, if it names one. It is opened when something is to be signed.
pub type SignerOf = fn(&Configuration) -> Option<Arc<dyn RenditionSigner>>;

/// Runs the function that consumes the queue of uploads, and handles the requests that render pictures. `finaliser` says what
/// it renders them with, and `signer` what signs them.
#[must_use]
pub fn finalise(
    finaliser: impl FnOnce(&Configuration) -> Result<Finaliser, String>,
    signer: SignerOf,
) -> ExitCode {
    let finaliser = |configuration: &Configuration| Ok(Some((finaliser(configuration)?, signer)));
    run_with(finaliser, async |deployment: &Deployment, event: LambdaEvent<Value>| {
        let (event, context) = event.into_parts();
        if event.get("Records").is_none() {
            let request: ApiGatewayV2httpRequest = serde_json::from_value(event)?;
            let answer =
                gateway::answer(deployment.service(), deployment, deployment, request, &context).await;
            return Ok::<Value, Error>(serde_json::to_value(answer)?);
        }
        let batch: SqsEvent = serde_json::from_value(event)?;
        let deadline = gateway::deadline(&context);
        let finalise = async |upload| within(deadline, deployment.finalise(&upload)).await;
        let answer = batch::arrivals(batch, finalise).await;
        within(deadline, deployment.service().tick_in_turn()).await;
        Ok(serde_json::to_value(answer)?)
    })
}

/// Runs the function that the schedule invokes.
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
    run_with(|_| Ok(None), handler)
}

/// Like [`run`], with what makes files of uploads, if the function does.
fn run_with<E, A, H>(
    finaliser: impl FnOnce(&Configuration) -> Result<Option<(Finaliser, SignerOf)>, String>,
    handler: H,
) -> ExitCode
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
    let finaliser = match finaliser(&configuration) {
        Ok(finaliser) => finaliser,
        Err(error) => return fail(&error),
    };
    // A function handles one event at a time and mostly waits for the network: one thread is enough, and starts sooner.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let deployment = OnceCell::new();
    // The future is boxed because it has 400 KB, and each layer of the runtime would copy it onto the stack.
    let answer = |event| {
        Box::pin(async {
            let answered = match deployment.get_or_try_init(|| open(&configuration, finaliser.as_ref())).await
            {
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

/// Prepares everything that is needed before the first event.
fn prepare() -> Result<(Configuration, Flush), Error> {
    for unknown in unknown_in_the_environment() {
        tracing::warn!("{unknown}");
    }
    let configuration = Configuration::from_environment()?;
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|_| "credlink".to_owned());
    // The recorder has to be installed before anything that counts is created, because counters attach to the recorder
    // that exists at that moment.
    let metrics = emf::install(&configuration.metrics_namespace, &[("Function", &function)])?;
    // Two dependencies bring a TLS provider each, so the choice has to be explicit.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok((configuration, metrics))
}

async fn open(
    configuration: &Configuration,
    finaliser: Option<&(Finaliser, SignerOf)>,
) -> Result<Deployment, Error> {
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
        // Counting means a write, which costs more than the read itself.
        count_reads: false,
    };
    let deployment = Deployment::open(opening).await?;
    let Some((finaliser, signer)) = finaliser else {
        return Ok(deployment.keeping_shared_files(&configuration.files, None));
    };
    let deployment = deployment.keeping_shared_files(&configuration.files, Some(finaliser.clone()));
    Ok(match signer(configuration) {
        Some(signer) => deployment.signing_renditions(signer),
        None => deployment,
    })
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    tracing::error!(reason = %error, "the function does not start");
    ExitCode::FAILURE
}

/// Writes one JSON object per line to standard output, where CloudWatch collects it.
fn log() {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    // CloudWatch records the time of each line itself.
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        // The current span is the request; its ID appears on every line within it.
        .with_span_list(false)
        .without_time()
        .with_env_filter(filter)
        .with_ansi(false);
    // This fails only if a subscriber is already set, which then does the work.
    let _ = subscriber.try_init();
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}
