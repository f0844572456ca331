//! The report of a rebuild.

use serde::{Deserialize, Serialize};

use super::follow::Followed;
use super::ports::Tally;

/// A deviation that a rebuild cannot mend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind of the finding.
    pub kind: FindingKind,
    /// The object or row.
    pub key: String,
    /// A description of what is wrong.
    pub what: String,
}

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A row knows more than the objects, or objects contradict each other.
    Lost,
    /// An object could not be read.
    Unread,
}

/// The results of a rebuild.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Objects and rows that were examined.
    pub examined: u64,
    /// Rows that were created, or would be.
    pub made: u64,
    /// Rows that were brought up to date with their objects, or would be.
    pub changed: u64,
    /// Objects without a row that a crash left behind, and that cleanup removes.
    pub leftovers: u64,
    /// Copies at a provider that were found behind; their repairs are queued.
    pub behind: u64,
    /// Rows that know more than the objects, and objects that contradict each other. They were left unchanged.
    pub lost: u64,
    /// Objects that could not be read.
    pub unread: u64,
    /// `true` if the index and the store record that they belong together.
    pub joined: bool,
}

impl Report {
    /// Returns `true` if everything was readable.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.unread == 0
    }

    /// Returns `true` if every row was already right.
    #[must_use]
    pub const fn is_unchanged(&self) -> bool {
        self.made == 0 && self.changed == 0
    }

    pub(super) fn note(&mut self, key: &str, followed: Followed) -> Option<Finding> {
        self.examined += 1;
        let finding = |kind, what| Some(Finding { kind, key: key.to_owned(), what });
        match followed {
            Followed::Right | Followed::Foreign => None,
            Followed::Leftover => {
                self.leftovers += 1;
                None
            }
            Followed::Lost(what) => {
                self.lost += 1;
                finding(FindingKind::Lost, what)
            }
            Followed::Unread(what) => {
                self.unread += 1;
                finding(FindingKind::Unread, what)
            }
        }
    }

    pub(super) fn count(&mut self, tally: Tally, behind: u64) {
        self.made += tally.made;
        self.changed += tally.changed;
        self.behind += behind;
    }
}
