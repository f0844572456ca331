//! The focal point of a picture.

use std::fmt;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The point of a picture that a crop keeps, as fractions of width and height from the upper left corner, to a ten
/// thousandth.
///
/// In JSON it has the members `x` and `y`. In the name of a rendition it is written `{x}x{y}` in ten thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FocalPoint {
    x: u16,
    y: u16,
}

/// A reason why numbers or text are not a focal point.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum FocalPointError {
    /// The numbers do not lie in a picture.
    #[error("a focal point has an `x` and a `y`, each a number from 0 to 1; this has {0} and {1}")]
    Outside(f64, f64),
    /// The text is not two numbers.
    #[error("a focal point is written as two numbers from 0 to 10000 with an `x` between them")]
    Text,
}

/// The number of steps from one edge of a picture to the other.
const STEPS: u16 = 10_000;

/// The steps of one cell of the grid of points around which parts are cut. The middle is on the grid.
const CELL: u16 = 200;

impl FocalPoint {
    /// The centre, which is the focal point of a picture for which nobody chose one.
    pub const CENTRE: Self = Self { x: STEPS / 2, y: STEPS / 2 };

    /// Returns the point at these fractions of width and height.
    ///
    /// # Errors
    /// Fails if a fraction is not a number from 0 to 1.
    pub fn new(x: f64, y: f64) -> Result<Self, FocalPointError> {
        match (steps(x), steps(y)) {
            (Some(x), Some(y)) => Ok(Self { x, y }),
            _ => Err(FocalPointError::Outside(x, y)),
        }
    }

    /// Returns the fractions of width and height.
    #[must_use]
    pub fn fractions(self) -> (f64, f64) {
        let fraction = |steps: u16| f64::from(steps) / f64::from(STEPS);
        (fraction(self.x), fraction(self.y))
    }

    /// Returns the nearest point on a grid with 50 cells along each edge. A part is cut around such a point, so that a
    /// picture does not have more renditions than a reader can tell apart: the middle of the part is at most a hundredth of
    /// the picture beside the point that was asked for.
    #[must_use]
    pub fn rounded(self) -> Self {
        let round = |along: u16| (along + CELL / 2) / CELL * CELL;
        Self { x: round(self.x), y: round(self.y) }
    }

    /// Returns the point on the grid around which a part of `part_width` by `part_height` pixels is cut out of a picture of
    /// `width` by `height`. Points that cut the same part are one: the one nearest to the centre.
    #[must_use]
    pub fn of_part(self, (width, height): (u32, u32), (part_width, part_height): (u32, u32)) -> Self {
        let rounded = self.rounded();
        Self { x: inward(rounded.x, width, part_width), y: inward(rounded.y, height, part_height) }
    }

    /// Returns the offset at which a part with the width `part` begins in a picture with the width `whole`: with this
    /// point as near to the middle of the part as the edges allow.
    #[must_use]
    pub fn left(self, whole: u32, part: u32) -> u32 {
        offset(self.x, whole, part)
    }

    /// Returns the offset at which a part with the height `part` begins in a picture with the height `whole`.
    #[must_use]
    pub fn top(self, whole: u32, part: u32) -> u32 {
        offset(self.y, whole, part)
    }
}

fn offset(along: u16, whole: u32, part: u32) -> u32 {
    let room = whole.saturating_sub(part);
    let point = u64::from(whole) * u64::from(along) / u64::from(STEPS);
    let offset = point.saturating_sub(u64::from(part / 2));
    u32::try_from(offset).unwrap_or(u32::MAX).min(room)
}

/// Returns the place on the grid that is nearest to the middle and cuts the same part as `along` does.
fn inward(along: u16, whole: u32, part: u32) -> u16 {
    let (middle, wanted) = (STEPS / 2, offset(along, whole, part));
    let mut found = along;
    while found != middle {
        let next = if found < middle { found + CELL } else { found - CELL };
        if offset(next, whole, part) != wanted {
            break;
        }
        found = next;
    }
    found
}

impl fmt::Display for FocalPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.x, self.y)
    }
}

impl FromStr for FocalPoint {
    type Err = FocalPointError;

    fn from_str(text: &str) -> Result<Self, FocalPointError> {
        let read = |text: &str| text.parse::<u16>().ok().filter(|steps| *steps <= STEPS);
        let point = text.split_once('x').and_then(|(x, y)| read(x).zip(read(y)));
        let point = point.map(|(x, y)| Self { x, y }).filter(|point| point.to_string() == text);
        point.ok_or(FocalPointError::Text)
    }
}

