//! The output about a file that was sent.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::client::Upload;
use crate::commands::files::look;
use crate::error::{Trouble, TroubleKind};

/// A file that was sent.
pub(super) struct Told {
    /// The file on this machine, as it was typed.
    pub(super) file: PathBuf,
    /// The URL of the server.
    pub(super) server: String,
    /// The upload.
    pub(super) upload: Upload,
    /// The record of the file that came of it, if it could be read.
    pub(super) record: Option<Value>,
}

impl Told {
    /// Returns the result for a person.
    pub(super) fn words(&self) -> Vec<String> {
        let Upload { id, state, file, .. } = &self.upload;
        let mut lines = vec![format!("{}: {state}", self.file.display())];
        match file {
            Some(file) => {
                lines.push(format!("  id         {file}"));
                lines.extend(self.record.iter().flat_map(look::summary));
                lines.push(format!("  record     {}/v1/files/{file}", self.server));
            }
            None => {
                lines.push(format!("  upload     {id}"));
                lines.push(format!("  state      `credlink files status {id}` says what becomes of it"));
            }
        }
        lines
    }

    /// Returns the result for a program.
    pub(super) fn json(&self) -> Value {
        let Upload { id, state, file, .. } = &self.upload;
        let mut result = json!({ "file": self.file.display().to_string(), "upload": id, "state": state });
        if let Some(file) = file {
            result["id"] = json!(file);
            result["url"] = json!(format!("{}/v1/files/{file}", self.server));
        }
        if let Some(record) = &self.record {
            result["record"] = record.clone();
        }
        result
    }
}

/// Returns the problem of a file that was rejected.
pub(super) fn rejected(upload: &Upload) -> Trouble {
    let reason = upload.reason.as_deref().unwrap_or("no reason");
    let detail = upload.detail.as_deref().unwrap_or("the server does not say why");
    Trouble::new(TroubleKind::Rejected, format!("{detail} ({reason})"))
        .with_member("reason", reason)
        .with_member("upload", upload.id.to_string())
}
