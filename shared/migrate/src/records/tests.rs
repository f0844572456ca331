use credlink_core::hash::{Digest, MediaHash};
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_ports::migration::ledger::{Reason, StoredObject};
use credlink_ports::migration::target::Target;

use super::*;

const NOW: fn() -> Timestamp = || Timestamp::from_milliseconds(1_000);

fn proof(name: &[u8]) -> ProofId {
    ProofId::derive(&Tenant::default(), &MediaHash::of(name))
}

fn copy(created: bool) -> CopiedItem {
    let object = StoredObject {
        key: "proofs/x".to_owned(),
        content: Digest::of(b"record"),
        stored: None,
        crc64nvme: None,
        coding: None,
        private: false,
    };
    CopiedItem {
        target: Target::Proof(proof(b"a")),
        legacy: None,
        source: Digest::of(b"source"),
        created,
        exact: true,
        objects: vec![object],
    }
}

fn change(version: &str, state: ItemState) -> Change {
    let item = Item { key: "a".to_owned(), size: 1, version: version.to_owned() };
    Change::to(item, state)
}

fn entry(state: ItemState, begun: Option<Begun>) -> Entry {
    let now = NOW();
    Entry {
        key: "a".to_owned(),
        item: "1".to_owned(),
        size: 1,
        version: 4,
        updated: now,
        begun,
        withdrawing: None,
        state,
    }
}

fn failed() -> ItemState {
    ItemState::Failed { reason: Reason::Unavailable, detail: String::new() }
}

fn created(entry: Option<Entry>) -> Option<bool> {
    entry.and_then(|entry| entry.state.copy().map(|copy| copy.created))
}

#[test]
fn what_was_begun_says_who_made_it() {
    let begun = Some(Begun { target: Target::Proof(proof(b"a")), restores: None });
    let other = Some(Begun { target: Target::Proof(proof(b"b")), restores: None });
    let copied = change("1", ItemState::Copied(copy(false)));
    let copying = || ItemState::Copying { target: Target::Proof(proof(b"a")) };
    assert_eq!(created(merged(Some(&entry(copying(), begun.clone())), &copied, NOW())), Some(true));
    assert_eq!(created(merged(Some(&entry(failed(), begun.clone())), &copied, NOW())), Some(true));
    assert_eq!(created(merged(Some(&entry(copying(), other)), &copied, NOW())), Some(false));
    assert_eq!(created(merged(None, &copied, NOW())), Some(false));
    let equal = change("1", ItemState::Copied(CopiedItem { exact: false, ..copy(false) }));
    assert_eq!(created(merged(Some(&entry(copying(), begun.clone())), &equal, NOW())), Some(false));
    // The start remains recorded, whatever happens to the item.
    let after = merged(Some(&entry(copying(), begun.clone())), &change("1", failed()), NOW()).unwrap();
    assert_eq!((after.begun, after.version), (begun, 5));
}

#[test]
fn nothing_that_was_done_is_taken_back() {
    let at = NOW();
    let copied = || entry(ItemState::Copied(copy(true)), None);
    let verified = || entry(ItemState::Verified { copy: copy(true), at }, None);
    let deleted = || entry(ItemState::Deleted { copy: copy(true), at }, None);
    let copying = ItemState::Copying { target: Target::Proof(proof(b"a")) };
    let skipped = ItemState::Skipped { reason: Reason::Deleted, detail: String::new() };
    for before in [copied(), verified(), deleted()] {
        for state in [ItemState::Planned, copying.clone(), failed(), skipped.clone()] {
            assert_eq!(merged(Some(&before), &change("1", state), at), None);
        }
        assert_eq!(merged(Some(&before), &change("1", ItemState::Copied(copy(false))), at), None);
    }
    // A later version that cannot be copied leaves the copy recorded.
    assert_eq!(merged(Some(&copied()), &change("2", failed()), at), None);
    let again = merged(Some(&verified()), &change("2", ItemState::Copied(copy(false))), at).unwrap();
    assert!(matches!(again.state, ItemState::Verified { .. }) && created(Some(again)) == Some(true));
}

#[test]
fn what_was_found_is_of_what_stood_there() {
    let at = NOW();
    let before = entry(ItemState::Copied(copy(true)), None);
    let found = |copy| change("1", ItemState::Verified { copy, at });
    assert!(merged(Some(&before), &found(copy(true)), at).is_some());
    let other = CopiedItem { source: Digest::of(b"other"), ..copy(true) };
    assert_eq!(merged(Some(&before), &found(other), at), None);
    assert_eq!(merged(Some(&entry(failed(), None)), &found(copy(true)), at), None);
    assert_eq!(merged(None, &found(copy(true)), at).map(|entry| entry.version), Some(1));
}

#[test]
fn a_withdrawal_is_undone_by_a_new_run_alone() {
    let at = Timestamp::from_milliseconds(7);
    let withdrawn = ItemState::RolledBack { target: Target::Proof(proof(b"a")), at };
    let begun = Some(Begun { target: Target::Proof(proof(b"a")), restores: None });
    let before = entry(ItemState::Copied(copy(true)), begun.clone());
    let after = merged(Some(&before), &change("1", withdrawn.clone()), NOW()).unwrap();
    assert_eq!(after.begun, None);
    // A worker that was slower than the rollback.
    let mut late = change("1", ItemState::Copied(copy(false)));
    late.begun = begun;
    assert_eq!(merged(Some(&after), &late, NOW()), None);
    // A worker that restores the proof.
    late.begun = Some(Begun { target: Target::Proof(proof(b"a")), restores: Some(at) });
    assert_eq!(created(merged(Some(&after), &late, NOW())), Some(true));
    // A failure in between does not erase the instant.
    let failed = merged(Some(&after), &change("1", failed()), NOW()).unwrap();
    assert_eq!(failed.begun, late.begun);
}

#[test]
fn a_withdrawal_that_is_about_to_be_is_of_what_stands_there() {
    let at = Some(Timestamp::from_milliseconds(7));
    let state = ItemState::Copied(copy(true));
    let intent = |state: &ItemState, at| Change { withdrawing: at, ..change("1", state.clone()) };
    let begun = Some(Begun { target: Target::Proof(proof(b"a")), restores: None });
    let before = entry(state.clone(), begun.clone());
    let after = merged(Some(&before), &intent(&state, at), NOW()).unwrap();
    assert_eq!((&after.state, after.withdrawing, &after.begun, after.version), (&state, at, &begun, 5));
    // The intent is written once, and for this copy only.
    assert_eq!(merged(Some(&after), &intent(&state, at), NOW()), None);
    let verified = ItemState::Verified { copy: copy(true), at: NOW() };
    let later = entry(verified.clone(), None);
    let intended = merged(Some(&later), &intent(&state, at), NOW()).unwrap();
    assert_eq!((intended.state, intended.withdrawing), (verified, at), "what is known of it stays");
    let other = ItemState::Copied(CopiedItem { source: Digest::of(b"other"), ..copy(true) });
    assert_eq!(merged(Some(&entry(other, None)), &intent(&state, at), NOW()), None);
    assert_eq!(merged(Some(&entry(failed(), None)), &intent(&state, at), NOW()), None);
    // The intent is cleared both if the copy is still there and if it was withdrawn.
    let stays = merged(Some(&after), &change("1", state), NOW()).unwrap();
    assert_eq!((stays.withdrawing, stays.version), (None, 6));
    let target = Target::Proof(proof(b"a"));
    let gone = change("1", ItemState::RolledBack { target, at: NOW() });
    assert_eq!(merged(Some(&after), &gone, NOW()).map(|entry| entry.withdrawing), Some(None));
}
