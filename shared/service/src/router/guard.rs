//! The guard's check of each operation.

use credlink_core::http::route::{Aliases, Manifests, Migrations, Proofs, Route};

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
            Route::Proofs(Proofs::Delete(_) | Proofs::BatchDelete)
            | Route::Manifests(Manifests::Delete { .. }) => self.may_destroy().await,

            Route::Proofs(Proofs::Store | Proofs::Supersede(_))
            | Route::Aliases(Aliases::Bind(_) | Aliases::Withdraw { .. })
            | Route::Manifests(
                Manifests::Store { .. } | Manifests::DecideFront(_) | Manifests::ChangeVisibility { .. },
            )
            | Route::Migrations(Migrations::Begin) => self.may_change().await,

            Route::Proofs(Proofs::List { .. } | Proofs::SignLink { .. })
            | Route::Aliases(Aliases::List { .. })
            | Route::Manifests(Manifests::List { .. })
            | Route::Migrations(Migrations::Show { .. } | Migrations::Remove { .. })
            | Route::Reads(_)
            | Route::Documents(_)
            | Route::Options(_) => Ok(()),
        }
    }
}
