//! Both sides in turn, and the tables.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::Error;
use crate::material::PHOTOS;

/// The program of one side.
struct Side<'a> {
    program: &'a Path,
    arguments: Vec<String>,
    folder: &'a Path,
}

impl Side<'_> {
    fn run(&self, more: &[&str]) -> Result<Value, Error> {
        let mut command = Command::new(self.program);
        command.args(&self.arguments).args(more).current_dir(self.folder);
        // One thread, also for memory that libvips allocates.
        command.env("VIPS_CONCURRENCY", "1").env("UV_THREADPOOL_SIZE", "1");
        let words = self.program.display().to_string();
        let output = command.output().map_err(|error| Error::Io(words.clone(), error))?;
        if !output.status.success() {
            return Err(Error::Failed(format!("{words}: {}", String::from_utf8_lossy(&output.stderr))));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| Error::Failed(format!("{words}: {error}")))
    }
}

/// The script of sharp's side.
const SCRIPT: &str = include_str!("../sharp.mjs");

/// Runs both sides, and returns the tables.
pub fn compare(sharp: &Path, node: &Path, rounds: usize, pictures: u32) -> Result<String, Error> {
    let io = |what: &Path, error| Error::Io(what.display().to_string(), error);
    let folder = tempfile::tempdir().map_err(|error| io(Path::new("a temporary folder"), error))?;
    let this = std::env::current_exe().map_err(|error| io(Path::new("this program"), error))?;
    let sharp = sharp.canonicalize().map_err(|error| io(sharp, error))?;
    // The script finds the package from the folder in which it is.
    let script = sharp.join("credlink-images-bench.mjs");
    fs::write(&script, SCRIPT).map_err(|error| io(&script, error))?;
    let ours = Side { program: &this, arguments: vec!["render".to_owned()], folder: folder.path() };
    let arguments = vec![script.display().to_string()];
    let theirs = Side { program: node, arguments, folder: &sharp };
    let compared = tables(&ours, &theirs, folder.path(), rounds.max(1), pictures.max(1));
    fs::remove_file(&script).map_err(|error| io(&script, error))?;
    compared
}

fn tables(
    ours: &Side<'_>,
    theirs: &Side<'_>,
    folder: &Path,
    rounds: usize,
    pictures: u32,
) -> Result<String, Error> {
    let mut text = String::from(
        "| picture | renditions | ours, ms | sharp, ms | sharp ÷ ours | memory, MB | sharp's, MB | bytes ÷ sharp's | \
         least likeness, ours | sharp's |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let path = |name: &str| folder.join(name).display().to_string();
    for photo in PHOTOS {
        let file = path(&format!("{}.jpg", photo.name));
        fs::write(&file, photo.jpeg()?).map_err(|error| Error::Io(file.clone(), error))?;
        for (formats, words) in [("jpeg", "3 JPEG"), ("both", "3 JPEG and 3 WebP")] {
            let folders = [path("ours"), path("sharp")];
            for folder in &folders {
                fs::create_dir_all(folder).map_err(|error| Error::Io(folder.clone(), error))?;
            }
            let times = pictures.to_string();
            let mut measured = [Vec::new(), Vec::new()];
            for round in 0..=rounds {
                for (side, (run, into)) in [ours, theirs].into_iter().zip(&folders).enumerate() {
                    let value = run.run(&[&file, formats, &times, "--into", into])?;
                    // The first round fills the caches of the system.
                    if round > 0 {
                        measured[side].push(value);
                    }
                }
            }
            let [ours_ms, their_ms] = [0, 1].map(|side| spread(&measured[side], "cpu_ms"));
            let mut ratios: Vec<f64> = (0..rounds)
                .map(|round| number(&measured[1][round], "cpu_ms") / number(&measured[0][round], "cpu_ms"))
                .collect();
            let [ours_mb, their_mb] = [0, 1].map(|side| most(&measured[side], "peak_kb") / 1_024.0);
            let bytes = number(&measured[0][0], "bytes") / number(&measured[1][0], "bytes");
            let like = theirs.run(&["--likeness", &file, formats, &folders[0], &folders[1]])?;
            let _ = writeln!(
                text,
                "| {} | {words} | {} | {} | {} | {ours_mb:.0} | {their_mb:.0} | {bytes:.2} | {:.4} | {:.4} |",
                photo.words,
                ours_ms,
                their_ms,
                shown(&mut ratios, 2),
                number(&like, "ours"),
                number(&like, "sharp"),
            );
        }
    }
    let file = path(&format!("{}.jpg", PHOTOS[0].name));
    let row = ours.run(&[&file, "both", "100"])?;
    let _ = write!(
        text,
        "\nA hundred pictures in a row: {:.1} MB after ten, {:.1} MB after all.",
        number(&row, "early_kb") / 1_024.0,
        number(&row, "peak_kb") / 1_024.0
    );
    Ok(text)
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or(f64::NAN)
}

fn most(values: &[Value], name: &str) -> f64 {
    values.iter().map(|value| number(value, name)).fold(0.0, f64::max)
}

fn spread(values: &[Value], name: &str) -> String {
    shown(&mut values.iter().map(|value| number(value, name)).collect::<Vec<_>>(), 1)
}

/// The median, with the least and the most in brackets.
fn shown(numbers: &mut [f64], digits: usize) -> String {
    numbers.sort_by(f64::total_cmp);
    let [first, .., last] = *numbers else {
        return numbers.first().map_or_else(String::new, |only| format!("{only:.digits$}"));
    };
    format!("{:.digits$} ({first:.digits$}–{last:.digits$})", numbers[numbers.len() / 2])
}
