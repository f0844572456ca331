//! The two sides of a migration as they show themselves before anything is moved: which store each is, and whose credential is shown.

use credlink_core::identity::Mark;
use credlink_core::object::ObjectKey;
use credlink_core::store_id::StoreId;
use credlink_core::tenant::Tenant;
use credlink_ports::{Failure, FailureKind, Objects};

/// A source or a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// The store, if it is a CredLink's: two places with one store are one, whatever their names.
    pub store: Option<StoreId>,
    /// The tenant of the credential that an API was shown.
    pub tenant: Option<Tenant>,
}

impl Side {
    /// The store whose objects these are.
    pub async fn of(objects: &impl Objects) -> Result<Self, Failure> {
        let found = objects.get(&ObjectKey::Identity).await?;
        let mark = found.map(|object| Mark::parse(&object.body)).transpose().map_err(|error| Failure {
            provider: objects.name(),
            kind: FailureKind::Damaged,
            message: error.to_string(),
        })?;
        Ok(Self { store: mark.map(|mark| mark.identity), tenant: None })
    }
}
