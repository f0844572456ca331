use std::io::Write as _;

use credlink_core::bounds::MAX_LEGACY_RECORD_BYTES;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::NamedTempFile;

use super::*;

fn file(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Writes a dump three times: plain, gzipped in one member, and gzipped in two.
fn forms(content: &[u8]) -> Vec<NamedTempFile> {
    let (first, second) = content.split_at(content.len() / 2);
    let two = [gzip(first), gzip(second)].concat();
    vec![file(content), file(&gzip(content)), file(&two)]
}

async fn all(lines: &Lines, limit: usize) -> Vec<Item> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = lines.list(after.as_deref(), limit).await.unwrap();
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}

fn keys(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.key.as_str()).collect()
}

async fn text(lines: &Lines, key: &str) -> String {
    match lines.read(key).await.unwrap() {
        Some(Content::Legacy(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
        Some(Content::Unreadable(why)) => format!("! {why}"),
        other => panic!("{key}: {other:?}"),
    }
}

#[tokio::test]
async fn every_form_of_a_line_is_read() {
    let dump = "\u{feff}{\"a\" : 1}\r\n\n  \t\r\n[\"p-1\", {\"b\":  2}]\n{\"last\":\"ä\"}";
    for file in forms(dump.as_bytes()) {
        let lines = Lines::open(file.path()).unwrap();
        for limit in [1, 2, 100] {
            let items = all(&lines, limit).await;
            assert_eq!(keys(&items), ["line 1", "line 4", "line 5"]);
            assert_eq!(text(&lines, "line 1").await, "{\"a\" : 1}");
            assert_eq!(text(&lines, "line 4").await, "{\"b\":  2}");
            assert_eq!(text(&lines, "line 5").await, "{\"last\":\"ä\"}");
            assert_eq!(items[2].size, 13);
        }
        for absent in ["line 2", "line 6", "line 0", "line -1", "x"] {
            assert_eq!(lines.read(absent).await.unwrap(), None, "{absent}");
            assert_eq!(lines.look(absent).await.unwrap(), None, "{absent}");
        }
    }
    assert!(all(&Lines::open(file(b"").path()).unwrap(), 10).await.is_empty());
}

#[tokio::test]
async fn what_is_no_record_says_why() {
    let dump = b"{\"a\":\"\xff\"}\n[\"p-1\"]\n[\"p-1\",7]\n[1,2\nnonsense\n[\"p-1\",{},{}]\n";
    let file = file(dump);
    let lines = Lines::open(file.path()).unwrap();
    assert_eq!(all(&lines, 10).await.len(), 6);
    assert_eq!(text(&lines, "line 1").await, "! the line is no UTF-8");
    assert!(text(&lines, "line 2").await.contains("this array is another one"));
    assert!(text(&lines, "line 3").await.contains("the second element of this one is no object"));
    assert!(text(&lines, "line 4").await.contains("this is not JSON"));
    assert_eq!(text(&lines, "line 5").await, "nonsense", "what is wrong with it, its parser says");
    assert!(text(&lines, "line 6").await.contains("this array is another one"));
}

#[tokio::test]
async fn repeated_lines_are_items_of_one_version() {
    let file = file(b"{\"a\":1}\n{\"a\":1}\n{\"a\":2}\n");
    let lines = Lines::open(file.path()).unwrap();
    let items = all(&lines, 10).await;
    assert_eq!(keys(&items), ["line 1", "line 2", "line 3"]);
    assert!(items[0].version == items[1].version && items[1].version != items[2].version);
    assert_eq!(lines.look("line 2").await.unwrap().as_ref(), Some(&items[1]));
}

#[tokio::test]
async fn a_listing_goes_on_in_another_process() {
    let dump: String = (0..2_500).map(|number| format!("{{\"n\":{number}}}\n")).collect();
    for file in forms(dump.as_bytes()) {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            // A new reader for each page.
            let page = Lines::open(file.path()).unwrap().list(after.as_deref(), 700).await.unwrap();
            seen.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, all(&Lines::open(file.path()).unwrap(), 1_000).await);
        assert_eq!(seen.len(), 2_500);
        let lines = Lines::open(file.path()).unwrap();
        assert_eq!(text(&lines, "line 2500").await, "{\"n\":2499}", "also what was never listed");
    }
    let refused = Lines::open(file(b"{}").path()).unwrap().list(Some("x"), 1).await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Damaged);
}

