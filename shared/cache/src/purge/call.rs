//! One call of the Worker's `POST /purge`, and what its answer means.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use credlink_client::{CallError, Client, Policy, Timeouts, twice};
use credlink_core::http::request_id::REQUEST_ID;
use credlink_core::object::ObjectKey;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use serde::Serialize;

use super::EdgeSettings;

/// Longest answer that is read, in bytes, so that its connection can be used again; what it says is in its status.
const MAX_ANSWER_BYTES: u64 = 16_384;

/// How long a connection is kept that nobody uses. Whoever is frozen in between cannot know whether it still stands.
const IDLE: Duration = Duration::from_secs(20);

/// Why the edge does not know.
#[derive(Debug)]
pub(super) struct Untold {
    /// What is wrong, in words that say what to set where that mends it.
    pub(super) problem: String,
    /// Whether the same call would fail for ever.
    pub(super) is_for_good: bool,
}

/// The ids that one call is about.
#[derive(Debug, Default, Serialize)]
struct Purge {
    proofs: Vec<String>,
    manifests: Vec<String>,
    // A Worker with one tenant need not know of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fronts: Vec<String>,
}

/// The Worker, and what it is called with.
#[derive(Clone)]
pub(super) struct Call {
    url: String,
    authorization: String,
    client: Client,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Call {
    pub(super) fn new(settings: &EdgeSettings) -> Self {
        let timeouts = Timeouts { whole: Some(settings.call), ..Timeouts::default() };
        let client = Client::new(&Policy { timeouts, idle: Some(IDLE), ..Policy::default() });
        Self { url: settings.url.clone(), authorization: format!("Bearer {}", settings.token), client }
    }

    /// The Worker's address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Has the edge forget these proofs and manifests.
    pub(super) async fn purge(
        &self,
        keys: impl Iterator<Item = &ObjectKey>,
        request_id: Option<&str>,
    ) -> Result<(), Untold> {
        let mut purge = Purge::default();
        for key in keys {
            match key {
                ObjectKey::Record(id) | ObjectKey::Revision(id, _) => purge.proofs.push(id.to_string()),
                ObjectKey::Manifest(key) => purge.manifests.push(key.to_string()),
                ObjectKey::Front(id) => purge.fronts.push(id.to_string()),
                // The edge serves none of these.
                ObjectKey::Alias(_) | ObjectKey::Hold(..) | ObjectKey::Removed(..) | ObjectKey::Identity => {}
            }
        }
        let (call, request_id) = (self.clone(), request_id.map(str::to_owned));
        let answer = tokio::task::spawn_blocking(move || {
            let body = Bytes::from(serde_json::to_vec(&purge).unwrap_or_default());
            twice(|| call.send(&body, request_id.as_deref()))
        });
        match answer.await {
            Ok(Ok(StatusCode::OK)) => Ok(()),
            Ok(Ok(status)) => Err(refused(status)),
            Ok(Err(error)) => Err(Untold { problem: error.to_string(), is_for_good: false }),
            Err(error) => Err(Untold { problem: error.to_string(), is_for_good: false }),
        }
    }

    fn send(&self, body: &Bytes, request_id: Option<&str>) -> Result<StatusCode, CallError> {
        let mut request = Request::post(format!("{}/purge", self.url))
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/json");
        if let Some(id) = request_id {
            request = request.header(REQUEST_ID, id);
        }
        // No redirection: the token is for the address that the operator set.
        let answer = self.client.send(request.body(Some(body.clone()))?)?;
        let status = answer.status();
        answer.discard(MAX_ANSWER_BYTES);
        Ok(status)
    }
}

/// What it means that the answer is not 200.
fn refused(status: StatusCode) -> Untold {
    let what = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "it refuses the token: CREDLINK_EDGE_TOKEN has to be the Worker's CREDLINK_PURGE_TOKEN"
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            "it has no /purge: set CREDLINK_PURGE_TOKEN at the Worker, and CREDLINK_EDGE_URL to the domain that the Worker \
             answers on, without a path"
        }
        status if status.is_redirection() => {
            "it leads elsewhere: set CREDLINK_EDGE_URL to the domain that the Worker answers on, with https://"
        }
        _ => "it could not do it",
    };
    // What it cannot read now it can never read.
    let is_for_good = matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE);
    Untold { problem: format!("{what} (status {})", status.as_u16()), is_for_good }
}
