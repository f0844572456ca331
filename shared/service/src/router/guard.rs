//! The guard's say over each operation.

use credlink_core::http::route::Route;

use credlink_ports::Ports;

use crate::error::Error;
use crate::service::Service;

impl<P: Ports> Service<P> {
    /// Refuses what the guard forbids. Whatever reads is allowed.
    ///
    /// # Errors
    /// A problem that says what is in doubt; or a failure if that could not be found out.
    pub async fn check_guard(&self, route: &Route) -> Result<(), Error> {
        match route {
            Route::DeleteProof(_) | Route::BatchDelete | Route::DeleteManifest { .. } => {
                self.may_destroy().await
            }
            Route::StoreProof
            | Route::SupersedeProof(_)
            | Route::BindAlias(_)
            | Route::WithdrawAlias { .. }
            | Route::StoreManifest { .. }
            | Route::DecideFront(_)
            | Route::ChangeVisibility { .. }
            | Route::BeginMigration => self.may_change().await,
            Route::Read { .. }
            | Route::ReadPlainManifest { .. }
            | Route::ReadAlias(_)
            | Route::Options(_)
            | Route::ListProofs { .. }
            | Route::ListAliases { .. }
            | Route::ListManifests { .. }
            | Route::SignLink { .. }
            | Route::ReadMigration { .. }
            | Route::RemoveMigration { .. }
            | Route::Health
            | Route::Stats
            | Route::OpenApi => Ok(()),
        }
    }
}
