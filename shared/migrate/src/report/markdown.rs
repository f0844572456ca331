//! The report as Markdown.

use std::fmt::Write as _;

use super::Report;

impl Report {
    /// Returns the report as a Markdown document.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "# Migration `{}`\n", self.job)?;
        writeln!(text, "From `{}` to `{}`.\n", self.from, self.to)?;
        writeln!(text, "| | |\n|---|---:|")?;
        for (name, count) in [
            ("Total", self.total),
            ("Migrated", self.migrated),
            ("Failed", self.failed),
            ("Skipped", self.skipped),
            ("Open", self.open),
        ] {
            writeln!(text, "| {name} | {count} |")?;
        }
        writeln!(text, "| Success rate | {:.2} % |", self.success_rate)?;
        writeln!(text, "| Duration | {} ms |", self.duration)?;
        writeln!(text, "| Time per proof | {:.2} ms |", self.time_per_proof)?;
        for (title, reasons) in [("Skipped", &self.skipped_by_reason), ("Failed", &self.failures_by_reason)] {
            if reasons.is_empty() {
                continue;
            }
            writeln!(text, "\n## {title}, by reason\n\n| Reason | Items |\n|---|---:|")?;
            for (reason, count) in reasons {
                writeln!(text, "| {reason} | {count} |")?;
            }
        }
        if let Some(what) = &self.left_behind {
            writeln!(text, "\n## Left behind\n\n{what}")?;
        }
        if !self.failures.is_empty() {
            writeln!(text, "\n## Failures\n\n| Item | Reason | Detail |\n|---|---|---|")?;
            for failure in &self.failures {
                writeln!(
                    text,
                    "| {} | {} | {} |",
                    cell(&failure.item),
                    failure.reason,
                    cell(&failure.detail)
                )?;
            }
            let more = self.failed.saturating_sub(self.failures.len() as u64);
            if more > 0 {
                writeln!(text, "\n… and {more} more.")?;
            }
        }
        Ok(())
    }
}

/// Escapes a source's text for a table cell: on one line, with nothing that Markdown or HTML would interpret.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '~' => {
                cell.push('\\');
                cell.push(character);
            }
            character if character.is_control() => cell.push(' '),
            character => cell.push(character),
        }
    }
    cell
}
