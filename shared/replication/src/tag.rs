//! The tag of an object that two providers hold: the provider from which it was read, the tag that it has there, and
//! the identity of the object.
//!
//! A condition names a tag of one provider. At the other provider, the same object has another tag, and is recognised
//! by its identity: digest, generation, and whether it is a tombstone.

use credlink_core::object::{Attributes, Facts, Head, StoredTag};
use credlink_core::replica::Replica;

/// A tag, split into its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    /// The provider from which the object was read.
    pub(crate) read: Replica,
    /// The provider's own tag.
    pub(crate) own: StoredTag,
    /// The identity of the object; empty for an object that CredLink did not write.
    identity: String,
}

impl Tag {
    pub(crate) fn new(read: Replica, own: StoredTag, attributes: &Attributes) -> Self {
        Self { read, own, identity: identity(attributes) }
    }

    /// Returns the tag as callers of this adapter see it.
    pub(crate) fn text(&self) -> StoredTag {
        StoredTag(format!("{}:{}:{}", letter(self.read), self.identity, self.own.0))
    }

    /// Reads a tag, or returns `None` if this adapter did not make it. Such a tag matches nothing.
    pub(crate) fn read(text: &StoredTag) -> Option<Self> {
        let (read, rest) = text.0.split_once(':')?;
        let (identity, own) = rest.split_once(':')?;
        let read = [Replica::Primary, Replica::Fallback].into_iter().find(|side| letter(*side) == read)?;
        Some(Self { read, own: StoredTag(own.to_owned()), identity: identity.to_owned() })
    }

    /// Returns `true` if `head`, from the other provider, belongs to the same object. Foreign objects can be compared
    /// only by their tags: both providers use the MD5 as the tag of an object that was written in one request.
    pub(crate) fn is_of(&self, head: &Head) -> bool {
        if self.identity.is_empty() {
            return self.own == head.tag;
        }
        self.identity == identity(&head.attributes)
    }
}

/// Returns `true` if the two heads belong to the same object.
pub(crate) fn same(one: &Head, other: &Head) -> bool {
    let (first, second) = (identity(&one.attributes), identity(&other.attributes));
    if first.is_empty() { one.tag == other.tag } else { first == second }
}

const fn letter(replica: Replica) -> &'static str {
    match replica {
        Replica::Primary => "p",
        Replica::Fallback => "f",
    }
}

/// Returns the identity of an object, which has no colon.
pub(crate) fn identity(attributes: &Attributes) -> String {
    Facts::read(attributes).map_or_else(|_| String::new(), |facts| identity_of(&facts))
}

/// Returns the identity of an object that was read.
pub(crate) fn identity_of(facts: &Facts) -> String {
    let kind = if facts.tombstone { "tombstone" } else { "object" };
    format!("{}.{}.{kind}", facts.sha256.to_string().replace(':', "-"), facts.generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_reads_back() {
        for own in ["\"abc\"", "a:b", ""] {
            let tag = Tag::new(Replica::Fallback, StoredTag(own.to_owned()), &Attributes::default());
            assert_eq!(Tag::read(&tag.text()), Some(tag));
        }
        for foreign in ["", "x", "x:y:z", "no tag of this provider"] {
            assert_eq!(Tag::read(&StoredTag(foreign.to_owned())), None);
        }
    }
}
