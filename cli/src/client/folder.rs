//! The API in this process, over a folder on which no server is running: the same router, without a socket.

use std::future::Future;
use std::path::Path;

use credlink_auth::gate::Gate;
use credlink_auth::tokens::StaticTokens;
use credlink_core::hash::Digest;
use credlink_core::media_type::JSON_TYPE;
use credlink_core::tenant::Tenant;
use credlink_deployment::configuration::{Configuration, IndexChoice};
use credlink_deployment::data_folder::note::Note;
use credlink_deployment::data_folder::{NewIndex, index_path};
use credlink_deployment::deployment::{Deployment, Machine, Opening};
use credlink_deployment::provider::ProviderSettings;
use credlink_disk::foreign::Foreign;
use credlink_disk::presence::is_there;
use credlink_embedded::index::SERVING_CACHE_BYTES;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Uri};
use tokio::runtime::{Builder, Runtime};

use super::{Answer, Question};
use crate::error::{Trouble, TroubleKind};
use crate::logs;
use crate::serve::keep_link_key_private;

/// The address of a server that is started on this folder without further options, which links begin with.
const PUBLIC_URL: &str = "http://127.0.0.1:8787";

/// The stack of a thread, in bytes. Without optimisation, an SDK call takes more than the usual 2 MB.
const STACK_BYTES: usize = 16_777_216;

/// The credential of the user who may open the folder. It never leaves this process.
const OWNER: &str = "the owner of the folder";

/// The purpose for which a folder is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To store something. A missing folder is created.
    Store,
    /// To change something that is stored.
    Change,
    /// To read. A missing folder is refused, because a mistyped name would look like an empty store.
    Read,
    /// To work with files, which only a server does.
    Files,
}

/// The deployment over a folder, and its runtime.
pub struct Folder {
    runtime: Runtime,
    deployment: Deployment,
    has_tenants: bool,
}

impl Folder {
    /// Opens the same deployment that a server over the folder at `path` opens with the same variables. The caller is
    /// `tenant`, and may do everything with that tenant's own objects.
    pub fn open(path: &Path, tenant: &Tenant, purpose: Purpose) -> Result<Self, Trouble> {
        logs::for_a_command();
        let cannot = |error: &dyn std::fmt::Display| Trouble::new(TroubleKind::Folder, error);
        let configuration = Configuration::from_environment();
        let configuration = configuration.map_err(|error| Trouble::new(TroubleKind::Usage, error))?;
        Note::of(path, &configuration).check(path).map_err(|error| cannot(&error))?;
        if purpose == Purpose::Store {
            Foreign::check(path, None).map_err(|error| cannot(&error))?;
        }
        keep_link_key_private(path);
        if configuration.legacy.is_some() {
            let detail = "CREDLINK_LEGACY_SOURCE names a store that answers for what is not here yet, which only a server can \
                          look in: ask one, with --url";
            return Err(Trouble::new(TroubleKind::Usage, detail));
        }
        if configuration.index == IndexChoice::Embedded {
            holds_an_index(path, &configuration, purpose)?;
        }
        let entry = serde_json::json!([{
            "name": "owner", "sha256": Digest::of(OWNER.as_bytes()), "tenant": tenant, "scopes": ["operator"],
        }]);
        let owner = StaticTokens::parse(entry.to_string().as_bytes()).map_err(|error| cannot(&error))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|error| cannot(&error))?;
        let opening = Opening {
            configuration: &configuration,
            machine: Some(Machine::new(path, SERVING_CACHE_BYTES)),
            gate: Gate::Tokens(owner),
            public_url: PUBLIC_URL.to_owned(),
            link_keys: None,
            count_reads: true,
        };
        let deployment = runtime.block_on(Deployment::open(opening)).map_err(|error| cannot(&error))?;
        if purpose != Purpose::Read {
            Note::leave_tenants(path, &configuration).map_err(|error| cannot(&error))?;
        }
        let checked = runtime.block_on(deployment.check());
        // The deployment would work with one provider alone, and so would a server, which repairs the other one later.
        if !checked.is_usable {
            return Err(Trouble::new(TroubleKind::Provider, checked.wrong.join("; ")));
        }
        for wrong in checked.wrong {
            tracing::warn!(wrong, "not everything can be used");
        }
        Ok(Self { runtime, deployment, has_tenants: configuration.has_tenants })
    }

    /// Returns `true` if there may be tenants other than `default`.
    pub const fn has_tenants(&self) -> bool {
        self.has_tenants
    }

    /// Runs `work` to its end.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Sends a request to the router, as over HTTP.
    pub fn ask(&self, question: Question) -> Result<Answer, Trouble> {
        // Only the path of a whole URL counts, because the folder is what the URL leads to.
        let target = question.target.parse::<Uri>().ok().and_then(|uri| uri.into_parts().path_and_query);
        let mut request = Request::builder()
            .method(question.method)
            .uri(target.as_ref().map_or("/", |target| target.as_str()))
            .header(AUTHORIZATION, format!("Bearer {OWNER}"));
        if question.body.is_some() {
            request = request.header(CONTENT_TYPE, JSON_TYPE);
        }
        let request = request.body(()).map_err(|error| Trouble::new(TroubleKind::Usage, error))?;
        let (parts, ()) = request.into_parts();
        let body = async { Ok(question.body.unwrap_or_default()) };
        let (parts, body) = self.run(self.deployment.handle(&parts, body)).into_parts();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

/// Refuses a folder whose index is lost, and a folder without a CredLink if none may be created.
fn holds_an_index(path: &Path, configuration: &Configuration, purpose: Purpose) -> Result<(), Trouble> {
    let own = [Some(&configuration.primary), configuration.fallback.as_ref()];
    let folders = own.into_iter().flatten().filter_map(ProviderSettings::own_folder);
    NewIndex::OverNothing.check(path, folders).map_err(|error| Trouble::new(TroubleKind::Folder, error))?;
    let index = is_there(&index_path(path));
    if purpose != Purpose::Store && !index.map_err(|error| Trouble::new(TroubleKind::Folder, error))? {
        let detail = format!(
            "{} holds no CredLink; `credlink serve` and `credlink put` make one where --data-dir says",
            path.display()
        );
        return Err(Trouble::new(TroubleKind::Folder, detail));
    }
    Ok(())
}

impl Drop for Folder {
    fn drop(&mut self) {
        let deployment = &self.deployment;
        self.runtime.block_on(async {
            // Read counts are statistics, so a failure to write them is ignored.
            let _ = deployment.service().flush_reads().await;
            deployment.service().announce().await;
            if let Err(failure) = deployment.service().tick().await {
                tracing::warn!(reason = %failure, "the store's mark does not cover the last commits");
            }
            if let Err(failure) = deployment.rows().flush().await {
                tracing::warn!(reason = %failure, "the last sums were not written; a recount corrects them");
            }
        });
    }
}
