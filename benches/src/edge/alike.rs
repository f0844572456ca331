//! A check before any measurement: both Workers give the same answers.

use std::time::{Duration, Instant};

use http::HeaderValue;
use http::header::{AGE, DATE};

use crate::client::{Answer, Connection};
use crate::edge::cases::Case;
use crate::error::Error;
use crate::work::Work as _;

/// The time that an entry may take to reach the cache.
const PATIENCE: Duration = Duration::from_secs(20);

/// Fills the caches of both Workers, and compares every answer: status, headers and body with each other, and the body
/// with the stored one. The seconds of `age` depend on the clock, and `date` is ignored.
///
/// # Errors
/// Fails with the first difference.
pub async fn compare(case: &Case, rust: &mut Connection, javascript: &mut Connection) -> Result<(), Error> {
    for number in 0..case.variety() {
        let (ours, theirs) = (answer(case, number, rust).await?, answer(case, number, javascript).await?);
        for answer in [&ours, &theirs] {
            case.check_all(number, answer).map_err(Error::Wrong)?;
        }
        let (ours, theirs) = (show(&ours), show(&theirs));
        if ours != theirs {
            let why =
                format!("request {number} is answered in Rust by\n{ours}\nand in JavaScript by\n{theirs}");
            return Err(Error::wrong(case.name, why));
        }
    }
    Ok(())
}

/// The answer to a request, which comes from the cache if the case requires a hit.
async fn answer(case: &Case, number: u64, connection: &mut Connection) -> Result<Answer, Error> {
    let began = Instant::now();
    loop {
        let mut request = case.request(number);
        request.headers_mut().insert("x-request-id", HeaderValue::from_static("bench"));
        let answer = connection.ask(request).await?;
        let is_hit = answer.headers.get("cache-status").is_some_and(|status| status == "credlink; hit");
        if is_hit == case.hit {
            return Ok(answer);
        }
        if began.elapsed() > PATIENCE {
            return Err(Error::wrong(
                case.name,
                format!("the cache is in another state:\n{}", show(&answer)),
            ));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Status and headers, one per line, in alphabetical order.
fn show(answer: &Answer) -> String {
    let headers = answer.headers.iter().filter(|(name, _)| **name != DATE).map(|(name, value)| {
        let value = if *name == AGE { "(seconds)" } else { value.to_str().unwrap_or("(not ASCII)") };
        format!("{name}: {value}")
    });
    let mut headers: Vec<_> = headers.collect();
    headers.sort();
    format!("{}\n{}", answer.status.as_u16(), headers.join("\n"))
}
