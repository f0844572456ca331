//! From the start of a process to its first event.
//!
//! Before the first event is asked for, a function reads its configuration and nothing else: what is wrong with that
//! ends the process with an error in words. Clients, caches and connections come with the first event that needs them, and
//! stay as long as the process.

use std::future::Future;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use credlink_adapters::configuration::Configuration;
use credlink_adapters::deadline::within;
use credlink_adapters::deployment::Deployment;
use credlink_adapters::emf;
use credlink_core::time::Timestamp;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_http::lambda_runtime;
use lambda_http::{Error, LambdaEvent, service_fn};
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
        let work = async |message| within(deadline, deployment.work(&message)).await;
        Ok::<SqsBatchResponse, Error>(batch::answer(batch, work).await)
    })
}

/// Runs the function behind the schedule.
#[must_use]
pub fn cleanup() -> ExitCode {
    run(async |deployment: &Deployment, event: LambdaEvent<Value>| {
        let deadline = event.context.deadline() - LAST_PAGE;
        let until = within(gateway::deadline(&event.context), schedule::run(deployment, timestamp(deadline)));
        Ok::<_, Error>(until.await?)
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
    let configuration = match Configuration::from_environment() {
        Ok(configuration) => configuration,
        Err(error) => return fail(&error),
    };
    let metrics = emf::install(&configuration.metrics_namespace);
    // One event at a time, which waits for the network most of its time: one thread is enough, and starts sooner.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let deployment = OnceCell::new();
    let answer = |event| async {
        let opened = deployment.get_or_try_init(|| Deployment::open(&configuration)).await;
        let answered = match opened {
            Ok(deployment) => handler(deployment, event).await,
            Err(error) => {
                tracing::error!(reason = %error, "the function cannot work");
                Err(error.into())
            }
        };
        metrics.flush(&mut std::io::stdout());
        answered
    };
    match runtime.block_on(lambda_runtime::run(service_fn(answer))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
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
        .without_time()
        .with_env_filter(filter)
        .with_ansi(false);
    // It fails only where a subscriber is set already, which then does the work.
    let _ = subscriber.try_init();
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}
