//! The guard's check of each operation.

use credlink_core::http::route::{Aliases, Entities, Files, Manifests, Migrations, Proofs, Route, Uploads};

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
            | Route::Manifests(Manifests::Delete { .. })
            | Route::Files(Files::Delete(_) | Files::BatchDelete) => self.may_destroy().await,

            Route::Proofs(Proofs::Store | Proofs::Supersede(_))
            | Route::Aliases(Aliases::Bind(_) | Aliases::Withdraw { .. })
            | Route::Manifests(
                Manifests::Store { .. } | Manifests::DecideFront(_) | Manifests::ChangeVisibility { .. },
            )
            | Route::Migrations(Migrations::Begin)
            | Route::Uploads(
                Uploads::Announce
                | Uploads::Sign
                | Uploads::Abort(_)
                | Uploads::AddressParts(_)
                | Uploads::Complete(_)
                | Uploads::Receive { .. },
            )
            | Route::Files(Files::Change(_) | Files::Render { .. })
            | Route::Entities(Entities::Put(_) | Entities::Change(_) | Entities::PutOnly(_)) => {
                self.may_change().await
            }

            Route::Proofs(Proofs::List { .. } | Proofs::SignLink { .. })
            | Route::Aliases(Aliases::List { .. })
            | Route::Manifests(Manifests::List { .. })
            | Route::Migrations(Migrations::Show { .. } | Migrations::Remove { .. })
            | Route::Uploads(Uploads::Show(_))
            | Route::Files(
                Files::Find { .. } | Files::Show(_) | Files::Audit { .. } | Files::SignLink { .. },
            )
            | Route::Entities(Entities::Show(_))
            | Route::Media(_)
            | Route::Reads(_)
            | Route::Documents(_)
            | Route::Options(_) => Ok(()),
        }
    }
}
