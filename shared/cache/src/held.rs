//! An entry of a layer.

use std::sync::Arc;

use credlink_core::object::Verified;
use credlink_core::time::Timestamp;

/// An entry of a layer, or the result of a load: the object, or its absence, with the start of its load.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) object: Option<Arc<Verified>>,
    pub(crate) loaded: Timestamp,
}
