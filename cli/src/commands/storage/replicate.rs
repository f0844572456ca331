//! `storage replicate`: queues everything that one provider has to be copied to the other, for a provider that is new,
//! or that was repaired by hand.

use credlink_auth::gate::Gate;
use credlink_core::replica::Replica;
use credlink_deployment::configuration::Configuration;
use credlink_deployment::deployment::{AnyObjects, Deployment, Machine, Opening};
use credlink_embedded::index::PASSING_CACHE_BYTES;
use credlink_ports::{Clock as _, Failure};
use credlink_replication::replicate::{Walked, walk};
use credlink_runtime::clock::SystemClock;
use serde::Serialize;

use super::providers::failed;
use crate::args::Connection;
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// The result, as JSON.
#[derive(Serialize)]
struct Said<'a> {
    to: &'a str,
    #[serde(flatten)]
    walked: &'a Walked,
    request_id: &'a str,
}

/// Queues a repair of every object that the other provider has.
pub(super) async fn replicate(
    connection: &Connection,
    to: Replica,
    after: Option<String>,
    printer: &Printer,
) -> Result<Exit, Trouble> {
    let configuration = Configuration::from_environment();
    let configuration = configuration.map_err(|error| Trouble::new(TroubleKind::Usage, error))?;
    let opening = Opening {
        configuration: &configuration,
        machine: connection.data_dir.as_deref().map(|folder| Machine::new(folder, PASSING_CACHE_BYTES)),
        gate: Gate::of(None, None),
        public_url: String::new(),
        link_keys: None,
        count_reads: false,
    };
    let deployment =
        Deployment::open(opening).await.map_err(|error| Trouble::new(TroubleKind::Folder, error))?;
    let AnyObjects::Two(pair) = deployment.store() else {
        let what = "there is one provider only: set STORAGE_FALLBACK_PROVIDER";
        return Err(Trouble::new(TroubleKind::Usage, what));
    };
    let request_id = SystemClock.request_id();
    let from = match to {
        Replica::Primary => pair.fallback(),
        Replica::Fallback => pair.primary(),
    };
    let walked: Result<Walked, Failure> =
        walk(from, to, deployment.waiting(), &request_id, after, || true).await;
    let walked = walked.map_err(failed)?;
    let name = to.to_string();
    let words = || {
        vec![
            format!(
                "{} objects are queued to be brought to the {to}; {} keys are not CredLink's",
                walked.queued, walked.foreign
            ),
            format!("request id {request_id}"),
        ]
    };
    printer.say(words, &Said { to: &name, walked: &walked, request_id: &request_id })?;
    Ok(Exit::Done)
}
