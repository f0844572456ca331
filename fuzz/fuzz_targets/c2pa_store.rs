//! Arbitrary bytes as a manifest store: nothing panics, and an accepted store has only one meaning.

#![no_main]

use credlink_core::c2pa::ManifestStore;
use credlink_core::c2pa::signature::Signature;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let signature = Signature::read(bytes);
    let Ok(store) = ManifestStore::parse(bytes) else { return };

    let id = store.active.as_str();
    assert_eq!(id.parse().as_ref(), Ok(&store.active), "the active manifest's id reads back as itself");
    assert!(
        bytes.windows(id.len()).any(|window| window.eq_ignore_ascii_case(id.as_bytes())),
        "the id stands in the store"
    );

    // A length of 0 means "to the end of the file": such a store states no length that could be checked.
    let Some(length) = stated_length(bytes) else { return };
    assert!(length <= bytes.len(), "a store does not end after its bytes");
    let alone = &bytes[..length];
    assert_eq!(ManifestStore::parse(alone).as_ref(), Ok(&store), "padding changes nothing");
    assert_eq!(Signature::read(alone), signature, "padding is not signed");
    assert_eq!(ManifestStore::parse(&[alone, &[0; 9]].concat()), Ok(store), "padding changes nothing");
    assert!(ManifestStore::parse(&[alone, b"\0x"].concat()).is_err(), "only zeros may follow a store");
    assert!(ManifestStore::parse(&bytes[..length - 1]).is_err(), "a store that is cut short is refused");
});

/// The length in the header of the outermost box (ISO/IEC 19566-5, LBox and XLBox).
fn stated_length(bytes: &[u8]) -> Option<usize> {
    let (short, _) = bytes.split_first_chunk()?;
    match u32::from_be_bytes(*short) {
        0 => None,
        1 => usize::try_from(u64::from_be_bytes(*bytes.get(8..)?.first_chunk()?)).ok(),
        length => usize::try_from(length).ok(),
    }
}
