//! The index on DynamoDB: one table, and one call per request.
//!
//! * **`get`** is one strongly consistent `GetItem`.
//! * **`commit`** is one conditional `UpdateItem` for one write, and one `TransactWriteItems` for several. Conflicts
//!   and throttling are retried until the end of [`Limits::operation`](credlink_aws::Limits) or the request's deadline.
//!   A commit that took effect although its answer was lost is recognised by its token, and reported as done
//!   (`index/commit`).
//! * **`list`** reads keys from an index of the table, and their rows from the table itself, so rows are never older
//!   than the listing. A page is not a snapshot: the indexes follow the table within about a second, and while a commit
//!   is under way, a page may show one row from before it and another from after it. Only
//!   [`Listing::All`](credlink_ports::Listing::All) scans, and no request uses that.
//! * **`totals`** costs commits no call of their own. A process adds up the changes of its commits and writes them
//!   along with one of its commits, at most every ten seconds. So the sums lag by ten seconds for each busy process,
//!   and lose whatever a killed process had not written yet. [`DynamoIndex::recount`] corrects them (`index/totals`,
//!   `index/recount`).
//! * **Read counts** are separate attributes, which commits leave unchanged. A count whose answer is lost may be
//!   counted twice.
//!
//! Construction makes no calls: connections and credentials come with the first call.
//!
//! A tenant's listing is one partition of its index, which accepts 1,000 new proofs per second. DynamoDB throttles any
//! more, which slows them down and loses none.
//!
//! **In scope:** the index, and what a queued migration keeps in the same table. **Out of scope:** the rows and their
//! meaning (`credlink-core`), and messages (`credlink-aws`).
//!
//! | to find | look in |
//! |---|---|
//! | [`DynamoIndex`]: the client, and the port over it | `index` |
//! | conditional commits of one row or several | `index/commit` |
//! | listings by tenant, by due date, and of everything | `index/listing` |
//! | objects that are about to be written | `index/intents` |
//! | read counts; sums over all rows, and their correction | `index/reads`; `index/totals`, `index/recount` |
//! | the positions of work that is done in several runs | `index/bookmark` |
//! | the ledger of a queued migration | [`ledger`] |
//! | the layout of the table; the format of its items | [`table`]; `item` |
//! | reads of many items; repeated attempts | `batch`; `attempts` |
//! | failures that are not DynamoDB's | `failure` |

mod attempts;
mod batch;
mod failure;
mod index;
mod item;
pub mod ledger;
pub mod table;

pub use index::{DynamoIndex, DynamoSettings, Recount};
