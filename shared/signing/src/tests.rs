//! Certificates that sign and that do not, and manifests through a conversation.

use std::io::{Cursor, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use c2pa::{Context, Reader, SigningAlg, ValidationState};
use credlink_core::collection::ParentLocation;
use credlink_core::file::FileType;
use credlink_ports::{NotSigned, SignedRendition, SigningOrder, UnsignedRendition};
use x509_cert::ext::pkix::KeyUsages;

use crate::conversation::{self, Said};
use crate::manifests::PIXEL;
use crate::testing::{Wanted, made};
use crate::{CertificateError, Certificates, ClaimSigner as _, PemSigner};

/// A time at which the certificates are valid, except in the test of validity.
const NOW: Duration = Duration::from_secs(1_800_000_000);

fn refused(wanted: &Wanted) -> CertificateError {
    let (certificate, key) = made(wanted);
    PemSigner::read(&certificate, &key, NOW).unwrap_err()
}

#[test]
fn a_certificate_for_signing_is_taken() {
    let (certificate, key) = made(&Wanted::default());
    let signer = PemSigner::read(&certificate, &key, NOW).unwrap();
    assert_eq!(signer.certificates().algorithm, SigningAlg::Es256);
    assert!(signer.certificates().subject.contains("CN=signer"));
    assert!(!format!("{signer:?}").contains("PRIVATE"));
    for purpose in ["1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1"] {
        let (certificate, _) = made(&Wanted { purposes: vec![purpose], ..Wanted::default() });
        assert!(Certificates::read(&certificate, NOW).is_ok(), "{purpose}");
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_said() {
    let refused = |wanted| refused(&wanted);
    let past = refused(Wanted { until: 1_700_000_000, ..Wanted::default() });
    assert!(matches!(past, CertificateError::NotNow { has_expired: true, .. }), "{past}");
    assert!(past.to_string().contains("CN=signer") && past.to_string().contains("2023-11-14"), "{past}");
    // A reader says so too, whatever time the certificate is read for.
    let (certificate, key) = made(&Wanted { until: 1_700_000_000, ..Wanted::default() });
    let then = Duration::from_secs(1_600_000_000);
    let expired = PemSigner::read(&certificate, &key, then).unwrap_err();
    assert!(matches!(expired, CertificateError::Profile { .. }), "{expired}");
    let future = refused(Wanted { from: 1_900_000_000, ..Wanted::default() });
    assert!(matches!(future, CertificateError::NotNow { has_expired: false, .. }), "{future}");
    for purposes in [vec![], vec!["1.3.6.1.5.5.7.3.1"]] {
        let error = refused(Wanted { purposes, ..Wanted::default() });
        assert!(matches!(error, CertificateError::Purpose { .. }), "{error}");
    }
    let authority = refused(Wanted { is_authority: true, ..Wanted::default() });
    assert!(matches!(authority, CertificateError::Authority { .. }), "{authority}");
    let own = refused(Wanted { subject: "CN=authority,O=CredLink tests", ..Wanted::default() });
    assert!(matches!(own, CertificateError::SelfSigned { .. }), "{own}");
    assert!(own.to_string().contains("an authority has to issue it"), "{own}");
    let usage = refused(Wanted { usage: KeyUsages::KeyEncipherment, ..Wanted::default() });
    assert!(matches!(usage, CertificateError::Usage { .. }), "{usage}");
}

#[test]
fn a_key_has_to_fit() {
    let ((certificate, key), (_, other)) = (made(&Wanted::default()), made(&Wanted::default()));
    let error = PemSigner::read(&certificate, &other, NOW).unwrap_err();
    assert!(matches!(error, CertificateError::OtherKey { .. }), "{error}");
    for text in ["", "no key", certificate.as_str()] {
        let error = PemSigner::read(&certificate, text, NOW).unwrap_err();
        assert!(matches!(error, CertificateError::Key(_)), "{error}");
    }
    for (label, form) in [
        ("EC PRIVATE KEY", "in the form of SEC1"),
        ("RSA PRIVATE KEY", "in the form of PKCS#1"),
        ("ENCRYPTED PRIVATE KEY", "encrypted"),
    ] {
        let other = key.replace("PRIVATE KEY", label);
        let error = PemSigner::read(&certificate, &other, NOW).unwrap_err();
        assert!(matches!(error, CertificateError::KeyForm(_)), "{error}");
        let said = error.to_string();
        assert!(said.contains(form) && said.contains("`openssl pkey -in OLD.key -out NEW.key`"), "{said}");
    }
    for text in ["", key.as_str()] {
        assert_eq!(PemSigner::read(text, &key, NOW).unwrap_err(), CertificateError::None);
    }
    let cut = certificate.replace("MII", "MIJ");
    let error = PemSigner::read(&cut, &key, NOW).unwrap_err();
    assert!(matches!(error, CertificateError::Unreadable { place: 1, .. }), "{error}");
}

fn order(number: u32) -> SigningOrder {
    let rendition = |number: u32| {
        let id = format!("urn:c2pa:f9168c5e-ceb2-4faa-b6bf-{number:012}");
        UnsignedRendition {
            name: format!("card-{}.png", number + 1).parse().unwrap(),
            bytes: PIXEL.into(),
            is_scaled: true,
            is_cropped: false,
            manifest_url: format!("https://credlink.test/v1/manifests/{id}"),
            manifest: id.parse().unwrap(),
        }
    };
    SigningOrder {
        kind: FileType::Png,
        proof_url: "https://credlink.test/v1/proofs/x".to_owned(),
        location: ParentLocation::Redact,
        renditions: (0..number).map(rendition).collect(),
    }
}

/// Orders manifests of the other side, which is a thread here, and answers its claims with signatures.
fn signed(signer: &PemSigner, order: &SigningOrder) -> Result<Vec<SignedRendition>, NotSigned> {
    let (mut here, there) = UnixStream::pair().unwrap();
    let process = thread::spawn(move || {
        let (mut from, mut to) = (there.try_clone().unwrap(), there);
        conversation::answer(&mut from, &mut to).unwrap();
    });
    let messages = conversation::order(PIXEL, order, signer.certificates()).unwrap();
    here.write_all(&messages).unwrap();
    loop {
        match conversation::hear(&mut here).unwrap() {
            Said::Claim(claim) => {
                let signature = c2pa::Signer::sign(signer, &claim).unwrap();
                here.write_all(&conversation::signature(&signature)).unwrap();
            }
            Said::End(end) => {
                process.join().unwrap();
                return end;
            }
        }
    }
}

#[test]
fn a_conversation_makes_manifests() {
    let (certificate, key) = made(&Wanted::default());
    let signer = PemSigner::read(&certificate, &key, NOW).unwrap();
    let (first, second) = (signed(&signer, &order(3)).unwrap(), signed(&signer, &order(3)).unwrap());
    assert_eq!(first.len(), 3);
    for (ordered, (one, two)) in order(3).renditions.iter().zip(first.iter().zip(&second)) {
        assert_eq!(one.name, ordered.name);
        // The bytes follow from the order, and the manifest is another each time.
        assert_eq!(one.bytes, two.bytes);
        assert_ne!(one.manifest, two.manifest);
        assert!(
            one.bytes.windows(ordered.manifest_url.len()).any(|part| part == ordered.manifest_url.as_bytes())
        );
        // Without thumbnails, and with a place for the signature that fits it.
        assert!(one.manifest.len() < 6_000, "{}", one.manifest.len());
        let settings = r#"{"verify":{"verify_trust":false,"remote_manifest_fetch":false}}"#;
        let reader = Reader::from_context(Context::new().with_settings(settings).unwrap());
        let reader =
            reader.with_manifest_data_and_stream(&one.manifest, "image/png", Cursor::new(one.bytes.to_vec()));
        let reader = reader.unwrap();
        assert_eq!(reader.validation_state(), ValidationState::Valid, "{:?}", reader.validation_status());
        assert_eq!(reader.active_label(), Some(ordered.manifest.as_str()));
    }
    assert_eq!(signed(&signer, &order(0)), Ok(Vec::new()));
}
