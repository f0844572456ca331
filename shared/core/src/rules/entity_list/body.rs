//! The bodies of changes to lists.

use serde::Deserialize;

use super::ListChange;
use crate::bounds::{MAX_JSON_DEPTH, MAX_LIST};
use crate::file::{FileId, FileList};
use crate::http::problem::Problem;
use crate::rules::body::{json, whole};

/// The body of `PUT /v1/entities/{type}/{id}/{collection}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListBody {
    /// The files in order: up to 1,000, each once.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<FileId>, max_items = 1000))]
    files: FileList,
}

/// The body of `PUT /v1/entities/{type}/{id}/{collection}/only`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OnlyBody {
    /// The file.
    file: FileId,
}

/// The body of `POST /v1/entities/{type}/{id}/{collection}`: one of `attach`, `detach` and `replace`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeBody {
    /// The file that comes into the list, or is moved there.
    attach: Option<FileId>,
    /// The place of the attached file, from 0. At the end by default.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>))]
    position: Option<serde_json::Number>,
    /// The file that leaves the list.
    detach: Option<FileId>,
    /// A file that leaves the list, and the one that takes its place.
    replace: Option<ReplaceBody>,
}

/// Two files, of which one takes the place of the other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplaceBody {
    /// The file that leaves.
    old: FileId,
    /// The file that takes its place.
    new: FileId,
}

impl ListChange {
    /// Reads the body of `PUT` of a list.
    ///
    /// # Errors
    /// 400, with what is wrong.
    pub fn parse_list(body: &[u8]) -> Result<Self, Problem> {
        json::<ListBody>(body, MAX_JSON_DEPTH).map(|body| Self::Put(body.files))
    }

    /// Reads the body of `PUT` of the only file of a list.
    ///
    /// # Errors
    /// 400, with what is wrong.
    pub fn parse_only(body: &[u8]) -> Result<Self, Problem> {
        json::<OnlyBody>(body, MAX_JSON_DEPTH).map(|body| Self::Only(body.file))
    }

    /// Reads the body of `POST` to a list.
    ///
    /// # Errors
    /// 400, with what is wrong.
    pub fn parse_change(body: &[u8]) -> Result<Self, Problem> {
        let body: ChangeBody = json(body, MAX_JSON_DEPTH)?;
        if body.position.is_some() && body.attach.is_none() {
            return Err(Problem::field(
                "position",
                "it is the place of the file in `attach`, and none is given",
            ));
        }
        match (body.attach, body.detach, body.replace) {
            (Some(file), None, None) => Ok(Self::Attach(file, body.position.map(position).transpose()?)),
            (None, Some(file), None) => Ok(Self::Detach(file)),
            (None, None, Some(ReplaceBody { old, new })) => Ok(Self::Replace { old, new }),
            _ => Err(Problem::field("attach", "give one of `attach`, `detach` and `replace`")),
        }
    }
}

fn position(number: serde_json::Number) -> Result<u32, Problem> {
    let last = MAX_LIST - 1;
    let position = whole(&number).filter(|position| *position <= last as u64);
    position
        .and_then(|position| u32::try_from(position).ok())
        .ok_or_else(|| Problem::field("position", format!("a whole number from 0 to {last}, not {number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_become_changes() {
        let (a, b) = (FileId::from_random([1; 20]), FileId::from_random([2; 20]));
        let list = format!(r#"{{"files":["{b}","{a}"]}}"#);
        let expected = ListChange::Put(FileList::new(vec![b, a]).unwrap());
        assert_eq!(ListChange::parse_list(list.as_bytes()), Ok(expected));
        assert_eq!(
            ListChange::parse_only(format!(r#"{{"file":"{a}"}}"#).as_bytes()),
            Ok(ListChange::Only(a))
        );
        for (body, expected) in [
            (format!(r#"{{"attach":"{a}"}}"#), ListChange::Attach(a, None)),
            (format!(r#"{{"attach":"{a}","position":2.0}}"#), ListChange::Attach(a, Some(2))),
            (format!(r#"{{"detach":"{a}"}}"#), ListChange::Detach(a)),
            (format!(r#"{{"replace":{{"old":"{a}","new":"{b}"}}}}"#), ListChange::Replace { old: a, new: b }),
        ] {
            assert_eq!(ListChange::parse_change(body.as_bytes()), Ok(expected), "{body}");
        }
        for (body, field) in [
            ("{}".to_owned(), "attach"),
            (format!(r#"{{"attach":"{a}","detach":"{b}"}}"#), "attach"),
            (format!(r#"{{"attach":"{a}","position":1000}}"#), "position"),
            (format!(r#"{{"detach":"{a}","position":0}}"#), "position"),
            (r#"{"attach":"x"}"#.to_owned(), "attach"),
            (format!(r#"{{"move":"{a}"}}"#), "move"),
        ] {
            let problem = ListChange::parse_change(body.as_bytes()).unwrap_err();
            assert_eq!(
                (problem.kind.status().as_u16(), problem.field.as_deref()),
                (400, Some(field)),
                "{body}"
            );
        }
        for body in [format!(r#"{{"files":["{a}","{a}"]}}"#), format!(r#"["{a}"]"#), "{}".to_owned()] {
            assert!(ListChange::parse_list(body.as_bytes()).is_err(), "{body}");
        }
    }
}
