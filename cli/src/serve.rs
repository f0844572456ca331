//! `credlink serve`: the service over a folder on this machine, behind HTTP.
//!
//! | to find | look in |
//! |---|---|
//! | the address, and who may reach it | [`address`] |
//! | connections, bodies and answers | `credlink-server` |
//! | the handler of requests | [`handler`] |
//! | the bytes of uploads; files of them; manifests in them; renditions, and their signer | [`reception`]; [`finalising`]; [`embedded`]; `credlink-renderer`, `credlink-signer` |
//! | uploads by the protocol tus | [`tus`] |
//! | the callers that are answered without a credential | [`local_only`] |
//! | the pages of other origins that may use the API | [`origins`] |
//! | the log of requests whose bodies are not read as a whole | [`logged`] |
//! | the key of signed links | [`link_key`] |
//! | `/metrics` | [`metrics`] |
//! | the background tasks | [`tasks`] |

mod address;
mod embedded;
mod finalising;
mod handler;
mod link_key;
mod local_only;
mod logged;
mod metrics;
mod origins;
mod reception;
mod tasks;
mod tus;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use credlink_auth::gate::Gate;
use credlink_auth::jwt::JwtAuthenticator;
use credlink_auth::tokens::{StaticTokens, TokensError};
use credlink_core::bounds::MAX_WHOLE_FILE_BYTES;
#[cfg(not(feature = "sign"))]
use credlink_deployment::configuration::SIGN_CERTIFICATE;
use credlink_deployment::configuration::{Configuration, TENANTS, Variables};
use credlink_deployment::data_folder::DataFolderError;
use credlink_deployment::data_folder::note::Note;
use credlink_deployment::deployment::{Deployment, Machine, OpenError, Opening};
use credlink_disk::foreign::Foreign;
use credlink_embedded::index::SERVING_CACHE_BYTES;
use credlink_files::Notices;
use credlink_metrics::prometheus::Prometheus;
use credlink_ports::RenditionSigner;
use credlink_renderer::Pictures;
use credlink_server::{connections, listener};
#[cfg(feature = "sign")]
use credlink_signer::IsolatedSigner;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

pub(crate) use tasks::CLEAN;

use crate::args::Serve;
use crate::environment;
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;
use crate::logs;
use crate::printer::Printer;
pub use credlink_server::signals::told_to_stop;
use embedded::EmbeddedManifests;
use finalising::Arrivals;
use handler::Api;
pub use link_key::keep_link_key_private;
use origins::Origins;

/// The time that the runtime waits at its end for file operations that are under way.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// The stack of a thread of the runtime, in bytes. It takes memory only as it is used. Without optimisation, an SDK
/// call within a request takes more than the usual 2 MB.
const STACK_BYTES: usize = 16_777_216;

/// The line of JSON that is printed at the start.
#[derive(Serialize)]
struct Started<'a> {
    url: &'a str,
    data_dir: &'a Path,
}

/// Serves until it is told to stop.
pub fn serve(args: Serve, printer: &Printer) -> Result<Exit, Trouble> {
    logs::for_a_server();
    environment::tell_of_unknown(printer);
    let configuration = Configuration::from_environment();
    let configuration = configuration.map_err(|error| Trouble::new(TroubleKind::Usage, error))?;
    let gate = gate(&args, configuration.has_tenants)?;
    // The recorder must exist before the service is made, because the service counts with the recorder that it finds.
    let metrics = Prometheus::install().map_err(|error| Trouble::new(TroubleKind::Server, error))?;
    let runtime = Builder::new_multi_thread().thread_stack_size(STACK_BYTES).enable_all().build();
    let runtime = runtime.map_err(|error| Trouble::new(TroubleKind::Server, error))?;
    let served = runtime.block_on(run(args, &configuration, gate, metrics, printer));
    runtime.shutdown_timeout(LAST_WRITES);
    served.map(|()| Exit::Done)
}

async fn run(
    args: Serve,
    configuration: &Configuration,
    gate: Gate,
    metrics: Prometheus,
    printer: &Printer,
) -> Result<(), Trouble> {
    let asks = gate.asks();
    let (listener, url) = listen(&args, asks)?;
    let public_url = address::public_url(args.public_url.as_deref(), &url)?;
    let origins = Origins::new(args.allow_origin.clone());
    let arrivals = Arc::new(Arrivals::default());
    let deployment = open(&args, configuration, gate, public_url).await?;
    let deployment = with_files(deployment, &args, configuration, &arrivals).await?;
    let deployment = Arc::new(deployment);
    tasks::begin(&deployment).await;
    // This happens before the first request, so that no request has to look.
    deployment.service().standing().await;
    // From now on, the store's mark covers what an earlier process committed in its last seconds.
    if let Err(failure) = deployment.service().tick_for_all().await {
        tracing::warn!(reason = %failure, "the store's mark did not advance; it advances with the next commit");
    }
    // The signals are caught before the server says that it runs, so that none is missed.
    let stop = told_to_stop().map_err(|error| Trouble::new(TroubleKind::Server, error))?;
    printer.say(|| words(&url, &args), &Started { url: &url, data_dir: &args.data_dir })?;
    tracing::info!(url, data_dir = %args.data_dir.display(), credentials = asks, "listening");
    let mut background = tasks::start(&deployment, &metrics, &arrivals);
    let api = Arc::new(Api { deployment: Arc::clone(&deployment), trusts_everyone: !asks, origins, metrics });
    let is_ended = connections::serve(listener, api, stop).await;
    background.abort_all();
    record_end(&deployment, is_ended).await;
    tracing::info!("stopped");
    Ok(())
}

