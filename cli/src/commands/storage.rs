//! `credlink storage`: the objects of a provider, for operators.
//!
//! The commands work on the provider itself, below the service. The index does not learn of what they delete or
//! replace; `fsck` finds what no longer fits.

mod look;
mod providers;
mod remove;
mod replicate;
mod transfer;

use tokio::runtime::Builder;

use providers::{Access, Providers};

use crate::args::Connection;
use crate::args::storage::{Action, Storage};
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::printer::Printer;

/// Runs the action that was typed.
pub fn storage(connection: &Connection, args: Storage, printer: &Printer) -> Result<Exit, Trouble> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Trouble::new(TroubleKind::Provider, error))?;
    runtime.block_on(run(connection, args.action, printer))
}

async fn run(connection: &Connection, action: Action, printer: &Printer) -> Result<Exit, Trouble> {
    let access = match action {
        Action::Ls { .. }
        | Action::Stat { .. }
        | Action::Cat { .. }
        | Action::Stats { .. }
        | Action::Health { .. }
        | Action::Sign { .. } => Access::Look,
        Action::Put { .. } | Action::Cp(_) | Action::Mv(_) | Action::Rm { .. } | Action::Replicate { .. } => {
            Access::Write
        }
    };
    let providers = &Providers::new(connection, access);
    match action {
        Action::Replicate { to, after } => replicate::replicate(connection, to.into(), after, printer).await,
        Action::Ls { place, recursive } => look::list(providers, &place, recursive, printer).await,
        Action::Stat { place } => look::stat(providers, &place, printer).await,
        Action::Cat { place, range } => look::cat(providers, &place, range, printer).await,
        Action::Stats { place } => look::stats(providers, &place, printer).await,
        Action::Health { provider } => look::health(providers, &provider, printer).await,
        Action::Sign { place, expires_in, method, content_type } => {
            look::sign(providers, &place, expires_in, method, content_type.as_deref(), printer).await
        }
        Action::Put { file, place, content_type } => {
            transfer::put(providers, &file, &place, content_type, printer).await
        }
        Action::Cp(args) => transfer::transfer(providers, &args, transfer::Way::Copy, printer).await,
        Action::Mv(args) => transfer::transfer(providers, &args, transfer::Way::Move, printer).await,
        Action::Rm { places, recursive, yes } => {
            remove::remove(providers, &places, recursive, yes, printer).await
        }
    }
}
