use std::fs;

use credlink_core::object::Attributes;

use credlink_core::hash::Digest;

use super::replay::AGAIN;
use super::segment::{BLOCK_BYTES, SegmentLine};
use super::*;
use crate::recorder::Recording;

fn attributes() -> Attributes {
    Attributes { content_type: "text/plain".to_owned(), ..Attributes::default() }
}

fn put(key: &str, body: &'static [u8]) -> Change {
    let (header, _) = super::super::file::header(key, body, &attributes()).unwrap();
    Change::Put { key: key.to_owned(), header: header.into(), body: body.into() }
}

fn journal(path: &Path) -> Journal {
    let folders = ["objects", "temporary"].map(|name| path.join(name));
    for folder in &folders {
        fs::create_dir_all(folder).unwrap();
    }
    Journal::of(path, Settle::of(&folders[1]), 20_000)
}

/// Makes changes as the folder does.
fn commit(journal: &Journal, changes: Vec<Change>) -> Result<(), Fault> {
    let passage = journal.enter()?;
    passage.commit(changes)?.made(Unsettled::default());
    Ok(())
}

/// A change that a replay makes: the key and the length of the file.
type Made = Vec<(String, Option<usize>)>;

fn replayed(journal: &Journal) -> io::Result<Made> {
    let made = Mutex::new(Vec::new());
    journal.replay(|key: &str, content: Option<&[u8]>, _: &mut Unsettled| {
        made.lock().unwrap().push((key.to_owned(), content.map(<[u8]>::len)));
        Ok(())
    })?;
    Ok(made.into_inner().unwrap())
}

/// Leaves a journal behind as a process does that is killed. Returns the content of its first file.
fn left(path: &Path, changes: &[Change]) -> Vec<u8> {
    let journal = journal(path);
    for change in changes {
        commit(&journal, vec![change.clone()]).unwrap();
    }
    let content = fs::read(path.join(JOURNAL).join(FILES[0])).unwrap();
    drop(journal);
    assert_eq!(fs::read_dir(path.join(JOURNAL)).unwrap().count(), 0, "an orderly end leaves nothing");
    fs::write(path.join(JOURNAL).join(FILES[0]), &content).unwrap();
    content
}

#[test]
fn the_format_is_fixed() {
    let line = SegmentLine {
        segment: 7,
        salt: "5".repeat(32),
        after: Some(segment::Predecessor { segment: 6, end: 67_035_136 }),
    };
    let block = line.block().unwrap();
    assert_eq!(block.len() as u64, BLOCK_BYTES);
    let text = String::from_utf8(block).unwrap();
    let expected =
        r#"{"segment":7,"salt":"55555555555555555555555555555555","after":{"segment":6,"end":67035136}}"#;
    let digest = Digest::of(expected.as_bytes());
    assert_eq!(text.trim_end_matches('\0'), format!("credlink-journal 1 {digest}\n{expected}\n"));
    let changes = [put("proofs/x", b"content"), Change::Delete { key: "proofs/y".to_owned() }];
    let group = String::from_utf8(line.group(4_096, &changes).unwrap()).unwrap();
    let Change::Put { header, .. } = &changes[0] else { unreachable!() };
    let (length, header) =
        (changes[0].length(), Digest::of(header.split(|byte| *byte == b'\n').nth(1).unwrap()));
    let expected = format!(
        r#"{{"at":4096,"changes":[{{"put":"proofs/x","length":{length},"header":"{header}"}},{{"delete":"proofs/y"}}]}}"#
    );
    let digest = Digest::of(format!("{}{expected}", line.salt).as_bytes());
    assert_eq!(group, format!("credlink-changes 1 {digest}\n{expected}\n"));
}

#[test]
fn a_replay_makes_the_last_change_of_each_key_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let delete = Change::Delete { key: "proofs/a".to_owned() };
    let changes = [put("proofs/a", b"1"), put("proofs/b", b"1"), delete, put("proofs/b", b"123")];
    left(folder.path(), &changes);
    let journal = journal(folder.path());
    let length = usize::try_from(changes[3].length()).unwrap();
    let expected = vec![("proofs/a".to_owned(), None), ("proofs/b".to_owned(), Some(length))];
    assert_eq!(replayed(&journal).unwrap(), expected);
    assert_eq!(replayed(&journal).unwrap(), Made::new());
}

