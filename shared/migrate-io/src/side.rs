//! The identity of a source or a destination, read before anything is moved: the store, and the tenant of the
//! credential.

use credlink_core::identity::Mark;
use credlink_core::object::ObjectKey;
use credlink_core::store_id::StoreId;
use credlink_core::tenant::Tenant;
use credlink_ports::{Failure, FailureKind, Objects};

/// A source or a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// The ID of the store, if it is a CredLink. Two addresses with the same ID are the same store.
    pub store: Option<StoreId>,
    /// The tenant of the credential that an API was called with.
    pub tenant: Option<Tenant>,
}

impl Side {
    /// Reads the identity of the store that these objects belong to.
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
