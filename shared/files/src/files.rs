//! [`Files`], the type to which all use cases of files belong, with its settings and its ports.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use credlink_core::collection::{Collection, Collections};
use credlink_core::file::{CollectionName, UploadId};
use credlink_core::http::peer::Network;
use credlink_core::link::LinkKeys;
use credlink_core::rules::quota::Limits;

use credlink_ports::{Failure, FailureKind, ManifestReader, OpenObjects, Renderer, RenditionSigner, Scanner};

use crate::elsewhere::Elsewhere;
use crate::refusals::Refusals;
use crate::turns::Turns;

/// The future of a notice.
pub type Noticing<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The receiver of notices that an upload waits for a finaliser. A notice may be lost, with the process or on its way: the
/// sweeper finds the upload by its row.
pub trait Notices: Debug + Send + Sync {
    /// Notes that all bytes of `upload` may have arrived. This does not wait for the finaliser.
    fn arrived(&self, upload: UploadId) -> Noticing<'_>;
}

/// A source of 160 random bits for an ID, which comes from the operating system.
pub type Random = fn() -> Result<[u8; 20], String>;

/// A timer, whose future ends after a time.
pub type Pause = fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// The longest pause after the first lost commit: as long as a commit takes on DynamoDB.
const SHORT_PAUSE: Duration = Duration::from_millis(10);

/// The number of times that the longest pause doubles, up to 640 ms.
const DOUBLINGS: usize = 6;

/// The settings of an operator.
#[derive(Clone, Debug)]
pub struct FilesSettings {
    /// The collections.
    pub collections: Arc<Collections>,
    /// The keys that sign addresses of bytes and links to files.
    pub link_keys: LinkKeys,
    /// The start of the links that clients are given, up to the path and without a trailing slash.
    pub public_url: String,
    /// The quota of each tenant.
    pub tenant_limits: Limits,
    /// The quota of each owner.
    pub owner_limits: Limits,
    /// The most uploads that an owner may announce in a minute, at all processes together.
    pub announcements_per_minute: u32,
    /// The networks of reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// The source of random bits.
    pub random: Random,
    /// The timer.
    pub pause: Pause,
}

/// The ports of files, beside those of the service.
#[derive(Clone, Debug)]
pub struct FilesPorts<Q> {
    /// The place that clients send bytes to.
    pub quarantine: Q,
    /// The renderer of pictures.
    pub renderer: Arc<dyn Renderer>,
    /// The reader of manifests in files.
    pub manifests: Arc<dyn ManifestReader>,
    /// The scanner for malware, if there is one.
    pub scanner: Option<Arc<dyn Scanner>>,
    /// The receiver of notices.
    pub notices: Arc<dyn Notices>,
}

/// The files of a service, over a quarantine.
#[derive(Debug)]
pub struct Files<Q> {
    pub(crate) quarantine: Q,
    pub(crate) renderer: Arc<dyn Renderer>,
    pub(crate) manifests: Arc<dyn ManifestReader>,
    pub(crate) scanner: Option<Arc<dyn Scanner>>,
    pub(crate) signer: Option<Arc<dyn RenditionSigner>>,
    pub(crate) notices: Arc<dyn Notices>,
    pub(crate) settings: FilesSettings,
    /// `false` if another program makes files of the uploads that are due here.
    pub(crate) finalises: bool,
    /// The place to which readers are sent for bytes, if none are sent from here.
    pub(crate) elsewhere: Option<Arc<dyn Elsewhere>>,
    /// The refused accesses that wait to share an entry of the log.
    pub(crate) refusals: Refusals,
    /// The turns of requests that render pictures.
    pub(crate) turns: Turns,
    /// The provider that opens long originals, for a program that sends them piece by piece.
    pub(crate) opens: Option<Arc<dyn OpenObjects>>,
}

impl<Q> Files<Q> {
    /// Creates the files of a service.
    pub fn new(ports: FilesPorts<Q>, settings: FilesSettings) -> Self {
        let FilesPorts { quarantine, renderer, manifests, scanner, notices } = ports;
        Self {
            quarantine,
            renderer,
            manifests,
            scanner,
            signer: None,
            notices,
            settings,
            finalises: true,
            elsewhere: None,
            refusals: Refusals::default(),
            turns: Turns::default(),
            opens: None,
        }
    }

    /// Adds a signer, which signs the renditions of collections with `provenance = sign`.
    #[must_use]
    pub fn signing_with(self, signer: Arc<dyn RenditionSigner>) -> Self {
        Self { signer: Some(signer), ..self }
    }

    /// Leaves the uploads that are due to the program that receives the notices. This is for a program without a renderer.
    #[must_use]
    pub fn leaving_uploads_to_others(self) -> Self {
        Self { finalises: false, ..self }
    }

    /// Redirects readers to `elsewhere` for all bytes. This is for a program that sends none itself.
    #[must_use]
    pub fn sending_readers(self, elsewhere: Arc<dyn Elsewhere>) -> Self {
        Self { elsewhere: Some(elsewhere), ..self }
    }

    /// Adds a provider that opens long originals, which are then sent piece by piece. The program that answers has to look
    /// for [`Streamed`](credlink_service::router::Streamed) in its responses.
    #[must_use]
    pub fn opening_originals(self, opens: Arc<dyn OpenObjects>) -> Self {
        Self { opens: Some(opens), ..self }
    }

    /// Returns `true` if this program makes files of uploads.
    #[must_use]
    pub const fn finalises(&self) -> bool {
        self.finalises
    }

    /// Returns the quarantine.
    pub const fn quarantine(&self) -> &Q {
        &self.quarantine
    }

    /// Returns the settings.
    pub const fn settings(&self) -> &FilesSettings {
        &self.settings
    }

    pub(crate) fn collection(&self, name: &CollectionName) -> Option<&Collection> {
        self.settings.collections.get(name)
    }

    /// Waits before a commit that changes a quota is tried again. Everything that a tenant does changes the same row, and
    /// processes that try again at once would meet again. The pause is random, so that they do not.
    pub(crate) async fn give_way(&self, attempt: usize) {
        let longest = SHORT_PAUSE * (1 << attempt.min(DOUBLINGS));
        let share = self.random().map_or(u8::MAX, |bits| bits[0]);
        (self.settings.pause)(longest * u32::from(share) / 256).await;
    }

    pub(crate) fn random(&self) -> Result<[u8; 20], Failure> {
        (self.settings.random)().map_err(|message| Failure {
            provider: "random numbers",
            kind: FailureKind::Unavailable,
            message,
        })
    }
}