/// Listens on the address that the arguments name, and returns its URL. Only this machine may reach a server that `asks` for no
/// credentials.
fn listen(args: &Serve, asks: bool) -> Result<(TcpListener, String), Trouble> {
    let address = address::resolve(&args.listen)?;
    if !asks && !address.ip().is_loopback() {
        return Err(address::open_to_others(&args.listen));
    }
    if !asks && let Some(url) = args.public_url.as_deref().filter(|url| address::is_elsewhere(url)) {
        return Err(address::public_without_tokens(url));
    }
    let cannot_listen = |error| {
        let detail = format!("cannot listen on {}: {error}; --listen names another address", args.listen);
        Trouble::new(TroubleKind::Server, detail)
    };
    let listener = listener::listen(address).map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    Ok((listener, format!("http://{address}")))
}

/// Makes the last writes of the server. `is_ended` is `true` if all requests were answered. A failure is logged, and only
/// costs the next server some time.
async fn record_end(deployment: &Deployment, is_ended: bool) {
    // An import from a legacy store may have been interrupted in the middle of a proof.
    if is_ended && deployment.legacy().is_none() {
        tasks::keep_clean(deployment, deployment.service().clean_at_its_end()).await;
    }
    // Announcements that failed before are made once more.
    deployment.service().announce().await;
    if let Err(failure) = deployment.service().flush_reads().await {
        tracing::warn!(reason = %failure, "the last read counts were not written");
    }
    // The store's mark covers the last commit, so that an index from before it is recognised as older.
    if let Err(failure) = deployment.service().tick().await {
        tracing::warn!(reason = %failure, "the store's mark does not cover the last commits");
    }
    if let Err(failure) = deployment.rows().flush().await {
        tracing::warn!(reason = %failure, "the last sums were not written; a recount corrects them");
    }
}

fn gate(args: &Serve, has_tenants: bool) -> Result<Gate, Trouble> {
    let usage = |error: &dyn std::fmt::Display| Trouble::new(TroubleKind::Usage, error);
    let tokens = args.tokens.as_deref().map(tokens).transpose()?;
    let jwt = args.jwt.settings().map(JwtAuthenticator::new).transpose().map_err(|error| usage(&error))?;
    if jwt.is_none() && tokens.as_ref().is_some_and(StaticTokens::is_empty) {
        tracing::warn!("the token file has no entry: nobody can store anything");
    }
    for name in tokens.as_ref().map(StaticTokens::without_owner).unwrap_or_default() {
        tracing::warn!(
            name,
            "this token has the scope `media:write`, and cannot upload: a token of the file names no user who would own the \
             files; give it `media:admin`, or accept JSON Web Tokens, whose `sub` is the owner"
        );
    }
    let others = tokens.as_ref().map(StaticTokens::tenants).unwrap_or_default();
    for tenant in others.iter().filter(|tenant| !has_tenants && !tenant.is_default()) {
        tracing::warn!(%tenant, "tokens of this tenant are refused: there is one tenant, `default`, unless CREDLINK_TENANTS is `several`");
    }
    Ok(Gate::of(tokens, jwt))
}

/// Reads the file of tokens. An error names the file and the reason.
fn tokens(path: &Path) -> Result<StaticTokens, Trouble> {
    StaticTokens::open(path).map_err(|error| {
        let name = path.display();
        let detail = match error {
            TokensError::Io { .. } => error.to_string(),
            _ if begins_with_a_mark(path) => {
                format!("{name} begins with a byte order mark; a file of tokens is UTF-8 without one")
            }
            error => format!("{name}: {error}"),
        };
        Trouble::new(TroubleKind::Usage, detail)
    })
}

/// Returns `true` if a file begins with the byte order mark of UTF-8, which some editors write.
fn begins_with_a_mark(path: &Path) -> bool {
    let mut beginning = [0; 3];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut beginning));
    read.is_ok() && beginning == [0xef, 0xbb, 0xbf]
}

