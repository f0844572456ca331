//! The service as a caller imagines it: acts happen at once, one after the other.
//!
//! An act that was not acknowledged may have happened or not. What is known of a world is therefore a *set* of models;
//! each acknowledged act leaves those that agree with its outcome.

use std::collections::{BTreeMap, BTreeSet};

use super::act::{Act, File, Outcome, What};

/// One proof's history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// Number of times that it began to live.
    pub lives: u32,
    /// The revisions of its present life; none, if it is deleted.
    pub revisions: Vec<What>,
    /// Number of them, from the first one on, that were stored over after they had expired: they are kept, and not
    /// served.
    hidden: usize,
    /// `true` if its time is over.
    pub expired: bool,
    /// `true` if its time has been over for days.
    pub over: bool,
    short: bool,
}

/// The place of a record in a proof's history: what an `If-Match` stands for.
pub type Place = (u32, usize);

/// Everything that is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    pub proofs: BTreeMap<File, Proof>,
    pub standalone: BTreeSet<&'static str>,
    /// The file to whose proof each legacy id leads.
    pub aliases: BTreeMap<&'static str, File>,
    /// Stores that failed, and may have left a record that whoever meets it takes up.
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

    /// Stores over what has expired.
    fn revive(&mut self, what: What, short: bool) {
        self.hidden = self.revisions.len();
        self.revisions.push(what);
        (self.expired, self.over, self.short) = (false, false, short);
    }

    fn is_served(&self) -> bool {
        !self.revisions.is_empty() && !self.expired
    }

    /// Returns what is served: the current manifest, and those before it.
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

    /// Returns `true` if a manifest is there.
    pub fn has_manifest(&self, name: &'static str) -> bool {
        self.standalone.contains(name) || self.holds(name)
    }

    fn holds(&self, name: &'static str) -> bool {
        self.proofs.values().any(|proof| proof.revisions.contains(&What::C2pa(name)))
    }

    /// Some time goes by: longer than any short life.
    pub fn wait(&mut self) {
        for proof in self.proofs.values_mut() {
            proof.expired |= proof.short && !proof.revisions.is_empty();
        }
    }

    /// More time goes by than an expired proof is kept.
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
                // The same replacement again is answered as the first.
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

    /// `gone`: the life of a deleted proof that may be followed by another one.
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

    /// This model, and those in which somebody took up records that failed stores left behind.
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

    /// A take-over that was refused after it wrote: another one got its id meanwhile (409), or its proof was deleted before
    /// it was done (410), which has to follow.
    fn overtaken(&self, act: &Act, outcome: Outcome) -> Option<Self> {
        let (Act::TakeOver(file, what, _) | Act::Restore(file, what, _)) = act else { return None };
        let mut model = self.clone();
        let done = model.apply(&Act::Store(file, *what), None) == Outcome::Done(Some(true));
        (done && matches!(outcome, Outcome::Refused(409 | 410))).then_some(model)
    }

    /// Returns what a failed act may have come to: nothing, all (`done`), or of a batch any part.
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
            // The proof comes first, and its alias last.
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

/// The knowledge of a world: it is as one of these.
#[derive(Debug, Clone)]
pub struct Known(pub Vec<Model>);

impl Known {
    pub fn nothing() -> Self {
        Self(vec![Model::default()])
    }

    /// After an act with this outcome. `None`: no model agrees with it.
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

    /// The same of an act that others ran beside. What is refused as deleted has to be deleted by one of them: see
    /// [`Self::without_what_is_said_to_be_deleted`].
    pub fn after_beside_others(&self, act: &Act, place: Option<Place>, outcome: Outcome) -> Option<Self> {
        let mut models = self.after(act, place, outcome).map_or_else(Vec::new, |known| known.0);
        models.extend(self.0.iter().filter_map(|model| model.overtaken(act, outcome)));
        (!models.is_empty()).then_some(Self(models))
    }

    /// Only those models in which what a take-over was refused for is so.
    pub fn without_what_is_said_to_be_deleted(mut self, acts: &[(&Act, Outcome)]) -> Option<Self> {
        for (act, outcome) in acts {
            if let (Act::TakeOver(file, ..) | Act::Restore(file, ..), Outcome::Refused(410)) = (act, outcome)
            {
                let is_gone = |model: &Model| model.proofs.get(file).is_none_or(|proof| !proof.is_served());
                let other = |act: &Act| matches!(act, Act::Restore(..) | Act::Store(..));
                // Another one of the acts may have stored it anew.
                if !acts.iter().any(|(beside, _)| beside != act && other(beside)) {
                    self.0.retain(is_gone);
                }
            }
        }
        (!self.0.is_empty()).then_some(self)
    }

    /// After either order of two acts that ran side by side.
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

    /// Somebody may have taken up what failed stores left behind.
    pub fn look_around(&mut self) {
        self.0 = self.0.iter().flat_map(Model::with_half_stores).collect();
        self.0.dedup();
    }
}
