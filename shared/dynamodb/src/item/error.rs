//! The reasons why a row cannot be made into an item, and why an item is not a row.

use crate::table::MAX_ITEM_BYTES;

/// An error in a row or in an item.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ItemError {
    /// The row is larger than an item may be.
    #[error("the row {row} takes {size} bytes; an item has {MAX_ITEM_BYTES}")]
    TooLarge {
        /// The key of the row.
        row: String,
        /// The size of the row's attributes, in bytes.
        size: usize,
    },
    /// The row is not a JSON object.
    #[error("the row {0} makes no JSON object")]
    NoObject(String),
    /// A list has a value that is not a text.
    #[error("{name} holds {value}")]
    Listed {
        /// The member.
        name: String,
        /// The value in its list.
        value: serde_json::Value,
    },
    /// A member has a type for which items have no attribute.
    #[error("{name} is {value}")]
    Member {
        /// The member.
        name: String,
        /// The member's value.
        value: serde_json::Value,
    },
    /// The item has no key.
    #[error("an item without a key")]
    NoKey,
    /// The item is not a row of this format.
    #[error("the item {key}: {damage}")]
    Damaged {
        /// The key of the item.
        key: String,
        /// The damage of the item.
        damage: Damage,
    },
}

/// The damage of an item.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    /// The item has another version of the format.
    #[error("its format is {found}; this program reads {read}")]
    Format {
        /// The version of the item.
        found: u64,
        /// The version that this program reads.
        read: u64,
    },
    /// The item has no version.
    #[error("it has no format")]
    NoFormat,
    /// An attribute has a type that no member has.
    #[error("{0} has a type that no member has")]
    Type(String),
    /// An attribute is not a number.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// The members do not make a row.
    #[error(transparent)]
    Row(#[from] serde_json::Error),
    /// The members belong to another row.
    #[error("it holds the row {0}")]
    OtherRow(String),
}

/// An attribute that is not a whole number.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NumberError {
    /// The attribute has another type.
    #[error("a number was expected")]
    Type,
    /// The number is negative, a fraction or too large.
    #[error("`{0}` is no count")]
    NoCount(String),
}
