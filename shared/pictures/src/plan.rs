//! The decision which renditions are made of a picture of a certain size, and in which order.

use crate::bitmap::{Area, Bitmap};
use crate::profile::{FocalPoint, RenditionProfile, Shape};

/// The longest side of the picture that a placeholder is computed from: ThumbHash takes no more.
const PLACEHOLDER: u32 = 100;

/// The renditions that are made of a picture, and those that are not.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    width: u32,
    height: u32,
    focal: FocalPoint,
    /// From the one that needs the most pixels to the one that needs the fewest.
    targets: Vec<Target<'a>>,
    /// Each profile that would repeat another one's rendition, and that one.
    pub repeated: Vec<(&'a RenditionProfile, &'a RenditionProfile)>,
}

/// A rendition that is made.
#[derive(Debug)]
struct Target<'a> {
    profile: &'a RenditionProfile,
    /// The side that the shape fixes: no longer than the picture's.
    side: u32,
    /// The longest side that the whole picture must have so that the rendition needs no enlarging.
    longest: u32,
}

/// The pictures that a plan made.
#[derive(Debug)]
pub(crate) struct Made<'a> {
    pub renditions: Vec<(&'a RenditionProfile, Bitmap)>,
    /// The smallest whole picture, for the placeholder.
    pub placeholder: Bitmap,
}

impl<'a> Plan<'a> {
    /// Plans the renditions of a picture, whose size is given as it is seen.
    ///
    /// Nothing is enlarged. Of the profiles that are larger than the picture, the smallest gets a rendition of the picture's own
    /// size, so that no pixel is lost, and the others would only repeat it.
    pub(crate) fn new(width: u32, height: u32, focal: FocalPoint, profiles: &'a [RenditionProfile]) -> Self {
        let (longest, shortest) = (width.max(height), width.min(height));
        let mut plan = Self { width, height, focal, targets: Vec::new(), repeated: Vec::new() };
        let mut sorted: Vec<_> = profiles.iter().collect();
        sorted.sort_by_key(|profile| profile.shape().side());
        // The profile that has every pixel: of the whole picture, and of its largest square.
        let mut complete: [Option<&RenditionProfile>; 2] = [None, None];
        for profile in sorted {
            let (full, complete) = match profile.shape() {
                Shape::LongestSide(_) => (longest, &mut complete[0]),
                Shape::Square(_) => (shortest, &mut complete[1]),
            };
            let side = profile.shape().side().min(full);
            match *complete {
                // Two profiles of the very size of the picture are both wanted, as two of any other size are.
                Some(other) if profile.shape().side() > full => {
                    plan.repeated.push((profile, other));
                    continue;
                }
                None if side == full => *complete = Some(profile),
                _ => {}
            }
            let needs = match profile.shape() {
                Shape::LongestSide(_) => side,
                Shape::Square(_) => scaled(longest, side, shortest),
            };
            plan.targets.push(Target { profile, side, longest: needs });
        }
        plan.targets.sort_by_key(|target| std::cmp::Reverse(target.longest));
        plan
    }

    /// Returns the longest side of the largest whole picture that is needed.
    fn needed(&self) -> u32 {
        let longest = self.width.max(self.height);
        self.targets.first().map_or(0, |target| target.longest).max(PLACEHOLDER).min(longest)
    }

    /// Returns the scale at which the picture must at least be decoded.
    pub(crate) fn scale(&self) -> f64 {
        f64::from(self.needed()) / f64::from(self.width.max(self.height))
    }

    /// Returns the size of the largest whole picture that is needed.
    pub(crate) fn base(&self) -> (u32, u32) {
        self.size(self.needed())
    }

    /// Makes all pictures from the largest one, each from the smallest larger one that was made before.
    pub(crate) fn make(&self, base: Bitmap) -> Made<'a> {
        let mut whole = base;
        let mut renditions = Vec::new();
        for target in &self.targets {
            let (width, height) = self.size(target.longest);
            // A square takes its part of the picture that is there, at whatever scale.
            let made = match target.profile.shape() {
                Shape::LongestSide(_) => {
                    whole = whole.resized(width, height, None);
                    whole.clone()
                }
                Shape::Square(_) => whole.resized(target.side, target.side, Some(self.square(&whole))),
            };
            renditions.push((target.profile, made));
        }
        let (width, height) = self.size(PLACEHOLDER.min(self.width.max(self.height)));
        let placeholder = if whole.width > width || whole.height > height {
            whole.resized(width, height, None)
        } else {
            whole
        };
        Made { renditions, placeholder }
    }

    /// Returns the size of the whole picture with this longest side.
    fn size(&self, longest: u32) -> (u32, u32) {
        let (width, height) = (self.width, self.height);
        if width >= height {
            (longest, scaled(height, longest, width))
        } else {
            (scaled(width, longest, height), longest)
        }
    }

    /// Returns the largest square around the focal point, in the pixels of a whole picture.
    fn square(&self, whole: &Bitmap) -> Area {
        let (left, top) = self.focal.square(whole.width, whole.height);
        let side = f64::from(whole.width.min(whole.height));
        Area { left, top, width: side, height: side }
    }
}

