//! Legacy records: good ones of every form, and broken ones of every kind.

use credlink_core::hash::{Digest, MediaHash};
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use serde_json::json;

/// One in this many records is broken.
const BROKEN: usize = 100;

/// A legacy record as a source holds it.
#[derive(Clone, Debug)]
pub struct Legacy {
    /// The legacy ID of the record.
    pub id: String,
    /// The text of the record.
    pub text: String,
    /// The proof that a good record becomes.
    pub proof: Option<ProofId>,
    /// The reason for which a broken record fails.
    pub reason: Option<&'static str>,
}

/// Returns this many records, one in a hundred of which is broken.
pub fn records(count: usize) -> Vec<Legacy> {
    (0..count)
        .map(|number| if number % BROKEN == BROKEN / 2 { broken(number) } else { good(number) })
        .collect()
}

/// Returns this many good records.
pub fn good_ones(count: usize) -> Vec<Legacy> {
    (0..count).map(good).collect()
}

/// The hash of a record's media file.
pub fn media(number: usize) -> MediaHash {
    MediaHash::of(format!("the picture {number}").as_bytes())
}

fn id(number: usize) -> String {
    format!("proof-{number:06}")
}

/// A good record: with a JSON manifest, its text, or a C2PA manifest, and with and without its optional members.
pub fn good(number: usize) -> Legacy {
    let media = media(number);
    let hex = media.digest().to_string();
    let hash = if number.is_multiple_of(2) { hex.clone() } else { format!("sha256:{hex}") };
    let manifest = match number % 5 {
        0 => {
            let id = format!("urn:c2pa:{number:08x}-0000-4000-8000-000000000000");
            json!(BASE64.encode(&manifest_store(&id, media.digest()))).to_string()
        }
        1 => json!(format!("{{ \"title\" : \"picture {number}\" }}")).to_string(),
        _ => format!(
            "{{ \"title\" : \"picture {number}\", \"score\" : 1.0, \"text\" : \"{}\" }}",
            "layer ".repeat(60)
        ),
    };
    let mut text = format!(r#"{{"proofId":"{}","imageHash":"{hash}","manifest":{manifest}"#, id(number));
    if !number.is_multiple_of(3) {
        let signature = BASE64.encode(Digest::of(hex.as_bytes()).as_bytes());
        text += &format!(r#","signature":"{signature}""#);
    }
    text += &format!(r#","timestamp":{}"#, 1_767_225_600_000 + number);
    if number.is_multiple_of(4) {
        text += r#","expiresAt":"2099-01-01T00:00:00Z""#;
    }
    if number.is_multiple_of(6) {
        text += &format!(r#","metadata":{{"album" : {number}, "rating":1.50}},"uploader":"ü""#);
    }
    text += "}";
    let proof = Some(ProofId::derive(&Tenant::default(), &media));
    Legacy { id: id(number), text, proof, reason: None }
}

/// A broken record, of another kind than the one before.
fn broken(number: usize) -> Legacy {
    let good = good(number).text;
    let hex = media(number).digest().to_string();
    let (text, reason) = match number / BROKEN % 5 {
        0 => (format!("{{\"proofId\":\"{}\" this is no JSON", id(number)), "invalid-record"),
        1 => (good.replacen("\"timestamp\"", "\"time\"", 1), "invalid-record"),
        2 => (good.replacen(&hex, &hex[1..], 1), "invalid-record"),
        3 => {
            let other = media(number + 1);
            let manifest = json!({"imageHash": other.to_string()});
            let text = json!({"proofId": id(number), "imageHash": hex, "manifest": manifest, "timestamp": 1_767_225_600_000_u64});
            (text.to_string(), "hash-mismatch")
        }
        // The preceding record has the same file and another manifest.
        _ => {
            let hash = media(number - 1).to_string();
            let text = json!({"proofId": id(number), "imageHash": hash, "manifest": {"n": number}, "timestamp": 1_767_225_600_000_u64});
            (text.to_string(), "conflict")
        }
    };
    Legacy { id: id(number), text, proof: None, reason: Some(reason) }
}
