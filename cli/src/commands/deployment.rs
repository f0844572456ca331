//! The deployment that `serve` or the functions open, for an operator's commands that work on it directly.

use std::future::Future;
use std::path::Path;

use credlink_auth::gate::Gate;
use credlink_deployment::configuration::Configuration;
use credlink_deployment::data_folder::note::Note;
use credlink_deployment::data_folder::{NewIndex, index_path};
use credlink_deployment::deployment::{Deployment, Machine, Opening};
use credlink_disk::presence::is_there;
use credlink_embedded::index::SERVING_CACHE_BYTES;
use tokio::runtime::Builder;

use crate::error::{Trouble, TroubleKind};
use crate::logs;
use crate::serve::keep_link_key_private;

/// The stack of a thread, in bytes. Without optimisation, an SDK call takes more than the usual 2 MB.
const STACK_BYTES: usize = 16_777_216;

/// Opens the deployment that the environment names, with `folder` for its data on this machine.
pub(super) async fn open(folder: &Path, new_index: NewIndex) -> Result<Deployment, Trouble> {
    let configuration = Configuration::from_environment();
    let configuration = configuration.map_err(|error| Trouble::new(TroubleKind::Usage, error))?;
    let note = Note::of(folder, &configuration);
    note.check(folder).map_err(|error| Trouble::new(TroubleKind::Folder, error))?;
    let primary = &configuration.primary;
    let objects = match primary.name() {
        "folder" => Some(primary.own_folder().unwrap_or(folder)),
        _ => None,
    };
    keep_link_key_private(folder);
    if let Some(objects) = objects
        && !stands_at(objects)?
    {
        return Err(none_in(objects));
    }
    let opening = Opening {
        configuration: &configuration,
        machine: Some(Machine { new_index, ..Machine::new(folder, SERVING_CACHE_BYTES) }),
        gate: Gate::of(None, None),
        public_url: String::new(),
        link_keys: None,
        count_reads: false,
    };
    let deployment =
        Deployment::open(opening).await.map_err(|error| Trouble::new(TroubleKind::Folder, error))?;
    let checked = deployment.check().await;
    // This is an error even if one provider would do, because objects that only the other one has must not be missed.
    if !checked.wrong.is_empty() {
        return Err(Trouble::new(TroubleKind::Provider, checked.wrong.join("; ")));
    }
    Ok(deployment)
}

/// Refuses a folder without an index of its own.
pub(super) fn holds_an_index(folder: &Path) -> Result<(), Trouble> {
    let objects = folder.join("objects");
    // A lost index is reported by an error of its own.
    if stands_at(&index_path(folder))? || stands_at(&objects)? { Ok(()) } else { Err(none_in(folder)) }
}

fn stands_at(path: &Path) -> Result<bool, Trouble> {
    is_there(path).map_err(|error| Trouble::new(TroubleKind::Folder, error))
}

fn none_in(folder: &Path) -> Trouble {
    let detail = format!(
        "{} holds no CredLink; `credlink serve` and `credlink put` make one where --data-dir says",
        folder.display()
    );
    Trouble::new(TroubleKind::Folder, detail)
}

/// Runs `work` to its end, on threads whose stacks are large enough for SDK calls.
pub(super) fn run<T, F>(work: impl FnOnce() -> F + Send) -> Result<T, Trouble>
where
    T: Send,
    F: Future<Output = Result<T, Trouble>>,
{
    logs::for_a_command();
    let runtime = Builder::new_multi_thread().thread_stack_size(STACK_BYTES).enable_all().build();
    let runtime = runtime.map_err(|error| Trouble::new(TroubleKind::Server, error))?;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, || runtime.block_on(work()));
        let thread = thread.map_err(|error| Trouble::new(TroubleKind::Server, error))?;
        thread.join().unwrap_or_else(|_| {
            Err(Trouble::new(TroubleKind::Server, "it panicked; the same command goes on"))
        })
    })
}

/// Ends the work on a deployment, and makes the announcements that are due.
pub(super) async fn close(deployment: &Deployment) {
    deployment.service().announce().await;
    if let Err(failure) = deployment.service().tick().await {
        tracing::warn!(reason = %failure, "the store's mark does not cover the last commits");
    }
    if let Err(failure) = deployment.rows().flush().await {
        tracing::warn!(reason = %failure, "the last sums were not written; a recount corrects them");
    }
}
