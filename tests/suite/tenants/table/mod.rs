//! The table of tenants: every route, and every way in which one tenant could take, hide, replace, delete, pin, name or
//! learn something of another's (guarantees 6 and 13).
//!
//! `rows` is the table. A cell is a probe (`probes`), or the reason why the route cannot do harm in that way. `subject`
//! has the things on which probes are tried, `stage` tries them and reports the result, and `grounds` runs everything
//! over `credlink serve`, over the Lambda functions and at the edge, with several tenants and with one.
//!
//! Each probe is sent anonymously and by a tenant with the scope `admin`, about public, secret and nonexistent things.
//! Afterwards the victim and every other caller read the same as before, byte for byte; the attacker is told the same
//! about secret things as about nonexistent ones; and no answer contains anything that only the victim knows. All
//! probes are tried while the things exist and once more after their deletion. In between the victim deletes them: a
//! thing that an attacker has pinned would not disappear as an untouched one does.

mod grounds;
mod probes;
mod rows;
mod seen;
mod stage;
mod subject;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use probes::Probe;
use rows::ROWS;

use crate::http::contract::{CDN_PATHS, CONTRACT};

/// The victim and the attacker.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// The tenant that owns the things. Its caller has the same name.
    pub victim: &'static str,
    /// The tenant that attacks them. Its caller has the same name.
    pub attacker: &'static str,
}

/// The host of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The API: `credlink serve` and the Lambda functions.
    Api,
    /// The CDN domain.
    Edge,
}

/// The ways to do harm, in the order of the columns.
const WAYS: [&str; 7] = ["take", "hide", "replace", "delete", "pin", "name", "learn"];

/// The reason why a route cannot do harm in some way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The route changes nothing.
    Reads,
    /// The route writes no deletions, and every key that it writes contains the caller's tenant.
    Adds,
    /// The route writes only deletions.
    Removes,
    /// The route writes neither a manifest nor a proof, nor anything that holds one.
    HoldsNothing,
    /// The route writes where an ID leads or which tenant is served, and no content.
    WritesNoContent,
    /// The answers are the same whatever is stored.
    SaysNothing,
    /// The route gives a thing no name except the one derived from its content or the caller's tenant.
    GivesNoName,
}

impl Reason {
    /// The words of the reason in the table, and their meaning.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Reads => ("reads", "the route changes nothing"),
            Self::Adds => {
                ("adds", "what the route writes is no deletion, and its key has the caller's tenant in it")
            }
            Self::Removes => ("removes", "the route writes nothing but deletions"),
            Self::HoldsNothing => (
                "holds nothing",
                "nothing that the route writes keeps a manifest or a proof from being deleted",
            ),
            Self::WritesNoContent => {
                ("no content", "the route writes where an id leads or who is served, and no content")
            }
            Self::SaysNothing => ("says nothing", "the route's answers are the same whatever is stored"),
            Self::GivesNoName => (
                "no name",
                "what the route writes has the name that its content and the caller's tenant give it",
            ),
        }
    }
}

/// A route in one way.
pub enum Cell {
    /// A probe tries it.
    Tried(&'static Probe),
    /// The route cannot do it, for this reason.
    Cannot(Reason),
}

/// A route.
pub struct Row {
    pub place: Place,
    pub method: &'static str,
    pub path: &'static str,
    /// The cells, one for each of [`WAYS`].
    pub cells: [Cell; WAYS.len()],
}

impl Row {
    /// The probes of the row, with the ways in which they are tried. A probe that is in several cells is tried once.
    fn probes(&self) -> Vec<(String, &'static Probe)> {
        let mut probes: Vec<(String, &Probe)> = Vec::new();
        for (way, cell) in WAYS.iter().zip(&self.cells) {
            let Cell::Tried(probe) = cell else { continue };
            match probes.iter_mut().find(|(_, known)| known.what == probe.what) {
                Some((ways, _)) => *ways = format!("{ways}, {way}"),
                None => probes.push(((*way).to_owned(), probe)),
            }
        }
        probes
    }

    /// Returns `true` if the route concerns jobs.
    fn has_jobs(&self) -> bool {
        self.path.starts_with("/v1/migrations")
    }
}

/// The paths that the Worker has beside those of the API, taken from the constants in its source that are paths.
fn paths_of_the_worker() -> BTreeSet<String> {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../workers/src");
    let mut paths = BTreeSet::new();
    for file in std::fs::read_dir(source).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let constants = code.lines().filter(|line| line.contains("const ")).filter_map(|line| {
            let (_, value) = line.split_once(": &str = \"/")?;
            value.split_once('"').map(|(path, _)| format!("/{path}"))
        });
        paths.extend(constants);
    }
    paths
}

#[test]
fn the_table_has_every_route_and_no_other() {
    let rows = |place| {
        let rows = ROWS.iter().filter(move |row| row.place == place);
        rows.map(|row| format!("{} {}", row.method, row.path)).collect::<Vec<_>>()
    };
    let documented: BTreeSet<String> =
        CONTRACT.operations().map(|(method, path, _)| format!("{method} {path}")).collect();
    let served: BTreeSet<String> = CDN_PATHS.iter().map(|path| format!("GET {path}")).collect();
    let own = paths_of_the_worker();
    assert!(own.contains("/purge"), "the source of the Worker names its paths otherwise: {own:?}");
    let known = |path: &String| CDN_PATHS.contains(&path.as_str());
    let own = own.iter().filter(|path| !known(path)).map(|path| format!("POST {path}"));
    for (place, expected) in
        [(Place::Api, documented), (Place::Edge, served.into_iter().chain(own).collect())]
    {
        let rows = rows(place);
        assert_eq!(rows.iter().cloned().collect::<BTreeSet<_>>(), expected, "{place:?}");
        assert_eq!(rows.len(), expected.len(), "{place:?}: a route stands in the table twice");
    }
}

/// The table for a reader: routes and ways, followed by the probes and the meaning of the reasons.
fn markdown() -> String {
    let mut text = format!("|  | {} |\n|---|{}\n", WAYS.join(" | "), "---|".repeat(WAYS.len()));
    let (mut tried, mut reasons) = (Vec::<&str>::new(), BTreeSet::new());
    for row in ROWS {
        let place = if row.place == Place::Edge { "edge: " } else { "" };
        write!(text, "| {place}`{} {}` |", row.method, row.path).unwrap();
        for cell in &row.cells {
            match cell {
                Cell::Tried(probe) => {
                    let known = tried.iter().position(|what| *what == probe.what);
                    let number = known.unwrap_or(tried.len());
                    if known.is_none() {
                        tried.push(probe.what);
                    }
                    write!(text, " **tried** ({}) |", number + 1).unwrap();
                }
                Cell::Cannot(reason) => {
                    reasons.insert(*reason);
                    write!(text, " {} |", reason.words().0).unwrap();
                }
            }
        }
        text.push('\n');
    }
    text.push_str("\nWhat the attacker tries:\n\n");
    for (number, what) in tried.iter().enumerate() {
        writeln!(text, "{}. {what}", number + 1).unwrap();
    }
    text.push_str("\nWhy the other cells are not tried:\n\n");
    for reason in reasons {
        let (words, meaning) = reason.words();
        writeln!(text, "- *{words}*: {meaning}").unwrap();
    }
    text
}

#[test]
fn the_table_as_it_is_read() {
    insta::with_settings!({omit_expression => true}, {
        insta::assert_snapshot!("routes_and_ways", markdown());
    });
}
