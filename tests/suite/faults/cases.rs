//! The worlds, and the acts that are done in them.

use super::act::Act::{
    Batch, Cleanup, Delete, DeleteManifest, Restore, Store, StoreManifest, StoreShortly, Supersede, TakeOver,
};
use super::act::What::{C2pa, Json};
use super::act::{Act, What};
use super::world::Step::{self, Crash, Do, Wait, WaitDays};

/// A JSON manifest with spaces that a second serialisation would lose.
pub const TEXT: What = Json(r#"{ "title" : 1.0 }"#);
/// Another JSON manifest.
pub const OTHER: What = Json(r#"{"b":[1, 2]}"#);

/// The use cases: a name, the steps that create the world, and the act.
pub fn use_cases() -> Vec<(&'static str, Vec<Step>, Act)> {
    let stored = |what| Do(Store("a", what));
    vec![
        ("store JSON", vec![], Store("a", TEXT)),
        ("store C2PA", vec![], Store("a", C2pa("one"))),
        ("store a duplicate", vec![stored(TEXT)], Store("a", OTHER)),
        (
            "store a manifest that another proof has",
            vec![Do(Store("b", C2pa("one")))],
            Store("a", C2pa("one")),
        ),
        ("store again", vec![stored(TEXT), Do(Delete("a"))], Store("a", TEXT)),
        ("store C2PA again", vec![stored(C2pa("one")), Do(Delete("a"))], Store("a", C2pa("one"))),
        ("store over an expired one", vec![Do(StoreShortly("a", C2pa("one"))), Wait], Store("a", OTHER)),
        ("store over an orphan", vec![Crash(Store("a", C2pa("one")), 3)], Store("a", C2pa("two"))),
        ("store over an orphan of an orphan", orphans_orphan(), Store("a", C2pa("two"))),
        ("store the manifest of an orphan", vec![Crash(Store("a", C2pa("one")), 2)], Store("b", C2pa("one"))),
        ("store over an expired orphan", vec![Crash(Store("a", TEXT), 2), Wait], Store("a", OTHER)),
        ("store over half a deletion", vec![stored(C2pa("one")), Crash(Delete("a"), 2)], Store("a", TEXT)),
        ("store what half a deletion held", half_deleted(), Store("b", C2pa("one"))),
        ("supersede JSON by C2PA", vec![stored(TEXT)], Supersede("a", C2pa("one"))),
        ("supersede C2PA by C2PA", replaced(), Supersede("a", C2pa("two"))),
        ("supersede by the same", vec![stored(C2pa("one"))], Supersede("a", C2pa("one"))),
        ("supersede after a crash", crashed_replacement(), Supersede("a", OTHER)),
        (
            "supersede with a deleted manifest",
            vec![stored(TEXT), Do(StoreManifest("one")), Do(DeleteManifest("one"))],
            Supersede("a", C2pa("one")),
        ),
        ("delete JSON", vec![stored(TEXT)], Delete("a")),
        ("delete C2PA", vec![stored(C2pa("one"))], Delete("a")),
        ("delete all revisions", replaced(), Delete("a")),
        (
            "delete what shares a manifest",
            vec![stored(C2pa("one")), Do(Store("b", C2pa("one")))],
            Delete("a"),
        ),
        ("delete what is not there", vec![], Delete("a")),
        ("delete an orphan", vec![Crash(Store("a", C2pa("one")), 3)], Delete("a")),
        ("delete what was stored again by half", stored_again_by_half(), Delete("a")),
        ("delete after half a replacement", crashed_replacement(), Delete("a")),
        (
            "delete a batch",
            vec![stored(C2pa("one")), Do(Store("b", C2pa("one"))), Do(Store("c", TEXT))],
            Batch(&["a", "b", "c"]),
        ),
        ("take over JSON", vec![], TakeOver("a", TEXT, "p-1")),
        ("take over C2PA", vec![], TakeOver("a", C2pa("one"), "p-1")),
        ("take over again", vec![Do(TakeOver("a", TEXT, "p-1"))], TakeOver("a", TEXT, "p-1")),
        ("take over what is there", vec![stored(TEXT)], TakeOver("a", TEXT, "p-1")),
        ("take over what is there with another manifest", vec![stored(OTHER)], TakeOver("a", TEXT, "p-1")),
        ("take over an orphan", vec![Crash(TakeOver("a", TEXT, "p-1"), 2)], TakeOver("a", TEXT, "p-1")),
        (
            "take over under the id of one that is gone",
            vec![Do(TakeOver("b", TEXT, "p-1")), Do(Delete("b"))],
            TakeOver("a", TEXT, "p-1"),
        ),
        ("restore", vec![Do(TakeOver("a", TEXT, "p-1")), Do(Delete("a"))], Restore("a", TEXT, "p-1")),
        (
            "restore C2PA under another id",
            vec![Do(TakeOver("a", C2pa("one"), "p-1")), Do(Delete("a"))],
            Restore("a", C2pa("one"), "p-2"),
        ),
        ("delete what was taken over", vec![Do(TakeOver("a", C2pa("one"), "p-1"))], Delete("a")),
        (
            "clean up an orphan that was taken over",
            vec![Crash(TakeOver("a", C2pa("one"), "p-1"), 3), WaitDays],
            Cleanup,
        ),
        ("store a manifest", vec![], StoreManifest("one")),
        ("store a manifest that a proof has", vec![stored(C2pa("one"))], StoreManifest("one")),
        (
            "store a manifest again",
            vec![Do(StoreManifest("one")), Do(DeleteManifest("one"))],
            StoreManifest("one"),
        ),
        ("store a manifest over half a deletion", half_deleted(), StoreManifest("one")),
        ("delete a manifest", vec![Do(StoreManifest("one"))], DeleteManifest("one")),
        ("delete an orphaned manifest", vec![Crash(Store("a", C2pa("one")), 2)], DeleteManifest("one")),
        ("delete the manifest of half a replacement", half_replaced(), DeleteManifest("one")),
        (
            "delete a manifest that was stored again by half",
            vec![Do(StoreManifest("one")), Do(DeleteManifest("one")), Crash(StoreManifest("one"), 3)],
            DeleteManifest("one"),
        ),
        ("expire", vec![Do(StoreShortly("a", C2pa("one"))), stored_for_b(), WaitDays], Cleanup),
        ("keep what expired just now", vec![Do(StoreShortly("a", C2pa("one"))), Wait], Cleanup),
        (
            "supersede what expired",
            vec![Do(StoreShortly("a", C2pa("one"))), Wait, Do(Store("a", TEXT))],
            Supersede("a", OTHER),
        ),
        ("clean up an orphan", vec![Crash(Store("a", C2pa("one")), 3), WaitDays], Cleanup),
        (
            "clean up what was stored again by half",
            [stored_again_by_half(), vec![WaitDays]].concat(),
            Cleanup,
        ),
        ("clean up half a replacement", [half_replaced(), vec![WaitDays]].concat(), Cleanup),
        ("clean up half a deletion", half_deleted(), Cleanup),
    ]
}

fn stored_for_b() -> Step {
    Do(Store("b", C2pa("one")))
}

/// A proof of three revisions.
pub fn replaced() -> Vec<Step> {
    vec![Do(Store("a", TEXT)), Do(Supersede("a", C2pa("one"))), Do(Supersede("a", C2pa("three")))]
}

/// A replacement that ended before its row: copy, manifest, hold and record are written.
pub fn half_replaced() -> Vec<Step> {
    vec![Do(Store("a", TEXT)), Crash(Supersede("a", C2pa("one")), 5)]
}

/// A replacement that ended before its record.
pub fn crashed_replacement() -> Vec<Step> {
    vec![Do(Store("a", TEXT)), Crash(Supersede("a", C2pa("one")), 4)]
}

/// A deletion that has written its row and nothing else.
pub fn half_deleted() -> Vec<Step> {
    vec![Do(Store("a", C2pa("one"))), Crash(Delete("a"), 2)]
}

/// An orphaned record whose manifest was deleted.
pub fn orphans_orphan() -> Vec<Step> {
    vec![Crash(Store("a", C2pa("one")), 3), Do(DeleteManifest("one"))]
}

/// A deleted proof, and an orphaned record of its second life.
pub fn stored_again_by_half() -> Vec<Step> {
    vec![Do(Store("a", C2pa("one"))), Do(Delete("a")), Crash(Store("a", C2pa("two")), 4)]
}
