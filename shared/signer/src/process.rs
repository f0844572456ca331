//! Signing of renditions in a process of its own, because an original may be crafted to take hours and all memory. The process
//! asks for each signature, and never has the key.

use std::io::{self, BufReader, Read, Write as _};
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use credlink_isolation::{End, MAX_KILLED, Running, limit, memory_for, time_for, unless_killed};
use credlink_ports::{NotSigned, SignedRendition, SigningOrder};
use credlink_runtime::deadline::within;
use credlink_signing::ClaimSigner;
use credlink_signing::conversation::{self, Said};
use tokio::runtime::Handle;

/// The number of messages that the process may send besides a claim for each rendition. One of them is its last message.
const SPARE_MESSAGES: usize = 4;

/// The time that is left for what follows the signatures, before the work around them is cut off.
const AFTERWARDS: Duration = Duration::from_secs(15);

/// The command of the program that starts such a process: its first argument. It is followed by `--memory` and a number of bytes.
pub const COMMAND: &str = "sign-renditions";

/// Takes part in the conversation as the process that signs renditions, if the arguments after the name of the program ask for it.
/// Otherwise returns `None`.
///
/// # Errors
/// Fails as [`answer`] does, or if no memory is named.
pub fn answer_if_asked(mut arguments: impl Iterator<Item = String>) -> Option<io::Result<()>> {
    arguments.next().filter(|command| command == COMMAND)?;
    let memory = arguments.nth(1).and_then(|memory| memory.parse().ok());
    Some(memory.ok_or_else(|| io::Error::other("no memory is named")).and_then(answer))
}

/// Takes part in the conversation as the process that signs renditions, within so many bytes of memory.
///
/// # Errors
/// Fails if memory cannot be limited, or if the conversation breaks off.
pub fn answer(memory: u64) -> io::Result<()> {
    limit(memory)?;
    conversation::answer(&mut BufReader::new(io::stdin().lock()), &mut io::stdout().lock())
}

/// The bounds of a process, besides those that follow from the length of the original.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The most memory, in bytes of address space.
    pub(crate) memory: u64,
    /// The time until the work around it is cut off, if it is.
    pub(crate) deadline: Option<Duration>,
}

/// Has the renditions of a picture signed by a process, which is killed when its time is up. Signatures are awaited on
/// `runtime`. If the system kills the process, as when memory is short, another one is tried, a few times.
///
/// # Errors
/// Fails as the process says, or if the process was cut off, in which case another attempt would be cut off too.
pub(crate) fn sign(
    original: &[u8],
    order: &SigningOrder,
    signer: &dyn ClaimSigner,
    runtime: &Handle,
    bounds: &Bounds,
) -> Result<Vec<SignedRendition>, NotSigned> {
    let last = bounds.deadline.map(|left| Instant::now() + left.saturating_sub(AFTERWARDS));
    let attempt = || try_to_sign(original, order, signer, runtime, bounds.memory, last);
    unless_killed(attempt, |error| matches!(error, CutOff::Killed)).map_err(|error| match error {
        CutOff::Killed => {
            let why =
                format!("the system killed {MAX_KILLED} processes, one after the other: memory is short");
            NotSigned::Unable(why)
        }
        CutOff::NotSigned(error) => error,
    })
}

/// The end of a process that has signed nothing.
enum CutOff {
    /// The system killed it.
    Killed,
    /// For another reason.
    NotSigned(NotSigned),
}

impl From<NotSigned> for CutOff {
    fn from(error: NotSigned) -> Self {
        Self::NotSigned(error)
    }
}

fn try_to_sign(
    original: &[u8],
    order: &SigningOrder,
    signer: &dyn ClaimSigner,
    runtime: &Handle,
    most_memory: u64,
    last: Option<Instant>,
) -> Result<Vec<SignedRendition>, CutOff> {
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let length = original.len() as u64;
    // This process has the original twice until it was sent.
    let memory = memory_for(length).min(most_memory.saturating_sub(2 * length));
    let messages = conversation::order(original, order, signer.certificates());
    let messages = messages.map_err(|error| NotSigned::Unable(error.to_string()))?;
    let mut command = Command::new(program);
    command.args([COMMAND, "--memory", &memory.to_string()]);
    let mut running = Running::spawn(&mut command).map_err(|error| failed(&error))?;
    let Running(child) = &mut running;
    let (say, to_say) = mpsc::channel::<Vec<u8>>();
    if let Some(mut stdin) = child.stdin.take() {
        // A process that ends early does not read the rest.
        thread::spawn(move || to_say.into_iter().try_for_each(|message| stdin.write_all(&message)));
    }
    let (tell, told) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || hear_all(BufReader::new(stdout), &tell));
    }
    // If the message is lost, the process has ended, and says nothing more.
    let _ = say.send(messages);
    let time = time_for(length);
    let (began, mut until) = (Instant::now(), Instant::now() + time);
    let mut signing = Duration::ZERO;
    for _ in 0..order.renditions.len() + SPARE_MESSAGES {
        let end = last.map_or(until, |last| last.min(until));
        match told.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(Ok(Said::End(end))) => return Ok(end?),
            Ok(Ok(Said::Claim(claim))) => {
                // The process does not pay for the time of the signer, which has limits of its own.
                let asked = Instant::now();
                let signature = match last {
                    Some(last) => runtime.block_on(within(last.into(), signer.sign(&claim))),
                    None => runtime.block_on(signer.sign(&claim)),
                };
                let signature = signature.map_err(NotSigned::from)?;
                signing += asked.elapsed();
                until += asked.elapsed();
                let _ = say.send(conversation::signature(&signature));
            }
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected)
                if matches!(running.end(), Some(End::Stopped | End::Killed)) =>
            {
                return Err(match running.end() {
                    Some(End::Killed) => CutOff::Killed,
                    _ => failed(&"their process was stopped").into(),
                });
            }
            Ok(Err(error)) => {
                return Err(NotSigned::Unable(format!("the process was cut off: {error}")).into());
            }
            // A signer that was slow may be fast the next time. The original stays the same.
            Err(RecvTimeoutError::Timeout) if signing > began.elapsed() / 2 => {
                return Err(failed(&format!("the signatures took {} s", signing.as_secs())).into());
            }
            Err(RecvTimeoutError::Timeout) => {
                let seconds = began.elapsed().as_secs();
                return Err(NotSigned::Unable(format!("it took {seconds} s, and may not take longer")).into());
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(NotSigned::Unable("the process ended early".to_owned()).into());
            }
        }
    }
    Err(NotSigned::Unable("the process asked for too many signatures".to_owned()).into())
}

/// Passes on what the process says, until it has finished.
fn hear_all(mut from: impl Read, tell: &Sender<io::Result<Said>>) {
    loop {
        let said = conversation::hear(&mut from);
        let is_last = !matches!(said, Ok(Said::Claim(_)));
        if tell.send(said).is_err() || is_last {
            return;
        }
    }
}

/// Returns a failure that may pass.
fn failed(why: &dyn std::fmt::Display) -> NotSigned {
    crate::unavailable(why).into()
}
