//! The renditions of a picture: which ones are made, and which of the collection's profiles share one.

use std::collections::{BTreeMap, BTreeSet};

use crate::collection::{Collection, Encoding, Geometry};
use crate::file::{FileClass, FileType, FocalPoint, ProfileName, RenditionName};
use crate::http::problem::Problem;

/// A rendition that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The name.
    pub name: RenditionName,
    /// The part of the original, and the size.
    pub geometry: Geometry,
    /// The options of the encoder.
    pub encoding: Encoding,
}

/// The renditions of a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenditionPlan {
    /// The renditions, in the order of the profiles and their formats.
    pub made: Vec<Planned>,
    /// The profiles whose renditions would equal those of another profile, because the original is too small for either.
    pub same: BTreeMap<ProfileName, ProfileName>,
}

impl RenditionPlan {
    /// Returns the renditions of an upright picture with this size and type. No other file has any. Parts are cut around
    /// `focal` as exactly as [`Profile::cut_around`](crate::collection::Profile::cut_around) says.
    #[must_use]
    pub fn of(collection: &Collection, kind: FileType, width: u32, height: u32, focal: FocalPoint) -> Self {
        let mut plan = Self::default();
        if kind.class() != FileClass::Picture {
            return plan;
        }
        let mut known: BTreeMap<ProfileName, (Geometry, &[Encoding])> = BTreeMap::new();
        for profile in &collection.renditions {
            let focal = profile.cut_around(width, height, focal);
            let geometry = profile.geometry(width, height, focal);
            let made = (geometry, &*profile.formats);
            if let Some((same, _)) = known.iter().find(|(_, other)| **other == made) {
                plan.same.insert(profile.name.clone(), same.clone());
                continue;
            }
            known.insert(profile.name.clone(), made);
            for encoding in &profile.formats {
                let name = profile.rendition(encoding.format, focal);
                plan.made.push(Planned { name, geometry, encoding: *encoding });
            }
        }
        plan
    }

    /// Returns the renditions that are not among those that were made before, under the present versions of the profiles.
    pub fn missing<'a>(&'a self, made: &'a BTreeSet<RenditionName>) -> impl Iterator<Item = &'a Planned> {
        self.made.iter().filter(|planned| !made.contains(&planned.name))
    }

    /// Returns the part of the collection's rules by which a file is rendered again, or `None` if nothing is made:
    /// `only_missing`, and the file has everything. `profile` asks for the renditions of one profile. If other profiles
    /// share them, or did so before by `same`, those of all profiles are made, because what is shared may change.
    ///
    /// # Errors
    /// 400 if the collection has no such profile.
    pub fn again(
        &self,
        collection: &Collection,
        made: &BTreeSet<RenditionName>,
        same: &BTreeMap<ProfileName, ProfileName>,
        (only_missing, profile): (bool, Option<&ProfileName>),
    ) -> Result<Option<Collection>, Problem> {
        let names = || collection.renditions.iter().map(|profile| &profile.name);
        if let Some(profile) = profile.filter(|profile| !names().any(|name| name == *profile)) {
            let all: Vec<String> = names().map(|name| format!("`{name}`")).collect();
            let all = if all.is_empty() { "no profiles".to_owned() } else { all.join(", ") };
            let detail = format!("the file's collection has no profile `{profile}`; it has {all}");
            return Err(Problem::field("profile", detail));
        }
        let is_wanted =
            |name: &ProfileName| profile.is_none_or(|wanted| self.same.get(wanted).unwrap_or(wanted) == name);
        let is_missing = self.missing(made).any(|planned| is_wanted(&planned.name.profile));
        if only_missing && !is_missing && self.same == *same {
            return Ok(None);
        }
        let shares = |shared: &BTreeMap<ProfileName, ProfileName>, profile: &ProfileName| {
            shared.iter().any(|(one, other)| one == profile || other == profile)
        };
        Ok(Some(match profile {
            Some(alone) if !shares(&self.same, alone) && !shares(same, alone) => {
                let renditions = collection.renditions.iter().filter(|profile| profile.name == *alone);
                Collection { renditions: renditions.cloned().collect(), ..collection.clone() }
            }
            _ => collection.clone(),
        }))
    }
}

