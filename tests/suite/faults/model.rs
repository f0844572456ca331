//! The service as a caller imagines it: acts happen at once, one after the other.
//!
//! An act that was not acknowledged may have happened or not. What is known of a world is therefore a *set* of models;
//! each acknowledged act leaves those that agree with its outcome.

use std::collections::{BTreeMap, BTreeSet};

use super::act::{Act, File, Outcome, What};

/// One proof's history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// How often it began to live.
    pub lives: u32,
    /// The revisions of its present life; none, if it is deleted.
    pub revisions: Vec<What>,
    /// Whether its time is over.
    pub expired: bool,
    short: bool,
}

/// The place of a record in a proof's history: what an `If-Match` stands for.
pub type Place = (u32, usize);

/// Everything that is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    pub proofs: BTreeMap<File, Proof>,
    pub standalone: BTreeSet<&'static str>,
    /// Stores that failed, and may have left a record that the next store takes up.
    half: Vec<(File, What)>,
}

impl Proof {
    fn begin(&mut self, what: What, short: bool) {
        *self = Self { lives: self.lives + 1, revisions: vec![what], expired: false, short };
    }

    fn is_served(&self) -> bool {
        !self.revisions.is_empty() && !self.expired
    }

    /// What is served: the current manifest, and those before it.
    pub fn served(&self) -> Option<(What, &[What])> {
        let (current, earlier) = self.revisions.split_last()?;
        self.is_served().then_some((*current, earlier))
    }
}

impl Model {
    /// The place of a file's current record.
    pub fn place(&self, file: File) -> Option<Place> {
        self.proofs.get(file).map(|proof| (proof.lives, proof.revisions.len()))
    }

    /// Whether a manifest is there.
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

    /// Does `act`, whose `If-Match` names the record at `place`.
    pub fn apply(&mut self, act: &Act, place: Option<Place>) -> Outcome {
        let now = act_place(act).and_then(|file| self.place(file));
        match act {
            Act::Store(file, what) | Act::StoreShortly(file, what) => {
                let proof = self.proofs.entry(file).or_default();
                if let Some((current, _)) = proof.served() {
                    return Outcome::Done(Some(current == *what));
                }
                proof.begin(*what, matches!(act, Act::StoreShortly(..)));
                Outcome::Done(Some(true))
            }
            Act::Supersede(file, what) => match self.proofs.get_mut(file) {
                None => Outcome::Refused(404),
                Some(proof) if !proof.is_served() => Outcome::Refused(410),
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
                let expired: Vec<File> =
                    self.proofs.iter().filter(|(_, proof)| proof.expired).map(|(file, _)| *file).collect();
                expired.into_iter().for_each(|file| self.delete(file));
                Outcome::Done(None)
            }
        }
    }

    /// This model, and for a store those in which it meets the record that a failed store left behind.
    fn with_half_stores_for(&self, act: &Act) -> Vec<Self> {
        let mut models = vec![self.clone()];
        let (Act::Store(file, _) | Act::StoreShortly(file, _)) = act else { return models };
        for (_, what) in self.half.iter().filter(|(half, _)| half == file) {
            let mut model = self.clone();
            model.apply(&Act::Store(file, *what), None);
            models.push(model);
        }
        models
    }

    /// What a failed act may have come to: nothing, all (`done`), or of a batch any part.
    fn with_any_part_of(&self, act: &Act, done: Self) -> Vec<Self> {
        let mut nothing = self.clone();
        if let Act::Store(file, what) | Act::StoreShortly(file, what) = act {
            nothing.half.push((file, *what));
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
        if let Some(proof) = self.proofs.get_mut(file) {
            proof.revisions.clear();
            proof.expired = false;
        }
    }
}

fn act_place(act: &Act) -> Option<File> {
    if let Act::Supersede(file, _) = act { Some(file) } else { None }
}

/// What is known of a world: it is as one of these.
#[derive(Debug, Clone)]
pub struct Known(pub Vec<Model>);

impl Known {
    pub fn nothing() -> Self {
        Self(vec![Model::default()])
    }

    /// After an act with this outcome. `None`: no model agrees with it.
    pub fn after(&self, act: &Act, place: Option<Place>, outcome: Outcome) -> Option<Self> {
        let mut models = Vec::new();
        for model in self.0.iter().flat_map(|model| model.with_half_stores_for(act)) {
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

    /// After either order of two acts that ran side by side.
    pub fn after_both(&self, acts: [(&Act, Option<Place>, Outcome); 2]) -> Option<Self> {
        let [first, second] = acts;
        let mut models = Vec::new();
        for [a, b] in [[first, second], [second, first]] {
            let known = self.after(a.0, a.1, a.2).and_then(|known| known.after(b.0, b.1, b.2));
            models.extend(known.into_iter().flat_map(|known| known.0));
        }
        (!models.is_empty()).then_some(Self(models))
    }

    pub fn wait(&mut self) {
        self.0.iter_mut().for_each(Model::wait);
    }
}