#[test]
fn the_last_group_counts_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let whole = left(folder.path(), &[put("proofs/a", b"first"), put("proofs/b", b"second")]);
    let path = folder.path().join(JOURNAL).join(FILES[0]);
    let second = 2 * usize::try_from(BLOCK_BYTES).unwrap();
    for at in (second..whole.len()).step_by(7).chain([whole.len() - 1]) {
        for torn in [whole[..at].to_vec(), [&whole[..at], &[!whole[at]], &whole[at + 1..]].concat()] {
            fs::write(&path, torn).unwrap();
            let made = replayed(&journal(folder.path())).unwrap();
            assert_eq!(made.iter().map(|(key, _)| &key[..]).collect::<Vec<_>>(), ["proofs/a"], "byte {at}");
        }
    }
}

#[test]
fn a_damaged_journal_is_refused_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let whole = left(folder.path(), &[put("proofs/a", b"first")]);
    let [path, next] = FILES.map(|file| folder.path().join(JOURNAL).join(file));
    let mut changed = whole.clone();
    changed[30] ^= 1;
    fs::write(&path, &changed).unwrap();
    let refused = replayed(&journal(folder.path())).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    assert!(refused.to_string().contains("its first line"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), changed);
    // Only the last group may be cut short.
    let two = left(folder.path(), &[put("proofs/a", b"first"), put("proofs/b", b"second")]);
    let first = usize::try_from(BLOCK_BYTES).unwrap();
    for at in [first, first + 100, first + usize::try_from(put("proofs/a", b"first").length()).unwrap()] {
        let mut changed = two.clone();
        changed[at] ^= 1;
        fs::write(&path, changed).unwrap();
        let refused = replayed(&journal(folder.path())).unwrap_err();
        assert!(refused.to_string().contains("the changes at byte 4096 are not"), "byte {at}: {refused}");
    }
    // The segment behind it knows how far this one was acknowledged.
    let after = segment::Predecessor { segment: 1, end: whole.len() as u64 };
    let line = SegmentLine { segment: 2, salt: "5".repeat(32), after: Some(after) };
    fs::write(&next, line.block().unwrap()).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let refused = replayed(&journal(folder.path())).unwrap_err();
    assert!(refused.to_string().contains("can be read up to byte 4096 only"), "{refused}");
    fs::write(&path, &whole).unwrap();
    assert_eq!(replayed(&journal(folder.path())).unwrap().len(), 1);
}

#[test]
fn a_segment_whose_successor_is_lost_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    let passage = journal.enter().unwrap();
    // A change that is not made in its file keeps the first segment from being settled.
    let unmade = passage.commit(vec![put("proofs/a", b"first")]).unwrap();
    let [first, second] = FILES.map(|file| folder.path().join(JOURNAL).join(file));
    for number in 0.. {
        commit(&journal, vec![put(&format!("proofs/{number}"), &[7; 5_000])]).unwrap();
        if second.exists() {
            break;
        }
    }
    let [first, second] = [first, second].map(|path| fs::read(path).unwrap());
    unmade.made(Unsettled::default());
    drop(passage);
    drop(journal);

    let copy = tempfile::tempdir().unwrap();
    let paths = FILES.map(|file| copy.path().join(JOURNAL).join(file));
    fs::create_dir(copy.path().join(JOURNAL)).unwrap();
    let none = vec![0; second.len()];
    for lost in [None, Some(&none)] {
        fs::write(&paths[0], &first).unwrap();
        match lost {
            None => drop(fs::remove_file(&paths[1])),
            Some(zeros) => fs::write(&paths[1], zeros).unwrap(),
        }
        let refused = replayed(&self::journal(copy.path())).unwrap_err();
        assert!(refused.to_string().contains("segment 2 continues it, and is not there"), "{refused}");
        assert_eq!(fs::read(&paths[0]).unwrap(), first);
    }
    fs::write(&paths[1], &second).unwrap();
    assert!(replayed(&self::journal(copy.path())).unwrap().len() > 2);
}

/// Returns what a disk holds of a group: its lines, and the objects that are written behind them.
fn group(line: &SegmentLine, at: u64, named: &Change, written: &Change) -> Vec<u8> {
    let Change::Put { header, body, .. } = written else { unreachable!() };
    [&line.group(at, [named]).unwrap()[..], header, body].concat()
}

