//! The reasons why a row makes no item, and why an item is no row.

use super::super::table::MAX_ITEM_BYTES;

/// An error of a row or of an item.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ItemError {
    /// The row is larger than any item.
    #[error("the row {row} takes {size} bytes; an item has {MAX_ITEM_BYTES}")]
    TooLarge {
        /// The key of the row.
        row: String,
        /// The bytes of its attributes.
        size: usize,
    },
    /// The row is no JSON object.
    #[error("the row {0} makes no JSON object")]
    NoObject(String),
    /// A list holds what is no text.
    #[error("{name} holds {value}")]
    Listed {
        /// The member.
        name: String,
        /// The value in its list.
        value: serde_json::Value,
    },
    /// A member is of a type that items have no attribute for.
    #[error("{name} is {value}")]
    Member {
        /// The member.
        name: String,
        /// Its value.
        value: serde_json::Value,
    },
    /// The item has no key.
    #[error("an item without a key")]
    NoKey,
    /// The item is no row of this format.
    #[error("the item {key}: {damage}")]
    Damaged {
        /// The key of the item.
        key: String,
        /// What is wrong with it.
        damage: Damage,
    },
}

/// The damage of an item.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    /// Another version of the format.
    #[error("its format is {found}; this program reads {read}")]
    Format {
        /// The version of the item.
        found: u64,
        /// The version of this program.
        read: u64,
    },
    /// No version.
    #[error("it has no format")]
    NoFormat,
    /// An attribute of a type that no member has.
    #[error("{0} has a type that no member has")]
    Type(String),
    /// An attribute that is no number.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// The members make no row.
    #[error(transparent)]
    Row(#[from] serde_json::Error),
    /// The members are those of another row.
    #[error("it holds the row {0}")]
    OtherRow(String),
}

/// An attribute that is no whole number.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NumberError {
    /// It is of another type.
    #[error("a number was expected")]
    Type,
    /// It is negative, a fraction or too large.
    #[error("`{0}` is no count")]
    NoCount(String),
}
