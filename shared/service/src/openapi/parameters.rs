//! The parameters that several operations share, as the document describes them. They are parsed by the routes of
//! [`credlink_core::http::route`].

use credlink_core::time::Timestamp;

/// The page of a listing.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(super) struct Page {
    /// The `next` of the previous page
    #[param(max_length = 1024, pattern = "^[A-Za-z0-9_-]+$", required = false)]
    after: String,
    /// Maximum number of items, from 1 to 1,000; 100 by default
    #[param(minimum = 1, maximum = 1000, required = false)]
    limit: u32,
}

/// The form in which an object is read.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(super) struct StoredForm {
    /// With `stored`, the stored bytes and their attributes, for a client that mirrors the store
    #[param(required = false)]
    form: String,
}

/// The time of a deletion.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(super) struct DeletedAt {
    /// The time of the deletion (RFC 3339). A repeated request with the same time gets the same answer as the first.
    /// Requires the scope `admin`
    #[param(rename = "credlink-deleted", value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}
