//! The parameters that several operations take, as the document has them. They are read by the routes of
//! [`credlink_core::http::route`].

use credlink_core::time::Timestamp;

/// The page of a listing.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(super) struct Page {
    /// `next` of the page before
    #[param(max_length = 1024, pattern = "^[A-Za-z0-9_-]+$", required = false)]
    after: String,
    /// 1 to 1,000, 100 by default
    #[param(minimum = 1, maximum = 1000, required = false)]
    limit: u32,
}

/// The form in which an object is read.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(super) struct StoredForm {
    /// `stored`: as it is stored, for who keeps a copy
    #[param(required = false)]
    form: String,
}

/// The instant of a deletion.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(super) struct DeletedAt {
    /// The instant that the deletion shall have, as RFC 3339 writes it: the same request again is answered as the first. Needs the scope `admin`
    #[param(rename = "credlink-deleted", value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}
