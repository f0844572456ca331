use std::io::Cursor;

use serde_json::{Value, json};

use super::*;

/// Returns the coverage of an ISO base media assertion over a file of boxes with these names.
fn base_media(version: usize, assertion: &Value, names: &[&[u8; 4]]) -> Coverage {
    let hash: BaseMedia = serde_json::from_value(assertion.clone()).unwrap();
    let file = names.iter().flat_map(|name| [&[0, 0, 0, 8], name.as_slice()].concat()).collect::<Vec<_>>();
    of_base_media(&BaseMedia { version, ..hash }, &mut Cursor::new(file)).unwrap()
}

fn says(coverage: &Coverage) -> &str {
    match coverage {
        Coverage::Whole | Coverage::Head => "",
        Coverage::Nearly(what) | Coverage::Less(what) => what,
    }
}

#[test]
fn the_boxes_of_a_manifest_and_idle_ones_may_be_left_out() {
    let manifest =
        json!({ "xpath": "/uuid", "data": [{ "offset": 8, "value": "2P7D1hsOSDySl1goh37EgQ==" }] });
    let names = [b"ftyp", b"moov", b"mdat"];
    let coverage = |version, more: Value| {
        let all = [vec![manifest.clone()], more.as_array().unwrap().clone()].concat();
        base_media(version, &json!({ "exclusions": all, "hash": "" }), &names)
    };
    let idle =
        json!([{ "xpath": "/ftyp" }, { "xpath": "/mfra" }, { "xpath": "/free" }, { "xpath": "/skip" }]);
    assert_eq!(coverage(2, idle.clone()), Coverage::Whole);
    assert_eq!(coverage(3, json!([])), Coverage::Whole);
    let positions = json!([
        { "xpath": "/meta/iloc" },
        { "xpath": "/moov/trak/mdia/minf/stbl/stco", "subset": [{ "offset": 16, "length": 0 }] },
    ]);
    for (version, more) in [(1, idle), (1, positions.clone()), (2, positions)] {
        let found = coverage(version, more);
        assert!(matches!(found, Coverage::Nearly(_)) && says(&found).contains("C2PA 1.0"), "{found:?}");
    }
    assert!(matches!(coverage(1, json!([{ "xpath": "/mdat" }])), Coverage::Less(_)));
    for more in [
        json!({ "xpath": "/mdat" }),
        json!({ "xpath": "/mdat", "subset": [{ "offset": 16, "length": 0 }] }),
        json!({ "xpath": "/moov/trak/mdia/minf/stbl/stsz" }),
        json!({ "xpath": "/uuid" }),
        json!({ "xpath": "/uuid", "data": [{ "offset": 9, "value": "2P7D1hsOSDySl1goh37EgQ==" }] }),
        json!({ "xpath": "/uuid", "data": [{ "offset": 8, "value": "2P4=" }] }),
        json!({ "xpath": "/free/free" }),
        json!({ "xpath": "ftyp" }),
    ] {
        let found = coverage(3, json!([more]));
        assert!(says(&found).contains("it leaves out the boxes"), "{more}: {found:?}");
    }
}

#[test]
fn content_is_left_out_where_its_blocks_have_hashes() {
    let content = json!([{ "xpath": "/mdat", "subset": [{ "offset": 16, "length": 0 }] }]);
    let tree = json!({ "fixedBlockSize": 1_024 });
    let one = [b"ftyp", b"moov", b"mdat"];
    let coverage = |hash: Value, trees: Value, names: &[&[u8; 4]]| {
        base_media(3, &json!({ "exclusions": content, "hash": hash, "merkle": trees }), names)
    };
    assert!(matches!(coverage(json!(""), json!([tree]), &one), Coverage::Nearly(_)));
    for (hash, trees, names) in [
        (json!(""), json!([]), &one[..]),
        (json!(null), json!([tree]), &one),
        (json!(""), json!([{}]), &one),
        (json!(""), json!([{ "fixedBlockSize": 1, "variableBlockSizes": [1] }]), &one),
        (json!(""), json!([{ "fixedBlockSize": 1, "initHash": "" }]), &one),
        // The validator takes such a file for a fragmented one, and ignores the content outside of the fragments.
        (json!(""), json!([tree]), &[b"ftyp", b"moov", b"moof", b"mdat"]),
        // Nothing says which hashes belong to which box.
        (json!(""), json!([tree, tree]), &[b"ftyp", b"moov", b"mdat", b"mdat"]),
    ] {
        let found = coverage(hash, trees.clone(), names);
        assert!(matches!(found, Coverage::Less(_)), "{trees} {names:?}: {found:?}");
    }
}

#[test]
fn fragments_need_a_hash_of_what_stands_before_them() {
    let file = [b"ftyp", b"moov", b"moof", b"mdat"];
    let coverage = |trees: Value, names: &[&[u8; 4]]| {
        base_media(2, &json!({ "exclusions": [{ "xpath": "/ftyp" }], "merkle": trees }), names)
    };
    assert_eq!(coverage(json!([{ "initHash": "" }]), &file), Coverage::Whole);
    for trees in [json!(null), json!([]), json!([{}]), json!([{ "initHash": "" }, {}])] {
        assert!(says(&coverage(trees, &file)).contains("no hash of what stands before the fragments"));
    }
    for names in [&[b"ftyp", b"moov"][..], &[b"ftyp", b"moov", b"mdat"]] {
        assert!(
            says(&coverage(json!([{ "initHash": "" }]), names)).contains("manifest of a video in fragments")
        );
    }
}

#[test]
fn bytes_are_left_out_where_the_manifest_is_and_nowhere_else() {
    let coverage = |ranges: &[(u64, u64)], manifest| {
        let exclusions = ranges.iter().map(|(start, length)| ByteRange { start: *start, length: *length });
        let media = BoundFile { file: Cursor::new(vec![0; 20_000]), format: "image/png", manifest };
        of(&Binding::Data(exclusions.collect()), media).unwrap()
    };
    assert_eq!(coverage(&[], None), Coverage::Whole);
    assert_eq!(coverage(&[(0, 0)], None), Coverage::Whole);
    assert_eq!(coverage(&[(33, 9_012)], Some(9_000)), Coverage::Whole);
    for (ranges, manifest, named) in [
        (&[(33, 9_012)][..], None, "bytes 33 to 9044 of"),
        (&[(33, 9_900)], Some(9_000), "bytes 33 to 9932 of"),
        (&[(33, 9_012), (9_100, 1)], Some(9_000), "bytes 9100 to 9100 of"),
        (&[(100, 4), (10_000, 9_012)], Some(9_000), "bytes 100 to 103 of"),
        (&[(0, u64::MAX)], Some(9_000), "bytes 0 to"),
    ] {
        let found = coverage(ranges, manifest);
        assert!(matches!(found, Coverage::Less(_)) && says(&found).contains(named), "{ranges:?}: {found:?}");
    }
}
