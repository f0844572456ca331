//! Our side: one file, rendered again and again in this process.

use std::fs;
use std::path::Path;
use std::time::Duration;

use credlink_pictures::{
    Bounds, Deadline, Encoding, RenditionProfile, Shape, Treatment, render as render_picture,
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::Error;

/// The longest sides of the renditions, by the names of their profiles.
pub const SIDES: [(&str, u32); 3] = [("large", 1_200), ("medium", 800), ("thumbnail", 300)];

/// Renders `file` some times, writes the last renditions into a folder if there is one, and returns what it cost as JSON:
/// processor time per picture in milliseconds, and the largest memory of the process in kilobytes, at the end and after the
/// tenth part of the pictures.
pub fn render(file: &Path, formats: &str, times: u32, into: Option<&Path>) -> Result<String, Error> {
    let encodings: &[Encoding] = match formats {
        "jpeg" => &[Encoding::JPEG],
        "both" => &[Encoding::JPEG, Encoding::WEBP],
        other => return Err(Error::Failed(format!("renditions are `jpeg` or `both`, not `{other}`"))),
    };
    let profiles = SIDES.map(|(name, side)| {
        RenditionProfile::new(name, 1, Shape::LongestSide(side), encodings)
            .map_err(|error| Error::Failed(error.to_string()))
    });
    let profiles = profiles.into_iter().collect::<Result<Vec<_>, _>>()?;
    let io = |error| Error::Io(file.display().to_string(), error);
    let bytes = fs::read(file).map_err(io)?;
    let mut early = 0;
    let mut rendered = Vec::new();
    let begun = processor_time();
    for time in 0..times {
        let made =
            render_picture(&bytes, &profiles, &Treatment::default(), &Bounds::default(), Deadline::NEVER);
        rendered = made.map_err(|error| Error::Failed(error.to_string()))?.renditions;
        if time == times / 10 {
            early = peak_memory()?;
        }
    }
    let took = processor_time().saturating_sub(begun);
    for made in &rendered {
        let Some(folder) = into else { continue };
        let kind = if made.bytes.starts_with(b"RIFF") { "webp" } else { "jpg" };
        fs::write(folder.join(format!("{}.{kind}", made.profile)), &made.bytes).map_err(io)?;
    }
    let document = json!({
        "cpu_ms": took.as_secs_f64() * 1_000.0 / f64::from(times),
        "early_kb": early,
        "peak_kb": peak_memory()?,
        "bytes": rendered.iter().map(|made| made.bytes.len()).sum::<usize>(),
    });
    Ok(document.to_string())
}

/// Returns the processor time of this process, with all its threads.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Returns the largest memory that this process has had, in kilobytes.
fn peak_memory() -> Result<u64, Error> {
    let path = "/proc/self/status";
    let status = fs::read_to_string(path).map_err(|error| Error::Io(path.to_owned(), error))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    number.ok_or_else(|| Error::Failed(format!("{path} does not tell the peak memory")))
}
