//! The things on which a row of the table is tried: things of the victim, and things that never existed.

use credlink_core::hash::{Digest, MediaHash};
use credlink_core::manifest_id::ManifestId;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use data_encoding::BASE64;
use http::header::IF_MATCH;
use http::{Method, Request};
use serde_json::{Value, json};

use bytes::Bytes;

use super::Cast;
use crate::http::ask::{ask, c2pa, json as request, media, with};

/// The kinds of things, by the callers that may know of them. Their words have the same length, and so have the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every caller may read them.
    Public,
    /// Only the victim may read them.
    Secret,
    /// They never existed.
    Absent,
}

impl Kind {
    /// The word for this kind.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Secret => "secret",
            Self::Absent => "absent",
        }
    }
}

/// Cursors of the victim's listings, which another caller may have obtained.
#[derive(Clone, Debug, Default)]
pub struct Cursors {
    pub proofs: String,
    pub manifests: String,
    pub aliases: String,
}

/// The IDs that the victim was given for a file, and for an upload whose bytes do not come.
#[derive(Clone, Debug)]
pub struct Kept {
    pub file: String,
    pub upload: String,
}

/// A proof of the victim with two revisions, its C2PA manifest, its legacy ID, a manifest that is stored by itself, a
/// job, a file in the list of an entity, and an upload.
#[derive(Clone, Debug)]
pub struct Subject {
    pub cast: Cast,
    pub kind: Kind,
    pub cursors: Cursors,
    /// The IDs of the file and the upload, if there are some.
    pub kept: Option<Kept>,
    /// The number of the row to which the subject belongs, or zero if it is never attacked.
    number: usize,
}

impl Subject {
    pub const fn new(cast: Cast, kind: Kind, number: usize, cursors: Cursors) -> Self {
        Self { cast, kind, cursors, kept: None, number }
    }

    /// An ID such as those of files and uploads, which is nobody's.
    fn nobodys(&self, of: &str) -> String {
        data_encoding::BASE32_NOPAD
            .encode(&Digest::of(self.name(of).as_bytes()).as_bytes()[..20])
            .to_lowercase()
    }

    /// The victim's file.
    pub fn file(&self) -> String {
        self.kept.as_ref().map_or_else(|| self.nobodys("kept file"), |kept| kept.file.clone())
    }

    /// The victim's upload.
    pub fn upload(&self) -> String {
        self.kept.as_ref().map_or_else(|| self.nobodys("upload"), |kept| kept.upload.clone())
    }

    /// The entity in whose list the file is.
    pub fn entity(&self) -> String {
        self.name("entity")
    }

    /// The announcement of the file or the upload, with this many bytes.
    pub fn announcement(&self, size: usize) -> Value {
        json!({
            "collection": "item-photo", "type": "image/png", "size": size, "access": self.visibility(),
            "entity": {"type": "item", "id": self.entity()}, "filename": self.name("filename"),
        })
    }

    fn name(&self, of: &str) -> String {
        format!("{of}-{}-{}-{:02}-{}", self.cast.victim, self.cast.attacker, self.number, self.kind.word())
    }

    fn id(&self, of: &str) -> ManifestId {
        let digits = Digest::of(self.name(of).as_bytes()).to_string();
        format!("urn:c2pa:00000000-0000-4000-8000-{}", &digits[..12]).parse().unwrap()
    }

    /// The victim's media file.
    pub fn media(&self) -> MediaHash {
        media(&self.name("file"))
    }

    /// The digest of that file in hexadecimal digits.
    pub fn hex(&self) -> String {
        self.media().to_string().replace("sha256:", "")
    }

    /// A media file of the attacker's own.
    pub fn another(&self) -> MediaHash {
        media(&self.name("another"))
    }

    /// A media file of the attacker's that no other probe stores.
    pub fn third(&self) -> MediaHash {
        media(&self.name("third"))
    }

    /// The ID of the manifest of the victim's proof.
    pub fn manifest(&self) -> ManifestId {
        self.id("manifest")
    }

    /// The manifest of the victim's proof.
    pub fn bytes(&self) -> Vec<u8> {
        manifest_store(self.manifest().as_str(), self.media().digest())
    }

    /// Other bytes under the ID of the victim's manifest, which bind the attacker's file.
    pub fn forged(&self) -> Vec<u8> {
        manifest_store(self.manifest().as_str(), self.another().digest())
    }

    /// The ID of the manifest that the victim stores by itself.
    pub fn alone(&self) -> ManifestId {
        self.id("alone")
    }

    /// The manifest that the victim stores by itself.
    pub fn bytes_alone(&self) -> Vec<u8> {
        manifest_store(self.alone().as_str(), self.media().digest())
    }

    /// Other bytes under the ID of that manifest.
    pub fn forged_alone(&self) -> Vec<u8> {
        manifest_store(self.alone().as_str(), self.another().digest())
    }

    /// The legacy ID that leads to the victim's proof.
    pub fn legacy(&self) -> String {
        self.name("legacy")
    }

    /// A legacy ID that leads nowhere.
    pub fn free(&self) -> String {
        self.name("unused")
    }

    /// The name of the victim's job.
    pub fn job(&self) -> String {
        self.name("job")
    }

    /// The victim's proof.
    pub fn proof(&self) -> ProofId {
        ProofId::derive(&self.cast.victim.parse().unwrap(), &self.media())
    }

