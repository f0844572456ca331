//! The table: one row for each operation of `/v1/openapi.json`, and for each route of the edge.

use Cell::{Cannot, Tried};
use Reason::{Adds, GivesNoName, HoldsNothing, Reads, Removes, SaysNothing, WritesNoContent};

use super::probes::*;
use super::{Cell, Place, Reason, Row};

/// A route that changes nothing, with the probe that tries to learn something from it.
const fn reading(place: Place, path: &'static str, learn: &'static Probe) -> Row {
    let cells = [
        Cannot(Reads),
        Cannot(Reads),
        Cannot(Reads),
        Cannot(Reads),
        Cannot(Reads),
        Cannot(Reads),
        Tried(learn),
    ];
    Row { place, method: "GET", path, cells }
}

/// A route that changes nothing and whose answers do not depend on what is stored.
const fn saying_nothing(place: Place, path: &'static str) -> Row {
    let cells = [
        Cannot(Reads),
        Cannot(Reads),
        Cannot(Reads),
        Cannot(Reads),
        Cannot(Reads),
        Cannot(Reads),
        Cannot(SaysNothing),
    ];
    Row { place, method: "GET", path, cells }
}

const fn row(method: &'static str, path: &'static str, cells: [Cell; 7]) -> Row {
    Row { place: Place::Api, method, path, cells }
}