/// Returns length × part ÷ whole, rounded, and at least one pixel.
fn scaled(length: u32, part: u32, whole: u32) -> u32 {
    let (length, part, whole) = (u64::from(length), u64::from(part), u64::from(whole));
    let scaled = (length * part + whole / 2) / whole;
    u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Encoding;
    use crate::bitmap::Model;

    fn profile(name: &str, shape: Shape) -> RenditionProfile {
        RenditionProfile::new(name, 1, shape, [Encoding::JPEG]).unwrap()
    }

    fn three() -> Vec<RenditionProfile> {
        [("small", 300), ("medium", 800), ("large", 1200)]
            .map(|(name, side)| profile(name, Shape::LongestSide(side)))
            .into()
    }

    /// Returns name and size of each rendition, and the names of the repeated ones.
    fn planned(
        width: u32,
        height: u32,
        profiles: &[RenditionProfile],
    ) -> (Vec<(String, u32, u32)>, Vec<String>) {
        let plan = Plan::new(width, height, FocalPoint::CENTRE, profiles);
        let (base_width, base_height) = plan.base();
        let made = plan.make(Bitmap::blank(base_width, base_height, Model::Grey));
        let renditions = made
            .renditions
            .iter()
            .map(|(profile, made)| (profile.name().to_owned(), made.width, made.height));
        let repeated =
            plan.repeated.iter().map(|(profile, other)| format!("{} as {}", profile.name(), other.name()));
        (renditions.collect(), repeated.collect())
    }

    #[test]
    fn a_large_picture_gets_every_profile() {
        let (made, repeated) = planned(4032, 3024, &three());
        assert_eq!(
            made,
            [("large".into(), 1200, 900), ("medium".into(), 800, 600), ("small".into(), 300, 225)]
        );
        assert!(repeated.is_empty());
    }

    #[test]
    fn nothing_is_enlarged_and_no_pixel_is_lost() {
        let (made, repeated) = planned(600, 1000, &three());
        assert_eq!(
            made,
            [("large".into(), 600, 1000), ("medium".into(), 480, 800), ("small".into(), 180, 300)]
        );
        assert!(repeated.is_empty());
        let (made, repeated) = planned(500, 250, &three());
        assert_eq!(made, [("medium".into(), 500, 250), ("small".into(), 300, 150)]);
        assert_eq!(repeated, ["large as medium"]);
        let (made, repeated) = planned(2, 1, &three());
        assert_eq!(made, [("small".into(), 2, 1)]);
        assert_eq!(repeated, ["medium as small", "large as small"]);
    }

    #[test]
    fn a_profile_of_the_exact_size_is_complete() {
        let (made, repeated) = planned(800, 800, &three());
        assert_eq!(made, [("medium".into(), 800, 800), ("small".into(), 300, 300)]);
        assert_eq!(repeated, ["large as medium"]);
    }

    #[test]
    fn squares_need_the_shorter_side() {
        let profiles = [profile("face", Shape::Square(300)), profile("small", Shape::LongestSide(300))];
        let plan = Plan::new(4000, 1000, FocalPoint::CENTRE, &profiles);
        assert_eq!(plan.base(), (1200, 300));
        let (made, _) = planned(4000, 1000, &profiles);
        assert_eq!(made, [("face".into(), 300, 300), ("small".into(), 300, 75)]);
        let (made, repeated) =
            planned(400, 200, &[profile("face", Shape::Square(300)), profile("big", Shape::Square(900))]);
        assert_eq!(made, [("face".into(), 200, 200)]);
        assert_eq!(repeated, ["big as face"]);
    }

    #[test]
    fn a_thin_picture_keeps_a_pixel() {
        let (made, _) = planned(60_000, 1, &three());
        assert_eq!(made.last(), Some(&("small".into(), 300, 1)));
    }

    #[test]
    fn a_placeholder_needs_a_hundred_pixels() {
        let plan = Plan::new(4000, 3000, FocalPoint::CENTRE, &[]);
        assert_eq!((plan.base(), plan.scale()), ((100, 75), 0.025));
        let plan = Plan::new(40, 30, FocalPoint::CENTRE, &[]);
        assert_eq!((plan.base(), plan.scale()), ((40, 30), 1.0));
    }
}
