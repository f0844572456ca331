//! The lists of files that entities have.

use super::Route;
use super::operation::Operation;
use super::path::{Endpoint, Given, Path};
use super::segment::list_place;
use crate::access::Scope;
use crate::file::ListPlace;

/// An operation on the list of an entity in a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entities {
    /// `GET /v1/entities/{type}/{id}/{collection}`.
    Show(ListPlace),
    /// `PUT /v1/entities/{type}/{id}/{collection}`: the whole list.
    Put(ListPlace),
    /// `POST /v1/entities/{type}/{id}/{collection}`: attaches, detaches or replaces one file.
    Change(ListPlace),
    /// `PUT /v1/entities/{type}/{id}/{collection}/only`: one file alone.
    PutOnly(ListPlace),
}

// The records of the files say which of them are public.
const SHOW: Operation = Operation::public_read("show_list");
const PUT: Operation = Operation::needing(Scope::MediaWrite, "put_list");
const CHANGE: Operation = Operation::needing(Scope::MediaWrite, "change_list");
const PUT_ONLY: Operation = Operation::needing(Scope::MediaWrite, "put_only_file");

pub(super) const OPERATIONS: &[Operation] = &[SHOW, PUT, CHANGE, PUT_ONLY];

pub(super) const PATHS: &[Path] = &[
    Path {
        segments: &["entities", "*", "*", "*"],
        allow: "GET, HEAD, POST, PUT, OPTIONS",
        endpoints: &[
            Endpoint::get(SHOW, |Given { ids, .. }| Ok(Route::Entities(Entities::Show(list_place(ids)?)))),
            Endpoint::post(CHANGE, |Given { ids, .. }| {
                Ok(Route::Entities(Entities::Change(list_place(ids)?)))
            }),
            Endpoint::put(PUT, |Given { ids, .. }| Ok(Route::Entities(Entities::Put(list_place(ids)?)))),
        ],
    },
    Path {
        segments: &["entities", "*", "*", "*", "only"],
        allow: "PUT, OPTIONS",
        endpoints: &[Endpoint::put(PUT_ONLY, |Given { ids, .. }| {
            Ok(Route::Entities(Entities::PutOnly(list_place(ids)?)))
        })],
    },
];

impl Entities {
    pub(super) const fn operation(&self) -> Operation {
        match self {
            Self::Show(_) => SHOW,
            Self::Put(_) => PUT,
            Self::Change(_) => CHANGE,
            Self::PutOnly(_) => PUT_ONLY,
        }
    }
}
