//! The service as a caller imagines it: acts happen at once, one after the other.
//!
//! An act that was not acknowledged may have taken effect or not. The knowledge of a world is therefore a *set* of
//! models, and each acknowledged act leaves those that agree with its outcome.

use std::collections::{BTreeMap, BTreeSet};

use super::act::{Act, File, Outcome, What};

/// The history of one proof.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// Number of lives that the proof has begun.
    pub lives: u32,
    /// The revisions of its present life, which is empty if the proof is deleted.
    pub revisions: Vec<What>,
    /// Number of revisions, from the first on, that were stored over after they had expired. They are kept but not
    /// served.
    hidden: usize,
    /// Set once its lifetime is over.
    pub expired: bool,
    /// Set once its lifetime has been over for days.
    pub over: bool,
    short: bool,
}

/// The place of a record in a proof's history, for which an `If-Match` stands.
pub type Place = (u32, usize);

/// Everything that is stored in a world.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    pub proofs: BTreeMap<File, Proof>,
    pub standalone: BTreeSet<&'static str>,
    /// The file to whose proof each legacy ID leads.
    pub aliases: BTreeMap<&'static str, File>,
    /// Stores that failed, and may have left a record that the next caller adopts.
    half: Vec<Half>,
}

/// A record without a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Half {
    file: File,
    what: What,
    short: bool,
}

impl Proof {
    fn begin(&mut self, what: What, short: bool) {
        *self = Self { lives: self.lives + 1, revisions: vec![what], short, ..Self::default() };
    }

    /// Stores over an expired proof.
    fn revive(&mut self, what: What, short: bool) {
        self.hidden = self.revisions.len();
        self.revisions.push(what);
        (self.expired, self.over, self.short) = (false, false, short);
    }

    fn is_served(&self) -> bool {
        !self.revisions.is_empty() && !self.expired
    }

    /// Returns the served manifests: the current one, and those before it.
    pub fn served(&self) -> Option<(What, &[What])> {
        let (current, earlier) = self.revisions.split_last()?;
        self.is_served().then(|| (*current, &earlier[self.hidden.min(earlier.len())..]))
    }
}

impl Model {
    /// The place of a file's current record.
    pub fn place(&self, file: File) -> Option<Place> {
        self.proofs.get(file).map(|proof| (proof.lives, proof.revisions.len()))
    }

    /// Returns `true` if anything was ever done to a file.
    pub fn has_heard_of(&self, file: File) -> bool {
        self.proofs.contains_key(file) || self.half.iter().any(|half| half.file == file)
    }

    /// Returns `true` if a manifest is present.
    pub fn has_manifest(&self, name: &'static str) -> bool {
        self.standalone.contains(name) || self.holds(name)
    }

    fn holds(&self, name: &'static str) -> bool {
        self.proofs.values().any(|proof| proof.revisions.contains(&What::C2pa(name)))
    }

    /// Lets more time pass than any short lifetime.
    pub fn wait(&mut self) {
        for proof in self.proofs.values_mut() {
            proof.expired |= proof.short && !proof.revisions.is_empty();
        }
    }

    /// Lets more time pass than an expired proof is kept.
    pub fn wait_days(&mut self) {
        self.wait();
        for proof in self.proofs.values_mut() {
            proof.over |= proof.expired;
        }
    }

