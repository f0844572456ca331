use std::collections::BTreeSet;

use bytes::Bytes;
use credlink_core::encoding::at_rest_again;
use tempfile::TempDir;

use super::*;

fn write(folder: &TempDir, path: &str, content: &[u8]) {
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn source(folder: &TempDir) -> LegacyFolder {
    LegacyFolder::open(folder.path()).unwrap()
}

async fn keys(source: &LegacyFolder, limit: usize) -> Vec<String> {
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = source.list(after.as_deref(), limit).await.unwrap();
        assert!(page.items.len() <= limit);
        keys.extend(page.items.into_iter().map(|item| item.key));
        after = page.next;
        if after.is_none() {
            return keys;
        }
    }
}

async fn why(source: &LegacyFolder, key: &str) -> String {
    match source.read(key).await.unwrap() {
        Some(Content::Unreadable(why)) => why,
        other => panic!("{key}: {other:?}"),
    }
}

#[tokio::test]
async fn files_come_in_the_order_of_their_paths_at_any_depth() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a.json", "a/b/c/d.json", "a/b.json", "a-b.json", "a0.json", "z/ä.json", "b b.json", "é/x"];
    for path in paths {
        write(&folder, path, b"{}");
    }
    fs::create_dir_all(folder.path().join("empty/deep")).unwrap();
    for hidden in [".a.json", "a/.tmp/x.json", ".git/config"] {
        write(&folder, hidden, b"{}");
    }
    let mut expected = paths.to_vec();
    expected.sort_unstable();
    for limit in [1, 2, 3, 100] {
        assert_eq!(keys(&source(&folder), limit).await, expected, "pages of {limit}");
    }
}

#[tokio::test]
async fn a_listing_goes_on_anywhere_also_in_another_process() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..40 {
        write(&folder, &format!("{}/{}/{number}.json", number % 2, number % 3), b"{}");
    }
    let whole = keys(&source(&folder), 100).await;
    for (at, last) in whole.iter().enumerate() {
        let page = source(&folder).list(Some(&cursor_of(last.as_bytes())), 100).await.unwrap();
        let rest: Vec<_> = page.items.into_iter().map(|item| item.key).collect();
        assert_eq!(rest, whole[at + 1..], "behind {last}");
    }
    let cursor = cursor_of(b"0/2/14.json");
    fs::remove_dir_all(folder.path().join("0")).unwrap();
    let page = source(&folder).list(Some(&cursor), 100).await.unwrap();
    assert_eq!(page.items.len(), 20, "the folder it was in is gone, and the others are not");
    let refused = source(&folder).list(Some("nonsense"), 1).await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Damaged);
}

#[tokio::test]
async fn what_is_there_all_the_while_is_listed_whatever_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let stays: BTreeSet<String> = (0..2_500).map(|number| format!("{number:04}.json")).collect();
    for name in &stays {
        write(&folder, name, b"{}");
    }
    let source = source(&folder);
    let (mut seen, mut after, mut page) = (Vec::new(), None, 0);
    loop {
        let listed = source.list(after.as_deref(), 100).await.unwrap();
        seen.extend(listed.items.into_iter().map(|item| item.key));
        write(&folder, &format!("{page:04}-new.json"), b"{}");
        write(&folder, &format!("9{page:04}.json"), b"{}");
        page += 1;
        after = listed.next;
        if after.is_none() {
            break;
        }
    }
    let distinct: BTreeSet<_> = seen.iter().cloned().collect();
    assert_eq!(distinct.len(), seen.len(), "nothing twice");
    assert!(distinct.is_superset(&stays));
}

#[tokio::test]
async fn a_large_folder_is_never_held_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..walk::KEPT + 3 {
        File::create(folder.path().join(format!("{number:06}"))).unwrap();
    }
    let listed = keys(&source(&folder), 1_000).await;
    assert_eq!(listed.len(), walk::KEPT + 3);
    assert!(listed.is_sorted());
}

#[tokio::test]
async fn records_are_read_as_they_are_packed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let packed = at_rest_again(b"{\"a\":1}", 1).bytes.into_owned();
    write(&folder, "plain", b"{\"a\":1}");
    write(&folder, "x/packed.json.gz", &packed);
    write(&folder, "cut.json.gz", &packed[..packed.len() - 5]);
    write(&folder, "long.json", &vec![b' '; MAX_STORED_BYTES + 1]);
    // A sparse file of a terabyte: no buffer of that size may be allocated.
    File::create(folder.path().join("huge.json")).unwrap().set_len(1 << 40).unwrap();
    let source = source(&folder);
    let record = Some(Content::Legacy(Bytes::from_static(b"{\"a\":1}")));
    assert_eq!(source.read("plain").await.unwrap(), record);
    assert_eq!(source.read("x/packed.json.gz").await.unwrap(), record);
    assert!(why(&source, "cut.json.gz").await.contains("the gzip data is damaged"));
    assert!(why(&source, "long.json").await.contains("a legacy record has at most"));
    assert!(why(&source, "huge.json").await.contains("this has 1099511627776"));
}

