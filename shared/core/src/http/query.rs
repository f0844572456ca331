//! Query strings (`application/x-www-form-urlencoded`, WHATWG URL, section 5.1).

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::problem::Problem;

/// The parameters of a query string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Reads a query string, without its question mark.
    ///
    /// # Errors
    /// Fails if the text is not UTF-8, or a parameter is given twice.
    pub fn parse(text: &'a str) -> Result<Self, Problem> {
        let mut parameters: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode("query", name)?, decode(name, value)?);
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(Problem::field(&name, "this parameter may be given once"));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// Returns the value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Refuses every parameter that is not one of `allowed`.
    ///
    /// # Errors
    /// The problem names the parameter, and those that are allowed.
    pub fn only(&self, allowed: &[&str]) -> Result<(), Problem> {
        match self.0.iter().find(|(name, _)| !allowed.contains(&&**name)) {
            None => Ok(()),
            Some((name, _)) => {
                let list = allowed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                Err(Problem::field(name, format!("no such parameter; this path takes {list}")))
            }
        }
    }

    /// Returns a parameter that is a whole number within bounds.
    ///
    /// # Errors
    /// The problem names the parameter and the bounds.
    pub fn number(&self, name: &str, lowest: u64, highest: u64) -> Result<Option<u64>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if (lowest..=highest).contains(&number) => Ok(Some(number)),
            _ => {
                Err(Problem::field(name, format!("a whole number from {lowest} to {highest}, not `{text}`")))
            }
        }
    }
}

fn decode<'a>(name: &str, text: &'a str) -> Result<Cow<'a, str>, Problem> {
    // A plus is a space. Text without one is not copied.
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        let decoded = percent_decode(spaced.as_bytes()).decode_utf8().map(Cow::into_owned);
        return decoded.map(Cow::Owned).map_err(|_| Problem::field(name, "it has to be UTF-8"));
    }
    percent_decode(text.as_bytes()).decode_utf8().map_err(|_| Problem::field(name, "it has to be UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_once() {
        let query = Query::parse("a=%2541&b=x+y&c&&d=%C3%A4").unwrap();
        assert_eq!((query.get("a"), query.get("b"), query.get("c")), (Some("%41"), Some("x y"), Some("")));
        assert_eq!((query.get("d"), query.get("e")), (Some("ä"), None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(Query::parse("a=1&a=2").unwrap_err().field.as_deref(), Some("a"));
        assert_eq!(Query::parse("a=%ff").unwrap_err().field.as_deref(), Some("a"));
        let query = Query::parse("limit=0&x=1").unwrap();
        assert_eq!(query.only(&["limit"]).unwrap_err().field.as_deref(), Some("x"));
        let detail = query.number("limit", 1, 10).unwrap_err().detail;
        assert_eq!(detail, "`limit`: a whole number from 1 to 10, not `0`");
    }
}