    /// Does `act`, whose `If-Match` names the record at `place`.
    pub fn apply(&mut self, act: &Act, place: Option<Place>) -> Outcome {
        let now = act_place(act).and_then(|file| self.place(file));
        match act {
            Act::Store(file, what) | Act::StoreShortly(file, what) => {
                let proof = self.proofs.entry(file).or_default();
                if let Some((current, _)) = proof.served() {
                    return Outcome::Done(Some(current == *what));
                }
                let short = matches!(act, Act::StoreShortly(..));
                if proof.expired {
                    proof.revive(*what, short)
                } else {
                    proof.begin(*what, short)
                }
                self.half.retain(|half| half.file != *file);
                Outcome::Done(Some(true))
            }
            Act::TakeOver(file, what, id) => self.take_over(file, *what, id, None),
            Act::Restore(file, what, id) => self.take_over(file, *what, id, place),
            Act::Supersede(file, what) => match self.proofs.get_mut(file) {
                None => Outcome::Refused(404),
                Some(proof) if !proof.is_served() => Outcome::Refused(410),
                // The same replacement again gets the same answer as the first.
                Some(proof)
                    if now == place.map(|(life, count)| (life, count + 1))
                        && proof.revisions.last() == Some(what) =>
                {
                    Outcome::Done(Some(true))
                }
                Some(_) if now != place => Outcome::Refused(412),
                Some(proof) => {
                    proof.revisions.push(*what);
                    Outcome::Done(Some(true))
                }
            },
            Act::Delete(file) => {
                self.delete(file);
                Outcome::Done(None)
            }
            Act::Batch(files) => {
                files.iter().for_each(|file| self.delete(file));
                Outcome::Done(None)
            }
            Act::StoreManifest(name) => {
                self.standalone.insert(name);
                Outcome::Done(None)
            }
            Act::DeleteManifest(name) if self.holds(name) => Outcome::Refused(409),
            Act::DeleteManifest(name) => {
                self.standalone.remove(name);
                Outcome::Done(None)
            }
            Act::Cleanup => {
                let over: Vec<File> =
                    self.proofs.iter().filter(|(_, proof)| proof.over).map(|(file, _)| *file).collect();
                over.into_iter().for_each(|file| self.delete(file));
                Outcome::Done(None)
            }
        }
    }

    /// Imports a proof. `gone` is the life of a deleted proof that may be followed by another.
    fn take_over(&mut self, file: File, what: What, id: &'static str, gone: Option<Place>) -> Outcome {
        let is_live = |file| self.proofs.get(file).is_some_and(|proof| !proof.revisions.is_empty());
        if self.aliases.get(id).is_some_and(|named| *named != file && is_live(*named)) {
            return Outcome::Refused(409);
        }
        let place = self.place(file);
        let proof = self.proofs.entry(file).or_default();
        let identical = match proof.served() {
            Some((current, _)) => current == what,
            None if proof.lives > 0 && (proof.expired || place != gone) => return Outcome::Refused(410),
            None => {
                proof.begin(what, false);
                true
            }
        };
        if identical {
            self.aliases.insert(id, file);
        }
        Outcome::Done(Some(identical))
    }

    /// This model, and those in which a caller adopted records that failed stores left behind.
    pub fn with_half_stores(&self) -> Vec<Self> {
        let mut models = vec![self.clone()];
        for Half { file, what, short } in &self.half {
            for mut model in models.clone() {
                let act = if *short { Act::StoreShortly(file, *what) } else { Act::Store(file, *what) };
                model.apply(&act, None);
                models.push(model);
            }
        }
        models
    }

    /// An import that was refused after it had written: another import got its ID meanwhile (409), or its proof was
    /// deleted before it finished (410), which has to follow.
    fn overtaken(&self, act: &Act, outcome: Outcome) -> Option<Self> {
        let (Act::TakeOver(file, what, _) | Act::Restore(file, what, _)) = act else { return None };
        let mut model = self.clone();
        let done = model.apply(&Act::Store(file, *what), None) == Outcome::Done(Some(true));
        (done && matches!(outcome, Outcome::Refused(409 | 410))).then_some(model)
    }

    /// Returns the possible results of a failed act: nothing, everything (`done`), or any part of a batch.
    fn with_any_part_of(&self, act: &Act, done: Self) -> Vec<Self> {
        let mut nothing = self.clone();
        if let Act::Store(file, what)
        | Act::StoreShortly(file, what)
        | Act::TakeOver(file, what, _)
        | Act::Restore(file, what, _) = act
        {
            nothing.half.push(Half { file, what: *what, short: matches!(act, Act::StoreShortly(..)) });
        }
        if let Act::TakeOver(..) | Act::Restore(..) = act {
            // The proof is written first, and its alias last.
            let unnamed = Self { aliases: self.aliases.clone(), ..done.clone() };
            return vec![nothing, unnamed, done];
        }
        let Act::Batch(files) = act else { return vec![nothing, done] };
        let mut models = vec![nothing];
        for file in *files {
            for mut model in models.clone() {
                model.delete(file);
                models.push(model);
            }
        }
        models
    }

