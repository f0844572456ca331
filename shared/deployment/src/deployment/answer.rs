//! Answers requests: by the service alone, beside a legacy store, and with files.

use bytes::Bytes;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::route::Route;
use credlink_files::WithFiles;
use credlink_service::Service;
use credlink_service::error::Error;
use credlink_service::handler::{Answer, Call, Handler};
use credlink_service::plain::Plain;
use credlink_service::request_body::RequestBody;
use http::Response;
use http::request::Parts;

use super::files::Kept;
use super::{Deployed, Deployment};

impl Deployment {
    /// Answers a request, as [`Service::handle`] does.
    pub async fn handle<B: RequestBody>(&self, request: &Parts, body: B) -> Response<Bytes> {
        self.service.handle_by(self, request, body).await
    }
}

impl Handler<Deployed> for Deployment {
    async fn perform<B: RequestBody>(
        &self,
        service: &Service<Deployed>,
        call: Call<'_, B>,
    ) -> Result<Answer, Error> {
        if matches!(self.files, Kept::WithoutKeys) && is_about_files(call.route) {
            let detail = "files need keys that sign the addresses of their bytes: set CREDLINK_LINK_KEYS (in the template: \
                          LinkKeysSecret)";
            return Err(Problem::new(ProblemKind::NotConfigured, detail).into());
        }
        // Boxed, because hardly any deployment has a legacy store, and its future would be a part of every read.
        match (self.files(), &self.hybrid) {
            (None, None) => Plain.perform(service, call).await,
            (Some(files), None) => WithFiles::new(files, &Plain).perform(service, call).await,
            (None, Some(hybrid)) => Box::pin(hybrid.perform(service, call)).await,
            (Some(files), Some(hybrid)) => {
                Box::pin(WithFiles::new(files, hybrid).perform(service, call)).await
            }
        }
    }
}

const fn is_about_files(route: &Route) -> bool {
    matches!(route, Route::Uploads(_) | Route::Files(_) | Route::Entities(_) | Route::Media(_))
}
