//! The rule of searches: the files that a caller may look through.
//!
//! | asked for | by a caller with `media:admin` | by another caller |
//! |---|---|---|
//! | an entity | the lists of the entity | the same, of which each file has its readers |
//! | an owner | the files of the owner | the same for its own subject, and otherwise 403 |
//! | a collection, or nothing | the files of the tenant | its own files |
//!
//! A collection may be asked for together with an entity or an owner, and an owner together with an entity. A caller
//! that may not look through the files of an owner may not ask which files of an entity are that owner's either: the owner
//! of a public file is nobody else's business.

use crate::access::{Caller, Scope};
use crate::file::{CollectionName, EntityRef, OwnerId};
use crate::http::problem::Problem;

/// The files that are looked through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSearch {
    /// The lists of an entity, or the one in a collection.
    Entity {
        /// The entity.
        entity: EntityRef,
        /// The collection, or `None` for the lists in all collections.
        collection: Option<CollectionName>,
        /// The owner whose files are shown, or `None` for the files of all owners.
        owner: Option<OwnerId>,
    },
    /// The files of an owner.
    Owner {
        /// The owner.
        owner: OwnerId,
        /// The collection whose files are shown, or `None` for the files of all collections.
        collection: Option<CollectionName>,
    },
    /// The files of a collection.
    Collection(CollectionName),
    /// All files of the tenant.
    Tenant,
}

impl FileSearch {
    /// Returns what is looked through for a caller with the scope `media:write`.
    ///
    /// # Errors
    /// 403 for the files of another owner, and 400 if the credential names no subject whose files it could be.
    pub fn of(
        caller: &Caller,
        entity: Option<EntityRef>,
        owner: Option<OwnerId>,
        collection: Option<CollectionName>,
    ) -> Result<Self, Problem> {
        let is_admin = caller.may(Scope::MediaAdmin);
        if owner.is_some() && !is_admin && owner != caller.subject {
            return Err(Problem::insufficient_scope(Scope::MediaAdmin).at("owner"));
        }
        if let Some(entity) = entity {
            return Ok(Self::Entity { entity, collection, owner });
        }
        match (owner, &caller.subject) {
            (Some(owner), _) => Ok(Self::Owner { owner, collection }),
            (None, _) if is_admin => Ok(collection.map_or(Self::Tenant, Self::Collection)),
            (None, Some(subject)) => Ok(Self::Owner { owner: subject.clone(), collection }),
            (None, None) => Err(Problem::field(
                "owner",
                "it is missing, and the credential names no subject that could be an owner (its claim `sub` would be 1 to \
                 255 visible ASCII characters, without spaces): only callers with the scope `media:admin` look through \
                 the files of all owners",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::problem::ProblemKind;

    #[test]
    fn every_search_of_every_caller() {
        let caller = |subject: Option<&str>, scope| Caller {
            scopes: BTreeSet::from([scope]),
            authenticated: true,
            subject: subject.map(|subject| subject.parse().unwrap()),
            ..Caller::anonymous()
        };
        let (anna, nobody) = (caller(Some("anna"), Scope::MediaWrite), caller(None, Scope::MediaWrite));
        let admins =
            [caller(Some("backend"), Scope::MediaAdmin), caller(None, Scope::MediaAdmin), Caller::trusted()];
        let entity = || Some("item/1".parse::<EntityRef>().unwrap());
        let owner = |name: &str| Some(name.parse::<OwnerId>().unwrap());
        let collection = || Some("temp".parse::<CollectionName>().unwrap());
        let of =
            |owner: &str, collection| Ok(FileSearch::Owner { owner: owner.parse().unwrap(), collection });
        for who in [&anna, &nobody, &admins[0], &admins[1], &admins[2]] {
            for (owner, collection) in
                [(None, None), (None, collection()), (owner("bert"), None), (owner("bert"), collection())]
            {
                if owner.is_some() && !who.may(Scope::MediaAdmin) {
                    let refused = FileSearch::of(who, entity(), owner, collection).unwrap_err();
                    assert_eq!(refused.kind, ProblemKind::InsufficientScope);
                    continue;
                }
                let expected = FileSearch::Entity {
                    entity: entity().unwrap(),
                    collection: collection.clone(),
                    owner: owner.clone(),
                };
                assert_eq!(FileSearch::of(who, entity(), owner, collection), Ok(expected));
            }
        }
        let of_entity =
            FileSearch::Entity { entity: entity().unwrap(), collection: None, owner: owner("anna") };
        assert_eq!(FileSearch::of(&anna, entity(), owner("anna"), None), Ok(of_entity));
        assert_eq!(FileSearch::of(&anna, None, owner("anna"), collection()), of("anna", collection()));
        assert_eq!(FileSearch::of(&anna, None, None, collection()), of("anna", collection()));
        assert_eq!(FileSearch::of(&anna, None, None, None), of("anna", None));
        for who in [&anna, &nobody] {
            let refused = FileSearch::of(who, None, owner("bert"), None).unwrap_err();
            assert_eq!(
                (refused.kind, refused.field.as_deref()),
                (ProblemKind::InsufficientScope, Some("owner"))
            );
        }
        let unsaid = FileSearch::of(&nobody, None, None, collection()).unwrap_err();
        assert_eq!((unsaid.kind, unsaid.field.as_deref()), (ProblemKind::InvalidField, Some("owner")));
        for admin in &admins {
            assert_eq!(FileSearch::of(admin, None, owner("bert"), None), of("bert", None));
            assert_eq!(
                FileSearch::of(admin, None, None, collection()),
                Ok(FileSearch::Collection(collection().unwrap()))
            );
            assert_eq!(FileSearch::of(admin, None, None, None), Ok(FileSearch::Tenant));
        }
    }
}