#[test]
fn older_groups_and_imitations_in_a_file_that_is_used_again_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let whole = left(folder.path(), &[put("proofs/a", b"first")]);
    let text = String::from_utf8_lossy(&whole);
    let own: SegmentLine = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    let older = SegmentLine { segment: 1, salt: "5".repeat(32), after: None };
    let [newer, other] = [put("proofs/b", b"newer"), put("proofs/b", b"other")];
    let at = 2 * BLOCK_BYTES;
    for (line, named, written, counts) in [
        (&own, &newer, &newer, true),
        // A block of an earlier segment that begins where the next group would.
        (&older, &other, &other, false),
        // The lines of a group reached the disk, and its object did not: an older one of the same key and length is
        // still there.
        (&own, &newer, &other, false),
    ] {
        let mut torn = whole.clone();
        torn.resize(usize::try_from(at).unwrap(), 0);
        torn.extend(group(line, at, named, written));
        fs::write(folder.path().join(JOURNAL).join(FILES[0]), torn).unwrap();
        let made = replayed(&journal(folder.path())).unwrap();
        let expected = if counts { &["proofs/a", "proofs/b"][..] } else { &["proofs/a"] };
        assert_eq!(made.iter().map(|(key, _)| &key[..]).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_change_that_is_not_made_in_its_file_stops_others_until_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    commit(&journal, vec![put("proofs/a", b"first")]).unwrap();
    drop(journal.enter().unwrap().commit(vec![put("proofs/b", b"second")]).unwrap());
    assert!(commit(&journal, vec![put("proofs/c", b"third")]).is_err());
    assert!(journal.empty().is_err());
    assert!(
        journal
            .mend(|_: &str, _: Option<&[u8]>, _: &mut Unsettled| Err(io::Error::other("not yet")))
            .is_err()
    );
    assert!(
        journal.mend(|_: &str, _: Option<&[u8]>, _: &mut Unsettled| unreachable!("it is too early")).is_err()
    );
    std::thread::sleep(AGAIN);
    let made = Mutex::new(Vec::new());
    journal
        .mend(|key: &str, _: Option<&[u8]>, _: &mut Unsettled| {
            made.lock().unwrap().push(key.to_owned());
            Ok(())
        })
        .unwrap();
    assert_eq!(made.into_inner().unwrap(), ["proofs/a", "proofs/b"]);
    commit(&journal, vec![put("proofs/c", b"third")]).unwrap();
}

#[test]
fn a_change_is_taken_back_although_both_segments_are_full() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    let passage = journal.enter().unwrap();
    let unmade = passage.commit(vec![put("proofs/a", b"first")]).unwrap();
    for number in 0..20 {
        commit(&journal, vec![put(&format!("proofs/{number}"), &[7; 5_000])]).unwrap();
    }
    unmade.made_without(Unsettled::default(), ["proofs/a"].into_iter()).unwrap();
    drop(passage);
    assert!(journal.empty().unwrap());
}

/// A second sync does not write what a failed one has dropped.
#[test]
fn nothing_is_acknowledged_after_a_failed_sync_until_all_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let recording = Recording::of(folder.path());
    let journal = journal(folder.path());
    commit(&journal, vec![put("proofs/a", b"first")]).unwrap();
    recording.fail_syncs(Some(JOURNAL));
    assert!(commit(&journal, vec![put("proofs/b", b"second")]).is_err());
    recording.fail_syncs(None);
    assert!(commit(&journal, vec![put("proofs/c", b"third")]).is_err(), "the sync would succeed");
    let made = Mutex::new(Vec::new());
    journal
        .mend(|key: &str, _: Option<&[u8]>, _: &mut Unsettled| {
            made.lock().unwrap().push(key.to_owned());
            Ok(())
        })
        .unwrap();
    assert!(made.into_inner().unwrap().contains(&"proofs/a".to_owned()));
    commit(&journal, vec![put("proofs/c", b"third")]).unwrap();
}

#[test]
fn writers_share_groups_and_segments() {
    let folder = tempfile::tempdir().unwrap();
    let recording = Recording::of(folder.path());
    let journal = journal(folder.path());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let journal = &journal;
            scope.spawn(move || {
                for number in 0..40 {
                    commit(journal, vec![put(&format!("proofs/{thread}-{number}"), &[7; 500])]).unwrap();
                }
            });
        }
    });
    let files = recording.names().0.into_iter().filter(|path| path.starts_with(folder.path().join(JOURNAL)));
    assert_eq!(files.count(), 3, "the folder and two files");
    drop(journal);
    assert_eq!(fs::read_dir(folder.path().join(JOURNAL)).unwrap().count(), 0);
}
