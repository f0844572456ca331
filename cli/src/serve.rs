//! `credlink serve`: the service over a folder of this machine, behind HTTP.
//!
//! | to find | look in |
//! |---|---|
//! | where it listens, and who may reach that | [`address`] |
//! | connections, their limits and their end | [`connections`] |
//! | one request: its body, a panic in it | [`request`] |
//! | the keys of signed links | [`keys`] |
//! | what happens beside requests | [`tasks`] |

mod address;
mod connections;
mod keys;
mod request;
mod tasks;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use credlink_adapters::local::{self, Credentials, Local};
use credlink_adapters::tokens::{StaticTokens, Trusted};
use credlink_service::{Service, Settings};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::args::Serve;
use crate::exit::Exit;
use crate::logs;
use crate::printer::Printer;
use crate::trouble::{Kind, Trouble};
pub use address::is_this_machine;

/// How long the runtime waits for what is cut off at the end: file operations that are under way.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// What a script is told at the start.
#[derive(Serialize)]
struct Started<'a> {
    url: &'a str,
    data_dir: &'a Path,
}

/// Serves until it is told to stop.
pub fn serve(args: Serve, printer: &Printer) -> Result<Exit, Trouble> {
    logs::for_a_server();
    let credentials = credentials(&args)?;
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Trouble::new(Kind::Server, error))?;
    let served = runtime.block_on(run(args, credentials, printer));
    runtime.shutdown_timeout(LAST_WRITES);
    served.map(|()| Exit::Done)
}

async fn run(args: Serve, credentials: Credentials, printer: &Printer) -> Result<(), Trouble> {
    let address = address::resolve(&args.listen)?;
    if matches!(credentials, Credentials::Trusted(_)) && !address.ip().is_loopback() {
        return Err(address::open_to_others(&args.listen));
    }
    let listener = TcpListener::bind(address).await;
    let address = listener.as_ref().map_or(Ok(address), TcpListener::local_addr);
    let url = address.map(|address| format!("http://{address}"));
    let cannot_listen =
        |error| Trouble::new(Kind::Server, format!("cannot listen on {}: {error}", args.listen));
    let (listener, url) = (listener.map_err(cannot_listen)?, url.map_err(cannot_listen)?);
    let public_url = address::public_url(args.public_url.as_deref(), &url)?;
    let asks = matches!(credentials, Credentials::Tokens(_));
    let service = Arc::new(open(&args.data_dir, credentials, public_url)?);
    // The signals are taken before anybody is told that it runs, so that none is missed.
    let stop = tasks::told_to_stop().map_err(|error| Trouble::new(Kind::Server, error))?;
    printer.say(|| words(&url, &args, asks), &Started { url: &url, data_dir: &args.data_dir })?;
    tracing::info!(url, data_dir = %args.data_dir.display(), tokens = asks, "listening");
    let mut background = tasks::start(&service);
    connections::serve(listener, &service, stop).await;
    background.abort_all();
    if let Err(failure) = service.flush_reads().await {
        tracing::warn!(reason = %failure, "the last read counts were not written");
    }
    tracing::info!("stopped");
    Ok(())
}

fn credentials(args: &Serve) -> Result<Credentials, Trouble> {
    let Some(path) = &args.tokens else { return Ok(Credentials::Trusted(Trusted)) };
    let tokens = StaticTokens::open(path).map_err(|error| Trouble::new(Kind::Usage, error))?;
    if tokens.is_empty() {
        tracing::warn!(path = %path.display(), "the token file has no entry: nobody can store anything");
    }
    Ok(Credentials::Tokens(tokens))
}

fn open(folder: &Path, credentials: Credentials, public_url: String) -> Result<Service<Local>, Trouble> {
    let keys = keys::open(folder)?;
    let settings = Settings { public_url, link_keys: Some(keys), count_reads: true };
    local::open(folder, credentials, settings).map_err(|error| Trouble::new(Kind::Folder, error))
}

fn words(url: &str, args: &Serve, asks: bool) -> String {
    let access = match &args.tokens {
        Some(path) if asks => format!("tokens of {}; reading what is public needs none", path.display()),
        _ => "no credential is asked for: only this machine can reach the address".to_owned(),
    };
    let token = if asks { " --token TOKEN" } else { "" };
    [
        format!("CredLink is listening on {url}"),
        format!("  data    {}", args.data_dir.display()),
        format!("  access  {access}"),
        format!("  try     credlink put photo.jpg --url {url}{token}"),
        "  stop    Ctrl-C".to_owned(),
    ]
    .join("\n")
}
