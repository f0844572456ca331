//! The table of tenants: every route, and every way in which one tenant could take, hide, replace, delete, pin, name or learn
//! what is another's (guarantees 6 and 13).
//!
//! `rows` is the table. A cell is a probe (`probes`) or the reason why the route cannot do it in that way. `subject` is what
//! probes are tried on, `stage` tries them and says what came of it, and `grounds` runs all of it over `credlink serve`, over the
//! Lambda functions and at the edge, with several tenants and with one.
//!
//! Each probe is sent by nobody and by a tenant with the scope `admin`, about what is public, what is secret and what never
//! existed. Afterwards the victim and everybody else read what they read before, byte for byte; what the attacker is told of what
//! is secret is what it is told of what never existed; and no answer has anything in it that only the victim knows. All that is
//! tried while the things are there and once more when they are deleted. In between the victim deletes them: where an attacker
//! has pinned one, they are not gone as what nobody has attacked is gone.

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

/// Who is attacked, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// The tenant whose things they are; its caller has the same name.
    pub victim: &'static str,
    /// The tenant that wants them; its caller has the same name.
    pub attacker: &'static str,
}

/// Where a route is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The API's: `credlink serve` and the Lambda functions.
    Api,
    /// The CDN domain's.
    Edge,
}

/// The ways in which something can be wronged, in the order of the columns.
const WAYS: [&str; 7] = ["take", "hide", "replace", "delete", "pin", "name", "learn"];

/// Why a route cannot do it in some way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It changes nothing.
    Reads,
    /// What it writes is no deletion, and what is written has the caller's tenant in its key.
    Adds,
    /// It writes nothing but deletions.
    Removes,
    /// It writes neither a manifest nor a proof, and nothing that a manifest or a proof is held by.
    HoldsNothing,
    /// It writes where an id leads or who is served, and no content.
    WritesNoContent,
    /// Its answers are the same whatever is stored.
    SaysNothing,
    /// It gives nothing a name but the one that its own content or the caller's tenant gives it.
    GivesNoName,
}

impl Reason {
    /// Its words in the table, and what they mean.
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
    /// It is tried.
    Tried(&'static Probe),
    /// It cannot be.
    Cannot(Reason),
}

/// A route.
pub struct Row {
    pub place: Place,
    pub method: &'static str,
    pub path: &'static str,
    /// One for each of [`WAYS`].
    pub cells: [Cell; WAYS.len()],
}

impl Row {
    /// Its probes with the ways that they are tried in: one that stands in several cells is tried once.
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

    /// Whether it is about jobs.
    fn has_jobs(&self) -> bool {
        self.path.starts_with("/v1/migrations")
    }
}

/// The paths that the Worker has beside those of the API, as its source names them: the constants that are paths.
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

/// The table for a reader: routes, ways, and under it what is tried and what the reasons mean.
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
