//! The outcome of a load from R2 or the origin.

use std::rc::Rc;

use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::object::Facts;
use js_sys::ArrayBuffer;

use crate::entry::{Absence, Stored};

/// The outcome of a load.
#[derive(Clone)]
pub enum Outcome {
    /// A verified object.
    Found(Rc<LoadedObject>),
    /// The cached object is current; these are its present attributes and facts.
    Same(Rc<(Stored, Facts)>),
    /// The object does not exist, or was deleted.
    Nothing(Absence),
    /// The origin refuses to serve the object.
    Refused(Problem),
    /// The object differs from what was stored.
    Damaged,
    /// Neither R2 nor the origin could be asked.
    Unreachable,
}

impl Outcome {
    /// Returns the outcome for an object that does not exist, or that a client without a valid link may not know of.
    pub fn nothing() -> Self {
        Self::Nothing(Absence::of(&Problem::new(ProblemKind::NotFound, "")))
    }
}

/// A verified object.
pub struct LoadedObject {
    /// Its metadata as stored.
    pub stored: Stored,
    /// The facts that its attributes state.
    pub facts: Facts,
    /// The stored bytes.
    pub bytes: ArrayBuffer,
}