    fn delete(&mut self, file: File) {
        self.half.retain(|half| half.file != file);
        if let Some(proof) = self.proofs.get_mut(file) {
            *proof = Proof { lives: proof.lives, ..Proof::default() };
        }
    }
}

fn act_place(act: &Act) -> Option<File> {
    if let Act::Supersede(file, _) = act { Some(file) } else { None }
}

/// The knowledge of a world: it agrees with one of these models.
#[derive(Debug, Clone)]
pub struct Known(pub Vec<Model>);

impl Known {
    pub fn nothing() -> Self {
        Self(vec![Model::default()])
    }

    /// The knowledge after an act with this outcome, or `None` if no model agrees with it.
    pub fn after(&self, act: &Act, place: Option<Place>, outcome: Outcome) -> Option<Self> {
        let mut models = Vec::new();
        for model in self.0.iter().flat_map(Model::with_half_stores) {
            let mut done = model.clone();
            let expected = done.apply(act, place);
            match outcome {
                Outcome::Failed(_) => models.extend(model.with_any_part_of(act, done)),
                _ if outcome == expected => models.push(done),
                _ => {}
            }
        }
        models.dedup();
        (!models.is_empty()).then_some(Self(models))
    }

    /// Like [`after`](Self::after), for an act that ran concurrently with others. If it is refused as deleted, one of
    /// the others has to delete it: see [`Self::without_what_is_said_to_be_deleted`].
    pub fn after_beside_others(&self, act: &Act, place: Option<Place>, outcome: Outcome) -> Option<Self> {
        let mut models = self.after(act, place, outcome).map_or_else(Vec::new, |known| known.0);
        models.extend(self.0.iter().filter_map(|model| model.overtaken(act, outcome)));
        (!models.is_empty()).then_some(Self(models))
    }

    /// Keeps only the models in which the reason for refusing an import is true.
    pub fn without_what_is_said_to_be_deleted(mut self, acts: &[(&Act, Outcome)]) -> Option<Self> {
        for (act, outcome) in acts {
            if let (Act::TakeOver(file, ..) | Act::Restore(file, ..), Outcome::Refused(410)) = (act, outcome)
            {
                let is_gone = |model: &Model| model.proofs.get(file).is_none_or(|proof| !proof.is_served());
                let other = |act: &Act| matches!(act, Act::Restore(..) | Act::Store(..));
                // Another of the acts may have stored it again.
                if !acts.iter().any(|(beside, _)| beside != act && other(beside)) {
                    self.0.retain(is_gone);
                }
            }
        }
        (!self.0.is_empty()).then_some(self)
    }

    /// The knowledge after two concurrent acts, in either order.
    pub fn after_both(&self, acts: [(&Act, Option<Place>, Outcome); 2]) -> Option<Self> {
        let [first, second] = acts;
        let mut models = Vec::new();
        for [a, b] in [[first, second], [second, first]] {
            let known = self.after_beside_others(a.0, a.1, a.2);
            let known = known.and_then(|known| known.after_beside_others(b.0, b.1, b.2));
            let known =
                known.and_then(|known| known.without_what_is_said_to_be_deleted(&[(a.0, a.2), (b.0, b.2)]));
            models.extend(known.into_iter().flat_map(|known| known.0));
        }
        (!models.is_empty()).then_some(Self(models))
    }

    pub fn wait(&mut self) {
        self.0.iter_mut().for_each(Model::wait);
    }

    pub fn wait_days(&mut self) {
        self.0.iter_mut().for_each(Model::wait_days);
    }

    /// Allows for callers that have adopted the records of failed stores.
    pub fn look_around(&mut self) {
        self.0 = self.0.iter().flat_map(Model::with_half_stores).collect();
        self.0.dedup();
    }
}
