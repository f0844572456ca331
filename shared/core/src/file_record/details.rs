//! The metadata of an original in a file's record, which only its owner sees.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The metadata that was read from an original, as far as its collection asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Details {
    /// Maker and model of the camera.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "short")]
    pub camera: Option<String>,
    /// Time at which the picture was taken, as the camera's clock showed it: `2026-05-01T12:00:00`, with an offset such as
    /// `+02:00` if the camera knew it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "local_time")]
    pub taken: Option<String>,
    /// The exposure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
    /// The place where the picture was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

/// The exposure of a picture, as the camera writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exposure {
    /// The exposure time, such as `1/60`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "short")]
    pub time: Option<String>,
    /// The aperture, such as `1.8`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "short")]
    pub aperture: Option<String>,
    /// The sensitivity (ISO).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<u32>,
    /// The focal length in millimetres, such as `5.7`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "short")]
    pub focal_length: Option<String>,
}

/// A place on the earth, to a millionth of a degree, which is 11 cm at the equator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    latitude: i32,
    longitude: i32,
}

/// The error for numbers that are not a place on the earth.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "a place has a latitude from -90 to 90 and a longitude from -180 to 180 degrees; this has {0} and {1}"
)]
pub struct LocationError(f64, f64);

/// The number of steps in a degree.
const STEPS: f64 = 1_000_000.0;

impl Location {
    /// Returns the place with this latitude and longitude, in degrees.
    ///
    /// # Errors
    /// Fails if one of them is not a number, or beyond its bounds.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, LocationError> {
        match (steps(latitude, 90.0), steps(longitude, 180.0)) {
            (Some(latitude), Some(longitude)) => Ok(Self { latitude, longitude }),
            _ => Err(LocationError(latitude, longitude)),
        }
    }
}

fn steps(degrees: f64, most: f64) -> Option<i32> {
    #[expect(clippy::cast_possible_truncation, reason = "it is from -180,000,000 to 180,000,000")]
    (-most..=most).contains(&degrees).then(|| (degrees * STEPS).round() as i32)
}

/// A place as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    latitude: f64,
    longitude: f64,
}

impl Serialize for Location {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let degrees = |steps: i32| f64::from(steps) / STEPS;
        Written { latitude: degrees(self.latitude), longitude: degrees(self.longitude) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Location {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { latitude, longitude } = Written::deserialize(deserializer)?;
        Self::new(latitude, longitude).map_err(de::Error::custom)
    }
}

/// Longest text, in bytes. Names of cameras have up to 50.
const LONGEST: usize = 200;

fn short<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > LONGEST || text.chars().any(char::is_control) {
        return Err(de::Error::custom(format!(
            "a text of at most {LONGEST} bytes without control characters"
        )));
    }
    Ok(Some(text))
}

fn local_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let offset = shape.strip_prefix("0000-00-00T00:00:00");
    match offset {
        Some("" | "Z" | "+00:00" | "-00:00") => Ok(Some(text)),
        _ => Err(de::Error::custom("taken: a time such as 2026-05-01T12:00:00 or 2026-05-01T12:00:00+02:00")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A record is compared by its bytes, so a place must be written as it was read.
        #[test]
        fn places_are_written_as_they_were_read(latitude in -90.0..=90.0_f64, longitude in -180.0..=180.0_f64) {
            let place = Location::new(latitude, longitude).unwrap();
            let text = serde_json::to_string(&place).unwrap();
            let again: Location = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(again, place);
            prop_assert_eq!(serde_json::to_string(&again).unwrap(), text);
        }
    }

    #[test]
    fn what_is_not_on_the_earth_is_refused() {
        for (latitude, longitude) in
            [(90.1, 0.0), (-91.0, 0.0), (0.0, 180.1), (f64::NAN, 0.0), (0.0, f64::INFINITY)]
        {
            assert!(Location::new(latitude, longitude).is_err(), "{latitude} {longitude}");
        }
        for text in ["yesterday", "2026-05-01", "2026-05-01T12:00:00+2", "2026-05-01 12:00:00"] {
            let text = format!(r#"{{"taken":"{text}"}}"#);
            assert!(serde_json::from_str::<Details>(&text).is_err(), "{text}");
        }
        let known = r#"{"taken":"2026-05-01T12:00:00+02:00","exposure":{"time":"1/60","sensitivity":100}}"#;
        let details: Details = serde_json::from_str(known).unwrap();
        assert_eq!(serde_json::to_string(&details).unwrap(), known);
    }
}
