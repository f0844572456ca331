//! The only place that prints: tables in Markdown or JSON on standard output, progress on standard error.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::spread::{Spread, figure, grouped};

/// One field of a table.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Text.
    Text(String),
    /// A count.
    Count(u64),
    /// A number that was not measured in rounds.
    Number(f64),
    /// A number that was measured in rounds.
    Spread(Spread),
    /// An empty cell.
    None,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<Spread> for Cell {
    fn from(spread: Spread) -> Self {
        Self::Spread(spread)
    }
}

/// A table.
#[derive(Debug)]
pub struct Table {
    title: String,
    note: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table. The note explains the columns in a sentence or two.
    #[must_use]
    pub fn new(title: impl Into<String>, note: &'static str, columns: &[&'static str]) -> Self {
        Self { title: title.into(), note, columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table in Markdown, with columns of numbers aligned to the right.
    #[must_use]
    pub fn markdown(&self) -> String {
        let text = |cell: &Cell| match cell {
            Cell::Text(text) => text.clone(),
            Cell::Count(count) => grouped(&count.to_string()),
            Cell::Number(number) => figure(*number),
            Cell::Spread(spread) => spread.to_string(),
            Cell::None => String::new(),
        };
        let number = |column: usize| {
            let mut cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.any(|cell| matches!(cell, Cell::Count(_) | Cell::Number(_) | Cell::Spread(_)))
        };
        let rule = |column| if number(column) { "---:" } else { "---" };
        let rules: Vec<_> = (0..self.columns.len()).map(rule).collect();
        let mut out = format!("### {}\n\n", self.title);
        if !self.note.is_empty() {
            let _ = write!(out, "{}\n\n", self.note);
        }
        let _ = writeln!(out, "| {} |\n|{}|", self.columns.join(" | "), rules.join("|"));
        for row in &self.rows {
            let cells: Vec<_> = row.iter().map(text).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
        out
    }

    /// The table in JSON, with an object for each row.
    #[must_use]
    pub fn json(&self) -> Value {
        let object = |row: &Vec<Cell>| {
            let fields = self.columns.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), json!(cell)));
            Value::Object(fields.collect::<Map<_, _>>())
        };
        json!({ "title": self.title, "note": self.note, "rows": self.rows.iter().map(object).collect::<Vec<_>>() })
    }
}

/// Prints tables.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    json: bool,
}

impl Printer {
    /// A printer of JSON, with one table per line, or else of Markdown.
    #[must_use]
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints a table.
    pub fn table(self, table: &Table) {
        if self.json {
            line(&table.json());
        } else {
            out(&table.markdown());
        }
    }
}

/// Prints one line of JSON, for the process that started this one.
pub fn line(value: &impl Serialize) {
    out(&serde_json::to_string(value).unwrap_or_default());
}

#[expect(clippy::print_stdout, reason = "tables are what these programs are for")]
fn out(text: &str) {
    println!("{text}");
}

/// Reports progress to the person who waits.
#[expect(clippy::print_stderr, reason = "standard output is for tables")]
pub fn progress(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown_and_json() {
        let mut table = Table::new("Title", "Note.", &["what", "a second"]);
        table.row(["stores".into(), Cell::from(1_234_usize)]);
        table.row(["reads".into(), Cell::None]);
        let markdown =
            "### Title\n\nNote.\n\n| what | a second |\n|---|---:|\n| stores | 1,234 |\n| reads |  |\n";
        assert_eq!(table.markdown(), markdown);
        let rows = json!([{"what": "stores", "a second": 1_234}, {"what": "reads", "a second": null}]);
        assert_eq!(table.json()["rows"], rows);
    }
}
