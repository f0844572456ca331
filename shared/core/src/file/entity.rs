//! The entities of an application that files are attached to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::CollectionName;
use crate::bounds::{MAX_ENTITY_ID_BYTES, MAX_ENTITY_TYPE_BYTES};
use crate::hash::serde_as_text;

/// The type of an entity, such as `item` or `user`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "The type of an entity, such as `item`.", pattern = "^[a-z][a-z0-9_-]{0,39}$"))]
pub struct EntityType(String);

/// The ID that the application gave an entity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "The id that the application gave an entity.", pattern = "^[A-Za-z0-9][A-Za-z0-9._~:-]{0,127}$"))]
pub struct EntityId(String);

/// An entity of the application, written `{type}/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EntityRef {
    /// The type.
    #[serde(rename = "type")]
    pub kind: EntityType,
    /// The ID.
    pub id: EntityId,
}

/// The place of an ordered list of files: an entity and a collection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListPlace {
    /// The entity.
    pub entity: EntityRef,
    /// The collection.
    pub collection: CollectionName,
}

/// A reason why text does not name an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntityError {
    /// The type is malformed.
    #[error(
        "the type of an entity is 1 to {MAX_ENTITY_TYPE_BYTES} characters of a-z, 0-9, `-` and `_`, and starts with a \
         letter"
    )]
    Type,
    /// The ID is malformed.
    #[error(
        "the id of an entity is 1 to {MAX_ENTITY_ID_BYTES} letters, digits, `-`, `.`, `_`, `~` and `:`, and starts \
         with a letter or a digit"
    )]
    Id,
    /// There is no slash between type and ID.
    #[error("an entity is written `TYPE/ID`, such as `item/4711`")]
    Form,
}

impl FromStr for EntityType {
    type Err = EntityError;

    fn from_str(text: &str) -> Result<Self, EntityError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        let fits = first && text.len() <= MAX_ENTITY_TYPE_BYTES && text.bytes().all(allowed);
        fits.then(|| Self(text.to_owned())).ok_or(EntityError::Type)
    }
}

impl FromStr for EntityId {
    type Err = EntityError;

    fn from_str(text: &str) -> Result<Self, EntityError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let fits = first && text.len() <= MAX_ENTITY_ID_BYTES && text.bytes().all(allowed);
        fits.then(|| Self(text.to_owned())).ok_or(EntityError::Id)
    }
}

impl FromStr for EntityRef {
    type Err = EntityError;

    fn from_str(text: &str) -> Result<Self, EntityError> {
        let (kind, id) = text.split_once('/').ok_or(EntityError::Form)?;
        Ok(Self { kind: kind.parse()?, id: id.parse()? })
    }
}

impl fmt::Display for EntityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

impl fmt::Display for ListPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.entity, self.collection)
    }
}

serde_as_text!(EntityType, EntityId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_has_a_type_and_an_id() {
        let entity: EntityRef = "item/4711".parse().unwrap();
        assert_eq!(entity.to_string(), "item/4711");
        let text = serde_json::to_string(&entity).unwrap();
        assert_eq!(text, r#"{"type":"item","id":"4711"}"#);
        assert_eq!(serde_json::from_str::<EntityRef>(&text).unwrap(), entity);
        assert!(serde_json::from_str::<EntityRef>(r#"{"type":"item","id":"1","x":1}"#).is_err());
        for (bad, error) in [
            ("item", EntityError::Form),
            ("", EntityError::Form),
            ("/1", EntityError::Type),
            ("Item/1", EntityError::Type),
            ("it#em/1", EntityError::Type),
            ("item/", EntityError::Id),
            ("item/.", EntityError::Id),
            ("item/a/b", EntityError::Id),
            ("item/a#b", EntityError::Id),
            ("item/ä", EntityError::Id),
            (&*format!("item/{}", "x".repeat(129)), EntityError::Id),
            (&*format!("{}/1", "x".repeat(41)), EntityError::Type),
        ] {
            assert_eq!(bad.parse::<EntityRef>(), Err(error), "{bad}");
        }
        assert!(format!("{}/{}", "x".repeat(40), "x".repeat(128)).parse::<EntityRef>().is_ok());
    }
}
