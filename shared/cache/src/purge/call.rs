//! One call of the Worker's `POST /purge`, and the meaning of its answer.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use credlink_client::{CallError, Client, Policy, Timeouts, twice};
use credlink_core::http::request_id::REQUEST_ID;
use credlink_core::object::{MediaKey, ObjectKey};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use serde::Serialize;

use super::EdgeSettings;

/// The maximum length of an answer, in bytes, that is read so that its connection can be reused. The result itself is
/// in the status.
const MAX_ANSWER_BYTES: u64 = 16_384;

/// The time for which an idle connection is kept. A process that was frozen meanwhile cannot know whether it is still
/// open.
const IDLE: Duration = Duration::from_secs(20);

/// The reason why the edge could not be told.
#[derive(Debug)]
pub(super) struct Untold {
    /// The problem in words, with the setting that mends it where there is one.
    pub(super) problem: String,
    /// `true` if the same call would always fail.
    pub(super) is_for_good: bool,
}

/// The IDs of one call.
#[derive(Debug, Default, Serialize)]
struct Purge {
    proofs: Vec<String>,
    manifests: Vec<String>,
    // A Worker with one tenant need not know this field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fronts: Vec<String>,
    // Nor need one of a service without files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<String>,
}

/// The Worker, with the parameters of calls to it.
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

    /// Returns the Worker's address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Makes the edge forget these proofs, manifests and files.
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
                ObjectKey::Media(MediaKey::File(id)) => purge.files.push(id.to_string()),
                // The edge serves none of these by themselves.
                ObjectKey::Alias(_)
                | ObjectKey::Hold(..)
                | ObjectKey::Removed(..)
                | ObjectKey::Identity
                | ObjectKey::Media(MediaKey::Upload(..) | MediaKey::Original(_) | MediaKey::Rendition(..)) => {
                }
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
        // Redirections are not followed: the token is for the address that the operator set.
        let answer = self.client.send(request.body(Some(body.clone()))?)?;
        let status = answer.status();
        answer.discard(MAX_ANSWER_BYTES);
        Ok(status)
    }
}

/// Returns the meaning of a status other than 200.
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
    // A request that the Worker cannot read now will never be readable.
    let is_for_good = matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE);
    Untold { problem: format!("{what} (status {})", status.as_u16()), is_for_good }
}
