//! The guard's check of each operation.

use credlink_core::http::route::{Aliases, Documents, Manifests, Migrations, Proofs, Reads, Route};

use credlink_ports::Ports;

use crate::error::Error;
use crate::service::Service;

impl<P: Ports> Service<P> {
    /// Refuses an operation that the guard forbids. Reads are always allowed.
    ///
    /// # Errors
    /// A problem that says what is in doubt; or a failure if that could not be determined.
    pub async fn check_guard(&self, route: &Route) -> Result<(), Error> {
        match route {
            Route::Proofs(Proofs::Delete(_))
            | Route::Proofs(Proofs::BatchDelete)
            | Route::Manifests(Manifests::Delete { .. }) => self.may_destroy().await,
            Route::Proofs(Proofs::Store)
            | Route::Proofs(Proofs::Supersede(_))
            | Route::Aliases(Aliases::Bind(_))
            | Route::Aliases(Aliases::Withdraw { .. })
            | Route::Manifests(Manifests::Store { .. })
            | Route::Manifests(Manifests::DecideFront(_))
            | Route::Manifests(Manifests::ChangeVisibility { .. })
            | Route::Migrations(Migrations::Begin) => self.may_change().await,
            Route::Reads(Reads::Object { .. })
            | Route::Reads(Reads::PlainManifest { .. })
            | Route::Reads(Reads::Alias(_))
            | Route::Options(_)
            | Route::Proofs(Proofs::List { .. })
            | Route::Aliases(Aliases::List { .. })
            | Route::Manifests(Manifests::List { .. })
            | Route::Proofs(Proofs::SignLink { .. })
            | Route::Migrations(Migrations::Show { .. })
            | Route::Migrations(Migrations::Remove { .. })
            | Route::Documents(Documents::Health)
            | Route::Documents(Documents::Stats)
            | Route::Documents(Documents::OpenApi) => Ok(()),
        }
    }
}
