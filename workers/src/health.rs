//! Health: checks whether R2 and the origin respond to this data center.

use credlink_core::hash::{Digest, MediaHash};
use credlink_core::http::reply::Reply;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use http::StatusCode;
use serde::Serialize;

use crate::configuration::Configuration;
use crate::log;
use crate::request::Asked;
use crate::runtime::{self, Question};

/// The health document, in the same format as the API's.
#[derive(Debug, Serialize)]
struct Health {
    status: Status,
    providers: Vec<Provider>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Degraded,
    Down,
}

#[derive(Debug, Serialize)]
struct Provider {
    name: &'static str,
    role: &'static str,
    status: Status,
    latency_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'static str>,
}

/// Longest health document of the origin that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 65_536;

/// Asks R2 for an object that does not exist and, if an origin is configured, the origin for its own health.
pub async fn health(asked: &Asked, configuration: &Configuration) -> Reply {
    let began = runtime::now();
    let r2 = provider("r2", "objects", began, ask_bucket(asked, configuration).await);
    let mut providers = vec![r2];
    if let Some(origin) = &configuration.origin {
        let began = runtime::now();
        providers.push(provider("origin", "origin", began, ask_origin(asked, configuration, origin).await));
    }
    let up = providers.iter().filter(|provider| provider.status == Status::Ok).count();
    let (status, code) = match up {
        0 => (Status::Down, StatusCode::SERVICE_UNAVAILABLE),
        up if up == providers.len() => (Status::Ok, StatusCode::OK),
        _ => (Status::Degraded, StatusCode::OK),
    };
    Reply::json(code, &Health { status, providers })
}

fn provider(name: &'static str, role: &'static str, began: Timestamp, is_up: bool) -> Provider {
    let took = runtime::now().milliseconds().saturating_sub(began.milliseconds());
    let (status, problem) = if is_up { (Status::Ok, None) } else { (Status::Down, Some("unavailable")) };
    Provider { name, role, status, latency_ms: u64::try_from(took).unwrap_or(0), problem }
}

async fn ask_bucket(asked: &Asked, configuration: &Configuration) -> bool {
    let nothing = MediaHash::from(Digest::from_bytes([0; 32]));
    let probe = ObjectKey::Record(ProofId::derive(&Tenant::default(), &nothing)).to_string();
    let answer = runtime::probe_bucket(&configuration.bucket, &probe, configuration.timeout).await;
    answer.inspect_err(|error| log::failure(&asked.id, "R2 does not answer", &error.0)).is_ok()
}

async fn ask_origin(asked: &Asked, configuration: &Configuration, origin: &str) -> bool {
    let question = Question {
        method: "GET",
        url: &format!("{origin}/v1/health"),
        headers: &format!("x-request-id:{}", asked.id),
        content: None,
        limit: MAX_ANSWER_BYTES,
        milliseconds: configuration.timeout,
    };
    match runtime::ask_server(&question).await {
        Ok(answered) if answered.status() == 200 => true,
        Ok(answered) => {
            let reason = format!("its status is {}", answered.status());
            log::failure(&asked.id, "the origin does not answer", &reason);
            false
        }
        Err(error) => {
            log::failure(&asked.id, "the origin does not answer", &error.0);
            false
        }
    }
}