/// Every route.
pub const ROWS: &[Row] = &[
    row(
        "POST",
        "/v1/proofs",
        [
            Tried(&STORE_UNDER_ITS_ID),
            Tried(&STORE_ITS_FILE_IN_PRIVATE),
            Tried(&STORE_ITS_FILE),
            Tried(&STORE_FOR_A_SECOND),
            Tried(&STORE_A_HOLDER),
            Tried(&STORE_WITH_ITS_LEGACY_ID),
            Tried(&STORE_THE_SAME),
        ],
    ),
    reading(Place::Api, "/v1/proofs", &LIST_PROOFS),
    reading(Place::Api, "/v1/proofs/{id}", &READ_PROOF),
    row(
        "PUT",
        "/v1/proofs/{id}",
        [
            Tried(&REPLACE_UNDER_ITS_ID),
            Tried(&REPLACE_IT_IN_PRIVATE),
            Tried(&REPLACE_IT),
            Tried(&REPLACE_IT_FOR_A_SECOND),
            Tried(&REPLACE_BY_A_HOLDER),
            Tried(&REPLACE_WITH_ITS_LEGACY_ID),
            Tried(&REPLACE_BADLY),
        ],
    ),
    row(
        "DELETE",
        "/v1/proofs/{id}",
        [
            Cannot(Removes),
            Tried(&DELETE_A_HOLDER),
            Cannot(Removes),
            Tried(&DELETE_PROOF),
            Cannot(Removes),
            Cannot(Removes),
            Tried(&DELETE_PROOF),
        ],
    ),
    reading(Place::Api, "/v1/proofs/{id}/{revision}", &READ_REVISION),
    reading(Place::Api, "/v1/proofs/by-hash/{media_hash}", &READ_BY_HASH),
    row(
        "POST",
        "/v1/proofs/batch-delete",
        [
            Cannot(Removes),
            Tried(&BATCH_DELETE),
            Cannot(Removes),
            Tried(&BATCH_DELETE),
            Cannot(Removes),
            Cannot(Removes),
            Tried(&BATCH_DELETE),
        ],
    ),
    row(
        "GET",
        "/v1/proofs/{id}/url",
        [
            Tried(&SIGN_LINK),
            Cannot(Reads),
            Cannot(Reads),
            Cannot(Reads),
            Cannot(Reads),
            Cannot(Reads),
            Tried(&SIGN_LINK),
        ],
    ),
    reading(Place::Api, "/v1/aliases", &LIST_ALIASES),
    row(
        "PUT",
        "/v1/aliases/{id}",
        [
            Tried(&BIND_ITS_LEGACY_ID),
            Tried(&BIND_ITS_LEGACY_ID),
            Tried(&REASSIGN_ITS_LEGACY_ID),
            Cannot(Adds),
            Cannot(HoldsNothing),
            Tried(&BIND_TO_IT),
            Tried(&BIND_TO_IT),
        ],
    ),
    row(
        "DELETE",
        "/v1/aliases/{id}",
        [
            Cannot(Removes),
            Tried(&WITHDRAW_ITS_LEGACY_ID),
            Cannot(Removes),
            Tried(&WITHDRAW_ITS_LEGACY_ID),
            Cannot(Removes),
            Cannot(Removes),
            Tried(&WITHDRAW_ITS_LEGACY_ID),
        ],
    ),
    row(
        "POST",
        "/v1/manifests",
        [
            Tried(&STORE_ALONE_UNDER_ITS_ID),
            Tried(&STORE_ALONE_IN_PRIVATE),
            Tried(&STORE_ALONE_UNDER_ITS_ID),
            Cannot(Adds),
            Tried(&STORE_THE_SAME_ALONE),
            Cannot(GivesNoName),
            Tried(&STORE_THE_SAME_ALONE),
        ],
    ),
    reading(Place::Api, "/v1/manifests", &LIST_MANIFESTS),
    reading(Place::Api, "/v1/manifests/{manifest_id}", &READ_MANIFEST),
    row(
        "DELETE",
        "/v1/manifests/{manifest_id}",
        [
            Cannot(Removes),
            Tried(&DELETE_MANIFEST),
            Cannot(Removes),
            Tried(&DELETE_MANIFEST),
            Cannot(Removes),
            Cannot(Removes),
            Tried(&DELETE_MANIFEST),
        ],
    ),
    reading(Place::Api, "/v1/manifests/{manifest_id}/front", &SHOW_FRONT),
    row(
        "PUT",
        "/v1/manifests/{manifest_id}/front",
        [
            Tried(&TAKE_FRONT),
            Tried(&FREE_FRONT),
            Cannot(WritesNoContent),
            Tried(&FREE_FRONT),
            Cannot(HoldsNothing),
            Tried(&NAME_FRONT),
            Tried(&NAME_FRONT),
        ],
    ),
    row(
        "PUT",
        "/v1/manifests/{manifest_id}/visibility",
        [
            Tried(&PUBLISH),
            Tried(&WITHDRAW),
            Cannot(WritesNoContent),
            Tried(&WITHDRAW),
            Cannot(HoldsNothing),
            Cannot(GivesNoName),
            Tried(&PUBLISH),
        ],
    ),
    reading(Place::Api, "/v1/tenants/{tenant}/manifests/{manifest_id}", &READ_TENANT_MANIFEST),
    row(
        "DELETE",
        "/v1/tenants/{tenant}/manifests/{manifest_id}",
        [
            Cannot(Removes),
            Tried(&DELETE_TENANT_MANIFEST),
            Cannot(Removes),
            Tried(&DELETE_TENANT_MANIFEST),
            Cannot(Removes),
            Cannot(Removes),
            Tried(&DELETE_TENANT_MANIFEST),
        ],
    ),
    row(
        "PUT",
        "/v1/tenants/{tenant}/manifests/{manifest_id}/visibility",
        [
            Tried(&PUBLISH_TENANT_MANIFEST),
            Tried(&WITHDRAW_TENANT_MANIFEST),
            Cannot(WritesNoContent),
            Tried(&WITHDRAW_TENANT_MANIFEST),
            Cannot(HoldsNothing),
            Cannot(GivesNoName),
            Tried(&PUBLISH_TENANT_MANIFEST),
        ],
    ),
    row(
        "POST",
        "/v1/migrations",
        [
            Tried(&BEGIN_ITS_JOB),
            Tried(&BEGIN_ITS_JOB),
            Tried(&BEGIN_ITS_JOB),
            Cannot(Adds),
            Tried(&BEGIN_ITS_JOB),
            Tried(&BEGIN_ITS_JOB),
            Tried(&BEGIN_ITS_JOB),
        ],
    ),
    reading(Place::Api, "/v1/migrations/{job}", &SHOW_JOB),
    row(
        "DELETE",
        "/v1/migrations/{job}",
        [
            Cannot(Removes),
            Tried(&REMOVE_JOB),
            Cannot(Removes),
            Tried(&REMOVE_JOB),
            Cannot(Removes),
            Cannot(Removes),
            Tried(&REMOVE_JOB),
        ],
    ),
    saying_nothing(Place::Api, "/v1/health"),
    reading(Place::Api, "/v1/stats", &STATS),
    saying_nothing(Place::Api, "/v1/openapi.json"),
    reading(Place::Edge, "/proofs/{id}", &EDGE_PROOF),
    reading(Place::Edge, "/proofs/{id}/{revision}", &EDGE_REVISION),
    reading(Place::Edge, "/proofs/by-hash/{media_hash}", &EDGE_BY_HASH),
    reading(Place::Edge, "/manifests/{manifest_id}", &EDGE_MANIFEST),
    reading(Place::Edge, "/tenants/{tenant}/manifests/{manifest_id}", &EDGE_TENANT_MANIFEST),
    saying_nothing(Place::Edge, "/health"),
    Row {
        place: Place::Edge,
        method: "POST",
        path: "/purge",
        cells: [
            Cannot(Removes),
            Tried(&EDGE_PURGE),
            Cannot(Removes),
            Tried(&EDGE_PURGE),
            Cannot(HoldsNothing),
            Cannot(Removes),
            Tried(&EDGE_PURGE),
        ],
    },
];
