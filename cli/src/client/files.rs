//! The part of the API that is about uploads, files and lists.

use std::collections::BTreeMap;

use ::http::Method;
use bytes::Bytes;
use credlink_client::Unread;
use credlink_core::file::{
    Access, CollectionName, EntityRef, FileId, FocalPoint, ListPlace, MediaName, MediaPath, OwnerId,
    ProfileName, UploadId,
};
use credlink_core::hash::MediaHash;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::failed::Failed;
use super::http::Http;
use super::{Answer, Client, Question, Transport};
use crate::error::{Named, Trouble, TroubleKind};

/// The longest problem document that is read in place of a file, in bytes.
const MAX_PROBLEM_BYTES: u64 = 65_536;

/// The body of a request that announces an upload.
#[derive(Clone, Debug, Serialize)]
pub struct Announcement {
    /// The collection.
    pub collection: CollectionName,
    /// The media type of the file.
    #[serde(rename = "type")]
    pub media_type: String,
    /// The number of bytes.
    pub size: u64,
    /// The SHA-256 of the bytes.
    pub sha256: MediaHash,
    /// The name of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// The entity into whose list the file is put.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityRef>,
    /// The place in that list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// The owner of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerId>,
    /// The readers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// The point that a crop keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub focal: Option<FocalPoint>,
}

/// An upload, as the server describes it.
#[derive(Clone, Debug, Deserialize)]
pub struct Upload {
    /// The ID.
    pub id: UploadId,
    /// The state: `pending`, `uploading`, `received`, `scanning`, `processing`, `ready`, `rejected` or `expired`.
    pub state: String,
    /// The number of bytes that were announced.
    pub size: u64,
    /// The number of bytes that have arrived.
    #[serde(default)]
    pub bytes: u64,
    /// The size of every part but the last, or `None` if all bytes are sent at once.
    pub part_size: Option<u64>,
    /// The numbers of the parts that have arrived.
    #[serde(default)]
    pub arrived: Vec<u32>,
    /// The address of all bytes.
    pub put: Option<Address>,
    /// The file that came of the upload.
    pub file: Option<FileId>,
    /// The reason for which it was rejected.
    pub reason: Option<String>,
    /// The reason, in words for people.
    pub detail: Option<String>,
}

/// An address to which bytes are sent, and the headers that have to be sent with them.
#[derive(Clone, Debug, Deserialize)]
pub struct Address {
    /// The URL.
    pub url: String,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The number of the part.
    pub number: Option<u32>,
}

/// The addresses of parts.
#[derive(Debug, Deserialize)]
struct Addresses {
    parts: Vec<Address>,
}

/// A page of files.
#[derive(Debug, Deserialize)]
pub struct FilePage {
    /// The files, as the server describes them.
    pub files: Vec<Value>,
    /// The cursor of the next page.
    #[serde(default)]
    pub next: Option<String>,
}

impl Client {
    /// Returns the server. Files are on servers only.
    fn http(&self) -> Result<&Http, Trouble> {
        match &self.transport {
            Transport::Http(http) => Ok(http),
            Transport::Folder(_) => {
                Err(Trouble::new(TroubleKind::Usage, "files are on a server, which --url names"))
            }
        }
    }

    /// Returns the URL of the server, without a `/` at its end, and `true` if it is reached over TLS.
    pub fn server(&self) -> Result<(&str, bool), Trouble> {
        self.http().map(|http| (http.base(), http.is_encrypted()))
    }

    fn request(&self, method: Method, target: String, body: Option<&Value>) -> Result<Answer, Failed> {
        self.request_if(method, target, body, None)
    }

    fn request_if(
        &self,
        method: Method,
        target: String,
        body: Option<&Value>,
        if_match: Option<&str>,
    ) -> Result<Answer, Failed> {
        let body = body.map(|body| Bytes::from(body.to_string()));
        self.http()?.attempt(Question { method, target, body }, if_match)
    }

    /// Announces an upload.
    pub fn announce(&self, announcement: &Announcement) -> Result<Upload, Failed> {
        let body = json!(announcement);
        Ok(self.request(Method::POST, "/v1/uploads".to_owned(), Some(&body))?.read()?)
    }

    /// Fetches the state of an upload.
    pub fn upload(&self, id: &UploadId) -> Result<Upload, Failed> {
        Ok(self.upload_document(id)?.read()?)
    }