#[tokio::test]
async fn earlier_pages_are_found_again() {
    let dump: String = (0..1_000).map(|number| format!("{{\"n\":{number}}}\n")).collect();
    for file in forms(dump.as_bytes()) {
        let lines = Lines::open(file.path()).unwrap();
        all(&lines, 10).await;
        for number in [1, 10, 11, 500, 1_000] {
            assert_eq!(text(&lines, &format!("line {number}")).await, format!("{{\"n\":{}}}", number - 1));
        }
    }
}

#[tokio::test]
async fn a_line_without_end_is_not_held() {
    let long = format!("{{\"a\":1}}\n{}\n{{\"a\":2}}\n", "x".repeat(MAX_LEGACY_RECORD_BYTES * 2));
    for file in forms(long.as_bytes()) {
        let lines = Lines::open(file.path()).unwrap();
        let items = all(&lines, 10).await;
        assert_eq!(keys(&items), ["line 1", "line 2", "line 3"]);
        assert_eq!(items[1].size, (MAX_LEGACY_RECORD_BYTES * 2) as u64);
        assert!(text(&lines, "line 2").await.contains("a legacy record has at most"));
        assert_eq!(text(&lines, "line 3").await, "{\"a\":2}");
        let held = lines.0.state.lock().unwrap().held;
        assert!(held < 100, "{held} bytes are held");
    }
}

#[tokio::test]
async fn a_page_ends_before_it_fills_the_memory() {
    let line = format!("{{\"a\":\"{}\"}}\n", "x".repeat(1_000_000));
    let file = file(line.repeat(20).as_bytes());
    let lines = Lines::open(file.path()).unwrap();
    let page = lines.list(None, 1_000).await.unwrap();
    assert_eq!(page.items.len(), PAGE_BYTES.div_ceil(1_000_008));
    assert_eq!(all(&lines, 1_000).await.len(), 20);
    assert_eq!(lines.0.state.lock().unwrap().held, 20 * 1_000_008);
    for number in 1..=20 {
        assert_eq!(text(&lines, &format!("line {number}")).await.len(), 1_000_008);
    }
    let state = lines.0.state.lock().unwrap();
    assert_eq!((state.held, state.lines.len()), (0, 0), "what was read is not kept");
}

#[tokio::test]
async fn what_nobody_reads_is_not_kept_for_ever() {
    let line = format!("{{\"a\":\"{}\"}}\n", "x".repeat(1_000_000));
    let file = file(&gzip(line.repeat(100).as_bytes()));
    let lines = Lines::open(file.path()).unwrap();
    assert_eq!(all(&lines, 1_000).await.len(), 100);
    assert!(lines.0.state.lock().unwrap().held <= KEPT_BYTES);
    assert_eq!(text(&lines, "line 1").await.len(), 1_000_008, "and is found again");
}

#[tokio::test]
async fn gzip_data_that_break_off_say_where() {
    let dump: String = (0..5_000)
        .map(|n| format!("{{\"n\":\"{}\"}}\n", Digest::of(&[(n % 251) as u8, (n / 251) as u8])))
        .collect();
    let whole = gzip(dump.as_bytes());
    let mut flipped = whole.clone();
    let middle = whole.len() / 2;
    flipped[middle] ^= 0xff;
    flipped[middle + 1] ^= 0xff;
    for damaged in [&whole[..middle], &flipped, &whole[..20], &[&whole[..], b"not gzip"].concat()] {
        let file = file(damaged);
        let lines = Lines::open(file.path()).unwrap();
        let items = all(&lines, 100).await;
        let last = items.last().unwrap();
        let said = text(&lines, &last.key).await;
        assert!(said.contains("the gzip data break off here"), "{said}");
        assert_eq!(lines.look(&last.key).await.unwrap().as_ref(), Some(last));
        let before = items.len() - 1;
        assert!(before <= 5_000, "{before} lines");
        if before > 0 && damaged.len() != flipped.len() {
            assert!(text(&lines, "line 1").await.starts_with("{\"n\""));
        }
    }
}

#[tokio::test]
async fn lines_stay() {
    let file = file(b"{}\n");
    let lines = Lines::open(file.path()).unwrap();
    let item = all(&lines, 1).await.remove(0);
    let failure = lines.remove(&item).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::AccessDenied);
    assert!(Lines::open(Path::new("/nowhere/dump.jsonl")).is_err());
    assert!(Lines::open(tempfile::tempdir().unwrap().path()).is_err(), "a folder is no dump");
}
