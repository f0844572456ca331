//! The EXIF fields that are kept of a picture.
//!
//! EXIF can hold the owner's name, serial numbers, the lens maker's notes and whole thumbnails. Only the fields of [`Camera`]
//! leave this module, and the position apart from them, since only the owner may see it.

use exif::{Exif, In, Reader, Tag, Value};
use serde::{Deserialize, Serialize};

use crate::Orientation;

/// The longest text that is kept, in characters.
const TEXT: usize = 64;

/// The camera, and the time of the picture.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "snake_case")]
pub struct Camera {
    /// The maker of the camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub make: Option<String>,
    /// The model of the camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The model of the lens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lens: Option<String>,
    /// The time at which the picture was taken, by the camera's clock: `2026-11-29T21:12:00`, with `+01:00` if the camera
    /// knew its offset from UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<String>,
    /// The exposure in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure_seconds: Option<f64>,
    /// The f-number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f_number: Option<f64>,
    /// The sensitivity, as ISO speed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iso: Option<u32>,
    /// The focal length in millimetres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub focal_length_mm: Option<f64>,
}

/// The place where a picture was taken. It is personal: who may see it is the owner's decision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Degrees to the north; negative to the south.
    pub latitude: f64,
    /// Degrees to the east; negative to the west.
    pub longitude: f64,
    /// Metres above the sea; negative below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub altitude_m: Option<f64>,
}

/// The fields of an EXIF block that are kept.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub orientation: Orientation,
    pub camera: Camera,
    pub position: Option<Position>,
}

/// Reads an EXIF block, which begins with its TIFF header. What cannot be read is left out: a damaged block is no reason to
/// refuse a picture.
pub(crate) fn read(block: &[u8]) -> Fields {
    let read = Reader::new().continue_on_error(true).read_raw(block.to_vec());
    let Ok(exif) = read.or_else(|error| error.distill_partial_result(|_| {})) else {
        return Fields::default();
    };
    let orientation = uint(&exif, Tag::Orientation).and_then(Orientation::from_number).unwrap_or_default();
    Fields {
        orientation,
        camera: Camera {
            make: text(&exif, Tag::Make),
            model: text(&exif, Tag::Model),
            lens: text(&exif, Tag::LensModel),
            taken: taken(&exif),
            exposure_seconds: number(&exif, Tag::ExposureTime),
            f_number: number(&exif, Tag::FNumber),
            iso: uint(&exif, Tag::PhotographicSensitivity),
            focal_length_mm: number(&exif, Tag::FocalLength),
        },
        position: position(&exif),
    }
}

fn value(exif: &Exif, tag: Tag) -> Option<&Value> {
    exif.get_field(tag, In::PRIMARY).map(|field| &field.value)
}

fn uint(exif: &Exif, tag: Tag) -> Option<u32> {
    value(exif, tag)?.get_uint(0)
}

fn text(exif: &Exif, tag: Tag) -> Option<String> {
    let Value::Ascii(lines) = value(exif, tag)? else { return None };
    let text = String::from_utf8_lossy(lines.first()?);
    let text: String = text.chars().filter(|character| !character.is_control()).take(TEXT).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Returns the numbers of a field, each finite.
fn numbers(exif: &Exif, tag: Tag) -> Option<Vec<f64>> {
    let numbers: Vec<f64> = match value(exif, tag)? {
        Value::Rational(numbers) => numbers.iter().map(|number| number.to_f64()).collect(),
        Value::SRational(numbers) => numbers.iter().map(|number| number.to_f64()).collect(),
        _ => return None,
    };
    numbers.iter().all(|number| number.is_finite()).then_some(numbers)
}

fn number(exif: &Exif, tag: Tag) -> Option<f64> {
    numbers(exif, tag)?.first().copied().filter(|number| *number >= 0.0)
}

/// Returns the time of the picture in the form of RFC 3339, with an offset only if the camera knew it.
fn taken(exif: &Exif) -> Option<String> {
    let time = text(exif, Tag::DateTimeOriginal)?;
    let digits = |at: &[usize]| at.iter().all(|place| time.as_bytes()[*place].is_ascii_digit());
    // `2026:11:29 21:12:00`
    if time.len() != 19 || !time.is_ascii() || !digits(&[0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18]) {
        return None;
    }
    let offset = text(exif, Tag::OffsetTimeOriginal).filter(|offset| is_offset(offset)).unwrap_or_default();
    Some(format!("{}-{}-{}T{}{offset}", &time[..4], &time[5..7], &time[8..10], &time[11..]))
}

/// Returns `true` if the text is an offset from UTC, such as `+01:00`.
fn is_offset(text: &str) -> bool {
    matches!(text.as_bytes(), [b'+' | b'-', h1, h0, b':', m1, m0]
        if [h1, h0, m1, m0].iter().all(|digit| digit.is_ascii_digit()))
}

fn position(exif: &Exif) -> Option<Position> {
    let latitude = degrees(exif, Tag::GPSLatitude, Tag::GPSLatitudeRef, "S").filter(|it| it.abs() <= 90.0)?;
    let longitude =
        degrees(exif, Tag::GPSLongitude, Tag::GPSLongitudeRef, "W").filter(|it| it.abs() <= 180.0)?;
    let below =
        matches!(value(exif, Tag::GPSAltitudeRef), Some(Value::Byte(bytes)) if bytes.first() == Some(&1));
    let altitude_m = number(exif, Tag::GPSAltitude).map(|metres| if below { -metres } else { metres });
    Some(Position { latitude, longitude, altitude_m })
}

/// Returns degrees, minutes and seconds as degrees, negative for this reference.
fn degrees(exif: &Exif, tag: Tag, reference: Tag, negative: &str) -> Option<f64> {
    let [degrees, minutes, seconds] = *numbers(exif, tag)?.first_chunk()?;
    let degrees = degrees + minutes / 60.0 + seconds / 3600.0;
    Some(if text(exif, reference)? == negative { -degrees } else { degrees })
}