    /// Fetches the document of an upload.
    pub fn upload_document(&self, id: &UploadId) -> Result<Answer, Failed> {
        self.request(Method::GET, format!("/v1/uploads/{id}"), None)
    }

    /// Asks for the addresses of parts of an upload.
    pub fn addresses(&self, id: &UploadId, numbers: &[u32]) -> Result<Vec<Address>, Failed> {
        let body = json!({ "numbers": numbers });
        let answer = self.request(Method::POST, format!("/v1/uploads/{id}/parts"), Some(&body))?;
        Ok(answer.read::<Addresses>()?.parts)
    }

    /// Says that all bytes of an upload were sent.
    pub fn complete(&self, id: &UploadId) -> Result<Upload, Failed> {
        Ok(self.request(Method::POST, format!("/v1/uploads/{id}/complete"), None)?.read()?)
    }

    /// Ends an upload.
    pub fn abort(&self, id: &UploadId) -> Result<(), Failed> {
        self.request(Method::DELETE, format!("/v1/uploads/{id}"), None).map(drop)
    }

    /// Fetches the record of a file.
    pub fn file(&self, id: &FileId) -> Result<Answer, Failed> {
        self.request(Method::GET, format!("/v1/files/{id}"), None)
    }

    /// Begins to fetch the bytes of a file or of a rendition.
    pub fn media(&self, id: &FileId, name: &MediaName) -> Result<Unread, Trouble> {
        let target = MediaPath { file: *id, name: name.clone() }.to_string();
        let answer = self.http()?.open_body(Question { method: Method::GET, target, body: None })?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body = answer.read(MAX_PROBLEM_BYTES).map(|answer| answer.body).unwrap_or_default();
        Err(Trouble::answered(status, &body, Named::Server))
    }

    /// Fetches a page of the files that `query` describes, by names and values.
    pub fn files(
        &self,
        query: &[(&str, String)],
        after: Option<&str>,
        limit: usize,
    ) -> Result<FilePage, Failed> {
        let mut target = format!("/v1/files?limit={limit}");
        let after = after.map(|after| ("after", after.to_owned()));
        for (name, value) in query.iter().cloned().chain(after) {
            target.push_str(&format!("&{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC)));
        }
        Ok(self.request(Method::GET, target, None)?.read()?)
    }

    /// Deletes a file.
    pub fn delete_file(&self, id: &FileId) -> Result<(), Failed> {
        self.request(Method::DELETE, format!("/v1/files/{id}"), None).map(drop)
    }

    /// Fetches a signed link to the bytes of a file.
    pub fn file_link(
        &self,
        id: &FileId,
        name: &MediaName,
        seconds: u64,
        is_download: bool,
    ) -> Result<Answer, Failed> {
        let download = if is_download { "&download=true" } else { "" };
        let target = format!("/v1/files/{id}/url?name={name}&expires_in={seconds}{download}");
        self.request(Method::GET, target, None)
    }

    /// Makes the renditions of a file anew: all, those that are missing, or those of one profile.
    pub fn render(
        &self,
        id: &FileId,
        is_only_missing: bool,
        profile: Option<&ProfileName>,
    ) -> Result<Answer, Failed> {
        let mut target = format!("/v1/files/{id}/renditions?only_missing={is_only_missing}");
        if let Some(profile) = profile {
            target.push_str(&format!("&profile={profile}"));
        }
        self.request(Method::POST, target, None)
    }

    /// Fetches the list of an entity. Its `ETag` is for [`put_list`](Self::put_list).
    pub fn entity_list(&self, place: &ListPlace) -> Result<Answer, Failed> {
        self.request(Method::GET, format!("/v1/entities/{place}"), None)
    }

    /// Makes one change to the list of an entity, and returns the list.
    pub fn change_list(&self, place: &ListPlace, change: &Value) -> Result<Answer, Failed> {
        self.request(Method::POST, format!("/v1/entities/{place}"), Some(change))
    }

    /// Makes the list of an entity exactly this, if it still has the `ETag` `tag`, and returns the list.
    pub fn put_list(&self, place: &ListPlace, files: &[FileId], tag: &str) -> Result<Answer, Failed> {
        let body = json!({ "files": files });
        self.request_if(Method::PUT, format!("/v1/entities/{place}"), Some(&body), Some(tag))
    }
}
