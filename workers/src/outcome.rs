//! What a load comes to.

use std::rc::Rc;

use credlink_core::http::problem::{Kind, Problem};
use credlink_core::object::Facts;
use js_sys::ArrayBuffer;

use crate::entry::{Absence, Stored};

/// What a load comes to.
#[derive(Clone)]
pub enum Outcome {
    /// An object, checked.
    Found(Rc<Found>),
    /// The object is the one that is at hand; what is said of it now.
    Same(Rc<(Stored, Facts)>),
    /// There is none, or none any more.
    Nothing(Absence),
    /// The origin does not hand it out.
    Refused(Problem),
    /// It is not what was stored.
    Damaged,
    /// Neither R2 nor the origin could say.
    Unreachable,
}

impl Outcome {
    /// There is no object, or none that a client without a good link may know of.
    pub fn nothing() -> Self {
        Self::Nothing(Absence::of(&Problem::new(Kind::NotFound, "")))
    }
}

/// An object, checked.
pub struct Found {
    /// As it is stored.
    pub stored: Stored,
    /// What is known of it.
    pub facts: Facts,
    /// Its bytes as stored.
    pub bytes: ArrayBuffer,
}
