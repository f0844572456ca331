//! Uploads: from the announcement to the file.
//!
//! | to find | look in |
//! |---|---|
//! | the body of `POST /v1/uploads`, and the row that comes of it | [`Announcement`] |
//! | one `PUT` or equal parts | [`Plan`] |
//! | the body of `POST /v1/uploads/{id}/parts` | [`PartsBody`] |
//! | the body of `POST /v1/uploads/sign` | [`Asked`] |
//! | what has arrived, and whether it is everything | [`Progress`] |
//! | the states, and how one follows from another | [`Event`], [`follow`] |
//! | the answer to `POST /v1/uploads/{id}/complete` | [`complete`] |
//! | what the sweeper does with an upload | [`sweep`] |

mod addresses;
mod announcement;
mod complete;
mod plan;
mod progress;
mod sign;
mod sweep;
mod transition;

pub use addresses::PartsBody;
pub use announcement::{Announcement, UploadBody};
pub use complete::{Completion, complete};
pub use plan::{Part, Plan};
pub use progress::{Arrived, Found, Progress};
pub use sign::{Asked, SignBody};
pub use sweep::{Sweep, sweep};
pub use transition::{Event, Refused, follow};