fn steps(fraction: f64) -> Option<u16> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 10,000")]
    (0.0..=1.0).contains(&fraction).then(|| (fraction * f64::from(STEPS)).round() as u16)
}

/// A point of a picture, as fractions of width and height from the upper left corner.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct Written {
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    x: f64,
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    y: f64,
}

/// The schema of a focal point is that of its written form.
#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for FocalPoint {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        Written::schema()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for FocalPoint {}

impl Serialize for FocalPoint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (x, y) = self.fractions();
        Written { x, y }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FocalPoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { x, y } = deserializer.deserialize_map(Members)?;
        Self::new(x, y).map_err(de::Error::custom)
    }
}

/// The visitor of a focal point's members. What is derived for [`Written`] reads an array as well.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `x` and `y`, each a number from 0 to 1")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Written, A::Error> {
        Written::deserialize(MapAccessDeserializer::new(members))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_point_lies_in_its_picture_and_is_written_as_it_was_read() {
        for text in [r#"{"x":0.0,"y":1.0}"#, r#"{"x":0.5,"y":0.5}"#, r#"{"x":0.3333,"y":0.1}"#] {
            let point: FocalPoint = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&point).unwrap(), text);
        }
        for text in [
            "[0.1,0.3]",
            "0.5",
            r#"{"x":1.1,"y":0}"#,
            r#"{"x":0,"y":-0.1}"#,
            r#"{"x":0}"#,
            r#"{"x":0,"y":0,"z":0}"#,
        ] {
            assert!(serde_json::from_str::<FocalPoint>(text).is_err(), "{text}");
        }
        assert!(FocalPoint::new(f64::NAN, 0.0).is_err());
        let point = FocalPoint::new(0.25, 1.0).unwrap();
        assert_eq!((point.to_string(), "2500x10000".parse()), ("2500x10000".to_owned(), Ok(point)));
        for text in ["", "x", "1x", "01x2", "+1x2", "10001x0", "1x2x3", "-1x0"] {
            assert!(text.parse::<FocalPoint>().is_err(), "{text}");
        }
    }

    /// 40 pixels of 100 begin at 0 to 60, for points from 20 to 80, and only one edge has room.
    #[test]
    fn a_part_is_cut_around_a_few_points() {
        let all: BTreeSet<FocalPoint> = (0..=100)
            .flat_map(|x| (0..=100).map(move |y| FocalPoint::new(f64::from(x) / 100.0, f64::from(y) / 100.0)))
            .map(|point| point.unwrap().of_part((100, 40), (40, 40)))
            .collect();
        assert_eq!(all.len(), 31);
        assert!(all.iter().all(|point| point.y == STEPS / 2 && (2_000..=8_000).contains(&point.x)));
        let widest = (0..=STEPS).map(|x| FocalPoint { x, y: 0 }.of_part((1_000_000, 1), (1, 1)));
        assert_eq!(widest.collect::<BTreeSet<_>>().len(), 51);
        let point = FocalPoint::new(0.333, 0.1).unwrap();
        assert_eq!(point.of_part((100, 40), (40, 40)), FocalPoint { x: 3_400, y: STEPS / 2 });
        assert_eq!(FocalPoint::CENTRE.of_part((7, 9), (7, 7)), FocalPoint::CENTRE);
        // What is cut is what would be cut around the point on the grid.
        for x in 0..=STEPS {
            let (rounded, of_part) = (
                FocalPoint { x, y: 0 }.rounded(),
                FocalPoint { x, y: 0 }.of_part((4_032, 3_024), (3_024, 3_024)),
            );
            assert_eq!(rounded.left(4_032, 3_024), of_part.left(4_032, 3_024));
        }
    }

    #[test]
    fn a_part_stays_inside() {
        for (along, whole, length, expected) in [
            (5_000, 100, 50, 25),
            (0, 100, 50, 0),
            (10_000, 100, 50, 50),
            (2_500, 100, 20, 15),
            (5_000, 50, 50, 0),
        ] {
            assert_eq!(offset(along, whole, length), expected);
        }
        assert_eq!(offset(10_000, u32::MAX, 1), u32::MAX - 1);
    }
}
