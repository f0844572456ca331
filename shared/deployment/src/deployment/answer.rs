//! Answers requests: by the service alone, or beside a legacy store.

use bytes::Bytes;
use credlink_core::http::problem::Problem;
use credlink_service::Service;
use credlink_service::error::Error;
use credlink_service::handler::{Answer, Call, Handler};
use credlink_service::plain::Plain;
use http::Response;
use http::request::Parts;

use super::{Deployed, Deployment};

impl Deployment {
    /// Answers a request, as [`Service::handle`] does.
    pub async fn handle<B>(&self, request: &Parts, body: B) -> Response<Bytes>
    where
        B: Future<Output = Result<Bytes, Problem>>,
    {
        self.service.handle_by(self, request, body).await
    }
}

impl Handler<Deployed> for Deployment {
    async fn perform<B>(&self, service: &Service<Deployed>, call: Call<'_, B>) -> Result<Answer, Error>
    where
        B: Future<Output = Result<Bytes, Problem>>,
    {
        match &self.hybrid {
            None => Plain.perform(service, call).await,
            // Boxed, because hardly any deployment has a legacy store, and its future would be a part of every read.
            Some(hybrid) => Box::pin(hybrid.perform(service, call)).await,
        }
    }
}