#[tokio::test]
async fn what_is_not_there_is_absent_and_what_is_elsewhere_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "inner/a.json", b"{}");
    write(&folder, "outer.json", b"{}");
    let source = LegacyFolder::open(&folder.path().join("inner")).unwrap();
    let absolute = folder.path().join("outer.json");
    for key in ["b.json", "a.json/x", "../outer.json", "", absolute.to_str().unwrap()] {
        assert_eq!(source.read(key).await.unwrap(), None, "{key}");
        assert_eq!(source.look(key).await.unwrap(), None, "{key}");
    }
    fs::remove_dir_all(folder.path().join("inner")).unwrap();
    let failure = source.read("a.json").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable, "a folder that is gone is no absence");
    assert!(source.list(None, 10).await.is_err());
    assert!(LegacyFolder::open(&absolute).is_err(), "a file is no folder");
}

#[tokio::test]
async fn a_file_that_vanishes_between_list_and_read_is_absent() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "a.json", b"{}");
    let source = source(&folder);
    let page = source.list(None, 10).await.unwrap();
    fs::remove_file(folder.path().join("a.json")).unwrap();
    assert_eq!(source.read("a.json").await.unwrap(), None);
    assert_eq!(source.remove(&page.items[0]).await.unwrap(), Removal::Absent);
}

#[tokio::test]
async fn only_what_is_unchanged_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["same", "size", "time", "other"] {
        write(&folder, name, b"{}");
    }
    let source = source(&folder);
    let items = source.list(None, 10).await.unwrap().items;
    let item = |name: &str| items.iter().find(|item| item.key == name).unwrap();
    write(&folder, "size", b"{ }");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    File::options().write(true).open(folder.path().join("time")).unwrap().set_modified(later).unwrap();
    // Another file of the same size and time, as after a restored backup.
    let modified = fs::metadata(folder.path().join("other")).unwrap().modified().unwrap();
    write(&folder, "other.new", b"[]");
    File::options()
        .write(true)
        .open(folder.path().join("other.new"))
        .unwrap()
        .set_modified(modified)
        .unwrap();
    fs::rename(folder.path().join("other.new"), folder.path().join("other")).unwrap();
    assert_eq!(source.remove(item("same")).await.unwrap(), Removal::Removed);
    for name in ["size", "time", "other"] {
        assert_eq!(source.remove(item(name)).await.unwrap(), Removal::Changed, "{name}");
        assert!(folder.path().join(name).exists());
        assert_ne!(source.look(name).await.unwrap().as_ref(), Some(item(name)));
    }
    assert!(!folder.path().join("same").exists());
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn links_are_not_followed() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(&folder, "a/a.json", b"{}");
        write(&folder, ".hidden/h.json", b"{}");
        write(&elsewhere, "far.json", b"{}");
        let link = |to: &Path, name: &str| symlink(to, folder.path().join(name)).unwrap();
        link(folder.path(), "a/loop");
        link(Path::new("a.json"), "a/same.json");
        link(&elsewhere.path().join("far.json"), "far.json");
        link(elsewhere.path(), "folder");
        link(Path::new("nowhere"), "dangling");
        link(&folder.path().join(".hidden/h.json"), "hidden.json");
        let source = source(&folder);
        assert_eq!(keys(&source, 2).await, ["a/a.json", "dangling", "far.json", "folder", "hidden.json"]);
        for key in ["dangling", "far.json", "folder", "hidden.json"] {
            assert!(why(&source, key).await.contains("a symbolic link"), "{key}");
            let item = source.look(key).await.unwrap().unwrap();
            assert_eq!(source.remove(&item).await.unwrap(), Removal::Changed);
        }
        assert!(elsewhere.path().join("far.json").exists());
    }

    #[tokio::test]
    async fn what_has_no_key_is_an_item_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join(OsStr::from_bytes(b"\xff\xfe.json"));
        fs::write(&odd, b"{}").unwrap();
        fs::write(folder.path().join(OsStr::from_bytes(b"\xff\xfd.json")), b"{}").unwrap();
        let deep: String = (0..6).map(|_| format!("{}/", "d".repeat(200))).collect();
        write(&folder, &format!("{deep}x.json"), b"{}");
        write(&folder, "z.json", b"{}");
        let source = source(&folder);
        for limit in [1, 100] {
            let keys = keys(&source, limit).await;
            assert_eq!(keys.len(), 4, "{keys:?}");
            assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 4, "each has a name of its own");
            for key in keys.iter().filter(|key| *key != "z.json") {
                assert!(key.len() <= MAX_KEY_BYTES);
                assert!(why(&source, key).await.contains("rename it"), "{key}");
                assert_eq!(source.look(key).await.unwrap().map(|item| item.key).as_ref(), Some(key));
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        assert_eq!(why(&source(&folder), "socket").await, "it is no regular file");
    }
}