/// Judges the size of a picture by the bounds of the collection, from its header, before a pixel is decoded.
#[must_use]
pub fn fits(collection: &Collection, width: u32, height: u32, frames: u32) -> Fits {
    let pixels = u64::from(width) * u64::from(height);
    let all = pixels.saturating_mul(u64::from(frames));
    if pixels == 0 || pixels > collection.max_pixels {
        Fits::TooManyPixels
    } else if frames > 1 && collection.max_frames <= 1 {
        Fits::Animated
    } else if frames > collection.max_frames || frames > 1 && all > crate::bounds::MAX_ANIMATION_PIXELS {
        Fits::TooManyFrames
    } else {
        Fits::Yes
    }
}

/// The verdict about the size of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fits {
    /// The picture is within the bounds.
    Yes,
    /// It has no pixel, or too many.
    TooManyPixels,
    /// It is animated, and the collection accepts only still pictures.
    Animated,
    /// It has too many frames, or too many pixels in all frames together.
    TooManyFrames,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::Collections;

    fn photos() -> Collection {
        Collections::default().get(&"item-photo".parse().unwrap()).unwrap().clone()
    }

    type Made = Vec<(String, u32, u32)>;

    fn planned(width: u32, height: u32) -> (Made, Vec<(String, String)>) {
        let plan = RenditionPlan::of(&photos(), FileType::Jpeg, width, height, FocalPoint::CENTRE);
        let made = plan.made.iter();
        (
            made.map(|made| (made.name.to_string(), made.geometry.width, made.geometry.height)).collect(),
            plan.same.iter().map(|(name, same)| (name.to_string(), same.to_string())).collect(),
        )
    }

    #[test]
    fn a_small_original_has_fewer_renditions_and_none_is_enlarged() {
        for (width, height, sizes, same) in [
            (4_032, 3_024, &[(300, 225), (800, 600), (1_200, 900)][..], &[][..]),
            (1_000, 750, &[(300, 225), (800, 600), (1_000, 750)], &[]),
            (500, 500, &[(300, 300), (500, 500)], &[("large", "medium")]),
            (200, 100, &[(200, 100)], &[("large", "thumbnail"), ("medium", "thumbnail")]),
        ] {
            let (made, found) = planned(width, height);
            // Each as JPEG and as WebP.
            let found_sizes: Vec<(u32, u32)> = made.iter().step_by(2).map(|(_, w, h)| (*w, *h)).collect();
            assert_eq!(found_sizes, sizes, "{width} x {height}");
            assert_eq!(made.len(), 2 * sizes.len());
            let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (&**a, &**b)).collect();
            assert_eq!(found, same, "{width} x {height}");
        }
        let (made, _) = planned(4_032, 3_024);
        assert_eq!(made[0].0, "thumbnail-1.jpg");
        assert_eq!(made[1].0, "thumbnail-1.webp");
    }

    #[test]
    fn only_pictures_have_renditions_and_only_missing_ones_are_made() {
        for kind in [FileType::Pdf, FileType::Mp4] {
            let plan = RenditionPlan::of(&photos(), kind, 4_000, 3_000, FocalPoint::CENTRE);
            assert_eq!(plan, RenditionPlan::default());
        }
        let plan = RenditionPlan::of(&photos(), FileType::Png, 4_000, 3_000, FocalPoint::CENTRE);
        let made = plan.made.iter().map(|made| made.name.clone()).collect();
        assert_eq!(plan.missing(&made).count(), 0);
        assert_eq!(plan.missing(&BTreeSet::new()).count(), 6);
        let mut changed = photos();
        changed.renditions[2].version = changed.renditions[2].version.saturating_add(1);
        let plan = RenditionPlan::of(&changed, FileType::Png, 4_000, 3_000, FocalPoint::CENTRE);
        let missing: Vec<String> = plan.missing(&made).map(|made| made.name.to_string()).collect();
        assert_eq!(missing, ["large-2.jpg", "large-2.webp"]);
    }

    #[test]
    fn a_file_is_rendered_again_as_far_as_it_is_asked_for() {
        let name = |text: &str| text.parse::<ProfileName>().unwrap();
        // The names of the profiles by which a file of this width is rendered again, after `large` got another version.
        let again = |width: u32, is_changed: bool, only_missing: bool, profile: Option<&str>| {
            let before = RenditionPlan::of(&photos(), FileType::Png, width, width, FocalPoint::CENTRE);
            let made = before.made.iter().map(|planned| planned.name.clone()).collect();
            let mut rules = photos();
            if is_changed {
                rules.renditions[2].version = rules.renditions[2].version.saturating_add(1);
            }
            let plan = RenditionPlan::of(&rules, FileType::Png, width, width, FocalPoint::CENTRE);
            let profile = profile.map(name);
            let again = plan.again(&rules, &made, &before.same, (only_missing, profile.as_ref()));
            let names = |rules: Collection| {
                rules.renditions.iter().map(|profile| profile.name.to_string()).collect::<Vec<_>>().join(" ")
            };
            again.map(|again| again.map(names)).map_err(|problem| problem.detail)
        };
        let some = |names: &str| Ok(Some(names.to_owned()));
        let all = "thumbnail medium large";
        assert_eq!(again(2_000, false, false, None), some(all));
        assert_eq!(again(2_000, false, true, None), Ok(None));
        assert_eq!(again(2_000, true, true, None), some(all));
        assert_eq!(again(2_000, false, false, Some("medium")), some("medium"));
        assert_eq!(again(2_000, true, true, Some("medium")), Ok(None));
        assert_eq!(again(2_000, true, true, Some("large")), some("large"));
        // A picture of 500 pixels has one rendition for `medium` and `large`.
        assert_eq!(again(500, false, false, Some("large")), some(all));
        assert_eq!(again(500, false, true, Some("large")), Ok(None));
        assert_eq!(again(500, false, false, Some("thumbnail")), some("thumbnail"));
        let unknown = again(2_000, false, false, Some("huge")).unwrap_err();
        assert!(
            unknown.ends_with("has no profile `huge`; it has `thumbnail`, `medium`, `large`"),
            "{unknown}"
        );
    }

    #[test]
    fn a_part_around_another_point_has_another_name() {
        let photos = Collections::default().get(&"profile-photo".parse().unwrap()).unwrap().clone();
        let names = |focal| {
            let plan = RenditionPlan::of(&photos, FileType::Jpeg, 4_000, 3_000, focal);
            plan.made.iter().step_by(2).map(|made| made.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(FocalPoint::CENTRE), ["square-1.jpg", "medium-1.jpg"]);
        let left = FocalPoint::new(0.1, 0.5).unwrap();
        assert_eq!(names(left), ["square-1~3600x5000.jpg", "medium-1.jpg"]);
    }

    #[test]
    fn bounds_are_checked_by_the_header() {
        let still = photos();
        let moving = Collection { max_frames: 200, ..photos() };
        for (collection, width, height, frames, verdict) in [
            (&still, 10_000, 5_000, 1, Fits::Yes),
            (&still, 10_000, 5_001, 1, Fits::TooManyPixels),
            (&still, 17_000, 17_000, 1, Fits::TooManyPixels),
            (&still, u32::MAX, u32::MAX, u32::MAX, Fits::TooManyPixels),
            (&still, 0, 5, 1, Fits::TooManyPixels),
            (&still, 10, 10, 2, Fits::Animated),
            (&moving, 10, 10, 200, Fits::Yes),
            (&moving, 10, 10, 201, Fits::TooManyFrames),
            (&moving, 1_000, 1_000, 100, Fits::Yes),
            (&moving, 1_000, 1_000, 101, Fits::TooManyFrames),
            (&moving, 1_000, 1_000, 1, Fits::Yes),
        ] {
            assert_eq!(fits(collection, width, height, frames), verdict, "{width} x {height} x {frames}");
        }
    }
}