async fn open(
    args: &Serve,
    configuration: &Configuration,
    gate: Gate,
    public_url: String,
) -> Result<Deployment, Trouble> {
    let (folder, tokens) = (args.data_dir.as_path(), args.tokens.as_deref());
    let cannot = |error: &dyn std::fmt::Display| Trouble::new(TroubleKind::Folder, error);
    // The note is read even if the variable says whether there are several tenants: a note that cannot be read may be
    // from a newer program.
    let had_tenants = Note::has_tenants(folder).map_err(|error| cannot(&error))?;
    if had_tenants && !configuration.has_tenants && !is_said(TENANTS) {
        let detail = format!(
            "{} was last used with several tenants: set CREDLINK_TENANTS=several, or CREDLINK_TENANTS=one to go back to one, whose \
             plain addresses then serve the tenant `default` alone",
            folder.display()
        );
        return Err(Trouble::new(TroubleKind::Folder, detail));
    }
    Foreign::check(folder, tokens).map_err(|error| cannot(&error))?;
    let link_keys = match &configuration.link_keys {
        Some(keys) => keys.clone(),
        None => link_key::open(folder)?,
    };
    let note = Note::of(folder, configuration);
    let opening = Opening {
        configuration,
        machine: Some(Machine { own_file: tokens, ..Machine::new(folder, SERVING_CACHE_BYTES) }),
        gate,
        public_url,
        link_keys: Some(link_keys),
        count_reads: true,
    };
    let deployment = Deployment::open(opening).await.map_err(|error| match (&error, note.check(folder)) {
        // The objects are where the last server had them.
        (OpenError::DataFolder(DataFolderError::ObjectsLost(_)), Err(differs)) => cannot(&differs),
        _ => cannot(&error),
    })?;
    let checked = deployment.check().await;
    if !checked.is_usable {
        return Err(Trouble::new(TroubleKind::Provider, checked.wrong.join("; ")));
    }
    for wrong in checked.wrong {
        tracing::warn!(wrong, "not everything can be used");
    }
    // The note is for commands that work on the folder while no server runs. A server that cannot open its deployment
    // leaves none.
    if let Err(differs) = note.check(folder) {
        tracing::warn!(%differs, "the deployment differs from the one before");
    }
    note.leave(folder).map_err(|error| cannot(&error))?;
    Ok(deployment)
}

/// Keeps files in the deployment, if it can.
async fn with_files(
    deployment: Deployment,
    args: &Serve,
    configuration: &Configuration,
    arrivals: &Arc<Arrivals>,
) -> Result<Deployment, Trouble> {
    let files = &configuration.files;
    Pictures::check(&files.collections, MAX_WHOLE_FILE_BYTES).map_err(|why| {
        Trouble::new(TroubleKind::Usage, format!("CREDLINK_COLLECTIONS cannot be used by this server: {why}"))
    })?;
    files.check_signer().map_err(|error| Trouble::new(TroubleKind::Usage, error))?;
    let signer = signer(configuration).await.map_err(|why| Trouble::new(TroubleKind::Usage, why))?;
    let (renderer, manifests) = (Arc::new(Pictures::default()), Arc::new(EmbeddedManifests));
    let deployment = deployment
        .keeping_files(&args.data_dir, files, (renderer, manifests), Arc::clone(arrivals) as Arc<dyn Notices>)
        .map_err(|error| Trouble::new(TroubleKind::Folder, error))?;
    Ok(match signer {
        Some(signer) => deployment.signing_renditions(signer),
        None => deployment,
    })
}

/// Opens the signer of renditions, if there is a certificate for it.
#[cfg(feature = "sign")]
async fn signer(configuration: &Configuration) -> Result<Option<Arc<dyn RenditionSigner>>, String> {
    let Some(signing) = &configuration.files.signing else { return Ok(None) };
    let signer = IsolatedSigner::open(signing, configuration.limits, u64::MAX).await;
    signer.map(|signer| Some(Arc::new(signer) as Arc<dyn RenditionSigner>)).map_err(|error| error.to_string())
}

/// Refuses a certificate, because this program signs nothing.
#[cfg(not(feature = "sign"))]
async fn signer(configuration: &Configuration) -> Result<Option<Arc<dyn RenditionSigner>>, String> {
    match configuration.files.signing {
        None => Ok(None),
        Some(_) => Err(format!(
            "{SIGN_CERTIFICATE} is set, and this program signs nothing: build it with `--features sign`"
        )),
    }
}

fn is_said(variable: &str) -> bool {
    Variables::environment().text(variable).is_some()
}

fn words(url: &str, args: &Serve) -> Vec<String> {
    let tokens = args.tokens.as_ref().map(|path| format!("tokens of {}", path.display()));
    let jwt = args.jwt.settings().map(|jwt| format!("JSON Web Tokens of {}", jwt.issuer));
    let asked: Vec<String> = tokens.into_iter().chain(jwt).collect();
    let (access, token) = if asked.is_empty() {
        ("no credential is needed: only programs on this machine are served".to_owned(), "")
    } else {
        (format!("{}; public reads need none", asked.join(" and ")), " --token TOKEN")
    };
    [
        format!("CredLink is listening on {url}"),
        format!("  data    {}", args.data_dir.display()),
        format!("  access  {access}"),
        format!("  try     credlink put photo.jpg --url {url}{token}"),
        "  stop    Ctrl-C".to_owned(),
    ]
    .to_vec()
}
