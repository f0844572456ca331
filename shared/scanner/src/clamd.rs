//! clamd, the server of ClamAV, by its command `INSTREAM` (clamd(8)): the bytes are sent in chunks, each behind its length
//! in four bytes in network order; a chunk of length zero ends them, and one line is the answer.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use credlink_core::row::UploadRow;
use credlink_ports::{Begun, Failure, FailureKind, Scan, Scanner, Scanning, Verdict};
use credlink_runtime::deadline;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::ClamdAddress;

/// The time within which clamd has to accept a connection, and a chunk.
const STEP: Duration = Duration::from_secs(30);

/// The time within which clamd has to answer once it has all bytes. Its own limit, `MaxScanTime`, is two minutes.
const ANSWER: Duration = Duration::from_secs(180);

/// The longest answer that is read. clamd's own have some hundred bytes.
const ANSWER_BYTES: u64 = 4_096;

/// The largest chunk. clamd takes any length up to its `StreamMaxLength`.
const CHUNK_BYTES: usize = 1_048_576;

/// A clamd at an address.
#[derive(Clone, Debug)]
pub struct Clamd {
    address: ClamdAddress,
}

impl Clamd {
    /// Returns the clamd at `address`. It is connected to for each file.
    #[must_use]
    pub const fn new(address: ClamdAddress) -> Self {
        Self { address }
    }

    async fn connect(&self) -> Result<Stream, Failure> {
        let connecting = async {
            Ok(match &self.address {
                ClamdAddress::Unix(path) => Box::new(UnixStream::connect(path).await?) as Box<dyn Connection>,
                ClamdAddress::Tcp(address) => Box::new(TcpStream::connect(address.as_str()).await?),
            })
        };
        let connection = in_time(STEP, connecting).await;
        let connection = connection.map_err(|error| failed(&format!("at {}: {error}", self.address)))?;
        Ok(Stream { connection, answer: None })
    }
}

impl Scanner for Clamd {
    fn begin<'a>(&'a self, _upload: &'a UploadRow) -> Scanning<'a, Begun> {
        Box::pin(async move {
            let mut stream = self.connect().await?;
            // `z`: the command ends with a NUL, and so does the answer.
            stream.write(b"zINSTREAM\0").await?;
            Ok(Begun::Reads(Box::new(stream)))
        })
    }
}

/// A connection to clamd.
trait Connection: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Connection for T {}

/// The bytes of one file on their way to clamd.
struct Stream {
    connection: Box<dyn Connection>,
    /// The answer, if it came before the end of the bytes: clamd takes no file that is longer than its limit.
    answer: Option<String>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("answer", &self.answer).finish_non_exhaustive()
    }
}

impl Stream {
    /// Sends bytes, unless clamd has answered already.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.answer.is_some() {
            return Ok(());
        }
        let Err(error) = in_time(STEP, self.connection.write_all(bytes)).await else { return Ok(()) };
        // A connection that clamd has closed may still hold the reason.
        match self.read().await {
            Ok(answer) => {
                self.answer = Some(answer);
                Ok(())
            }
            Err(_) => Err(failed(&error)),
        }
    }

    async fn read(&mut self) -> io::Result<String> {
        let mut answer = Vec::new();
        let mut bounded = (&mut self.connection).take(ANSWER_BYTES);
        let read = in_time(ANSWER, bounded.read_to_end(&mut answer)).await;
        // A connection that is reset after the answer has still told it.
        if !answer.ends_with(b"\0") {
            read?;
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.pop();
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

impl Scan for Stream {
    fn send(&mut self, bytes: Bytes) -> Scanning<'_, ()> {
        Box::pin(async move {
            for chunk in bytes.chunks(CHUNK_BYTES) {
                // A chunk is shorter than 2^32 bytes.
                let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
                self.write(&length.to_be_bytes()).await?;
                self.write(chunk).await?;
            }
            Ok(())
        })
    }

    fn finish(mut self: Box<Self>) -> Scanning<'static, Verdict> {
        Box::pin(async move {
            self.write(&[0; 4]).await?;
            let answer = match self.answer.take() {
                Some(answer) => answer,
                None => self.read().await.map_err(|error| failed(&error))?,
            };
            verdict(&answer)
        })
    }
}

/// Reads an answer: `stream: OK`, `stream: NAME FOUND`, or words that end with `ERROR`.
fn verdict(answer: &str) -> Result<Verdict, Failure> {
    let said = answer.strip_prefix("stream: ").unwrap_or(answer);
    if said == "OK" {
        return Ok(Verdict::Clean);
    }
    if let Some(name) = said.strip_suffix(" FOUND") {
        // With `AlertExceedsMax`, clamd says so of a file that it has not read to its end.
        if name.starts_with("Heuristics.Limits.Exceeded") {
            return Ok(Verdict::Unchecked(format!("the file exceeds a limit of clamd: {name}")));
        }
        return Ok(Verdict::Malware(name.to_owned()));
    }
    if said.contains("size limit exceeded") {
        let advice = "the file is longer than clamd's StreamMaxLength";
        return Ok(Verdict::Unchecked(format!("{advice}: {said}")));
    }
    Err(failed(&format!("clamd answered: {said}")))
}

/// Waits for `work`, until the deadline of the task at the longest.
async fn in_time<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let limit = deadline::at_most(limit);
    timeout(limit, work).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs())))
    })
}

fn failed(why: &dyn std::fmt::Display) -> Failure {
    Failure { provider: "clamd", kind: FailureKind::Unavailable, message: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_verdicts() {
        assert_eq!(verdict("stream: OK"), Ok(Verdict::Clean));
        assert_eq!(
            verdict("stream: Eicar-Test-Signature FOUND"),
            Ok(Verdict::Malware("Eicar-Test-Signature".to_owned()))
        );
        let unread = verdict("stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND");
        assert!(matches!(unread, Ok(Verdict::Unchecked(why)) if why.contains("MaxFileSize")));
        let too_long = verdict("INSTREAM size limit exceeded. ERROR");
        assert!(matches!(too_long, Ok(Verdict::Unchecked(why)) if why.contains("StreamMaxLength")));
        for answer in ["", "UNKNOWN COMMAND", "stream: Can't allocate memory ERROR", "OK stream:"] {
            let failure = verdict(answer).unwrap_err();
            let said = answer.trim_start_matches("stream: ");
            assert!(
                failure.message.ends_with(said) && failure.message.contains("clamd answered"),
                "{failure}"
            );
        }
    }
}
