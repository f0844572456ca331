//! The API in this process, over a folder that no server is running on: the same router, without a socket.

use std::future::Future;
use std::path::Path;

use credlink_adapters::gate::Gate;
use credlink_adapters::local::{self, Local, NewIndex};
use credlink_adapters::tokens::StaticTokens;
use credlink_core::hash::Digest;
use credlink_core::object::JSON_TYPE;
use credlink_core::tenant::Tenant;
use credlink_service::{Service, Settings};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Uri};
use tokio::runtime::{Builder, Runtime};

use super::{Answer, Question};
use crate::logs;
use crate::trouble::{Kind, Trouble};

/// Where a server on this folder is, if it is started without further options: what stands in links.
const PUBLIC_URL: &str = "http://127.0.0.1:8787";

/// The credential of who may open the folder: it never leaves this process.
const OWNER: &str = "the owner of the folder";

/// Whether a folder may be made that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Making {
    /// To store something.
    Allowed,
    /// To read: a name that was mistyped would look like an empty store.
    Refused,
}

/// The service over a folder, and what runs it.
pub struct Folder {
    runtime: Runtime,
    service: Service<Local>,
}

impl Folder {
    /// Opens the folder at `path` as its owner, in the name space of `tenant`.
    pub fn open(path: &Path, tenant: &Tenant, making: Making) -> Result<Self, Trouble> {
        logs::for_a_command();
        let cannot = |error: &dyn std::fmt::Display| Trouble::new(Kind::Folder, error);
        NewIndex::OverNothing.check(path, []).map_err(|error| cannot(&error))?;
        if making == Making::Refused && !local::index_path(path).exists() {
            let detail = format!(
                "{} holds no CredLink; `credlink serve` and `credlink put` make one where --data-dir says",
                path.display()
            );
            return Err(Trouble::new(Kind::Folder, detail));
        }
        let entry = serde_json::json!([{
            "name": "owner", "sha256": Digest::of(OWNER.as_bytes()), "tenant": tenant, "scopes": ["operator"],
        }]);
        let owner = StaticTokens::parse(entry.to_string().as_bytes()).map_err(|error| cannot(&error))?;
        let settings = Settings {
            public_url: PUBLIC_URL.to_owned(),
            link_keys: None,
            count_reads: true,
            notice_on_read: true,
            has_tenants: !tenant.is_default(),
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| cannot(&error))?;
        let service = local::open(path, Gate::Tokens(owner), settings).map_err(|error| cannot(&error))?;
        Ok(Self { runtime, service })
    }

    /// Runs `work` to its end.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Asks, as over HTTP.
    pub fn ask(&self, question: Question) -> Result<Answer, Trouble> {
        // Of a whole URL the path counts: the folder is where it leads to.
        let target = question.target.parse::<Uri>().ok().and_then(|uri| uri.into_parts().path_and_query);
        let mut request = Request::builder()
            .method(question.method)
            .uri(target.as_ref().map_or("/", |target| target.as_str()))
            .header(AUTHORIZATION, format!("Bearer {OWNER}"));
        if question.body.is_some() {
            request = request.header(CONTENT_TYPE, JSON_TYPE);
        }
        let request = request.body(()).map_err(|error| Trouble::new(Kind::Usage, error))?;
        let (parts, ()) = request.into_parts();
        let body = async { Ok(question.body.unwrap_or_default()) };
        let (parts, body) = self.run(self.service.handle(&parts, body)).into_parts();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Counts are statistics: what cannot be written is lost.
        let _ = self.runtime.block_on(self.service.flush_reads());
        if let Err(failure) = self.runtime.block_on(self.service.tick()) {
            tracing::warn!(reason = %failure, "the store's mark does not cover the last commits");
        }
    }
}