    /// The attacker's proof of this file.
    pub fn own(&self, media: &MediaHash) -> ProofId {
        ProofId::derive(&self.cast.attacker.parse().unwrap(), media)
    }

    const fn visibility(&self) -> &'static str {
        match self.kind {
            Kind::Public | Kind::Absent => "public",
            Kind::Secret => "private",
        }
    }

    /// The requests that store the subject: the caller, the request, and the status of the answer. A job can be started
    /// if there is a source of migrations.
    pub fn stored_by(&self, source: Option<&str>) -> Vec<(&'static str, Request<Bytes>, u16)> {
        let victim = self.cast.victim;
        let body = |revision: &str| -> Value {
            json!({
                "media_hash": self.media().to_string(), "manifest_base64": BASE64.encode(&self.bytes()),
                "visibility": self.visibility(), "signature": self.name("signature"), "tags": {"of": self.name("tag"), "revision": revision},
            })
        };
        let mut first = body("first");
        first["origin"] = json!({
            "created": "2020-01-01T00:00:00Z", "expires": "9999-01-01T00:00:00Z", "legacy_id": self.legacy(),
        });
        let second = request(Method::PUT, &format!("/v1/proofs/{}", self.proof()), &body("second"));
        let mut all = vec![
            (victim, request(Method::POST, "/v1/proofs", &first), 201),
            (victim, with(second, IF_MATCH, "*"), 200),
        ];
        let alone = format!("/v1/manifests?visibility={}", self.visibility());
        all.push((victim, c2pa(Method::POST, &alone, self.bytes_alone()), 201));
        if let Some(source) = source {
            let job = json!({"name": self.job(), "from": source});
            all.push(("operator", request(Method::POST, "/v1/migrations", &job), 202));
        }
        all
    }

    /// The requests with which the victim deletes the subject.
    pub fn deleted_by(&self) -> Vec<Request<Bytes>> {
        let mut targets = vec![
            format!("/v1/proofs/{}", self.proof()),
            format!("/v1/tenants/{}/manifests/{}", self.cast.victim, self.alone()),
        ];
        if let Some(Kept { file, upload }) = &self.kept {
            targets.extend([format!("/v1/files/{file}"), format!("/v1/uploads/{upload}")]);
        }
        targets.iter().map(|target| ask(Method::DELETE, target)).collect()
    }

    /// The addresses at which the subject is read. A secret manifest has no plain address, which goes to the tenant
    /// that first stores a public manifest under its ID.
    pub fn addresses(&self, has_job: bool) -> Vec<String> {
        let (proof, victim) = (self.proof(), self.cast.victim);
        let mut all = vec![
            format!("/v1/proofs/{proof}"),
            format!("/v1/proofs/{proof}/1"),
            format!("/v1/proofs/by-hash/{}?tenant={victim}", self.hex()),
            format!("/v1/proofs/{}", self.legacy()),
            format!("/v1/tenants/{victim}/manifests/{}", self.manifest()),
            format!("/v1/tenants/{victim}/manifests/{}", self.alone()),
        ];
        if self.kind == Kind::Public {
            for id in [self.manifest(), self.alone()] {
                all.extend([format!("/v1/manifests/{id}"), format!("/v1/manifests/{id}/front")]);
            }
        }
        if let Some(Kept { file, upload }) = &self.kept {
            all.extend(
                ["thumbnail.jpg", "medium", "original"].map(|name| format!("/v1/media/{file}/{name}")),
            );
            all.extend([
                format!("/v1/files/{file}"),
                format!("/v1/uploads/{upload}"),
                format!("/v1/entities/item/{}/item-photo", self.entity()),
            ]);
        }
        if has_job {
            all.push(format!("/v1/migrations/{}", self.job()));
        }
        all
    }

    /// The names in the subject, each with the word that replaces it for comparison.
    pub fn names(&self) -> Vec<(String, &'static str)> {
        let digest = |bytes: Vec<u8>| Digest::of(&bytes).to_string();
        let hex = |media: MediaHash| media.to_string().replace("sha256:", "");
        vec![
            (self.hex(), "<file>"),
            (hex(self.another()), "<another file>"),
            (hex(self.third()), "<third file>"),
            (digest(self.bytes()), "<its bytes>"),
            (digest(self.forged()), "<forged bytes>"),
            (digest(self.bytes_alone()), "<its bytes alone>"),
            (digest(self.forged_alone()), "<forged bytes alone>"),
            (self.manifest().to_string(), "<manifest>"),
            (self.alone().to_string(), "<manifest alone>"),
            (self.proof().to_string(), "<proof>"),
            (ProofId::derive(&Tenant::default(), &self.media()).to_string(), "<proof of the tenant default>"),
            (self.own(&self.media()).to_string(), "<own proof>"),
            (self.own(&self.another()).to_string(), "<own proof of another file>"),
            (self.own(&self.third()).to_string(), "<own proof of a third file>"),
            (self.legacy(), "<legacy id>"),
            (self.free(), "<free id>"),
            (self.job(), "<job>"),
            (self.file(), "<file id>"),
            (self.upload(), "<upload>"),
            (self.entity(), "<entity>"),
        ]
    }

    /// Text that no answer may contain unless its request did.
    pub fn secrets(&self) -> Vec<String> {
        let names = ["tag", "signature", "filename"].map(|of| self.name(of));
        let ids = [self.proof().to_string(), self.legacy(), self.job(), self.file(), self.upload()];
        [&ids[..], &names[..]].concat()
    }
}
