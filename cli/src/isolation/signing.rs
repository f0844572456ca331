//! Signing of renditions in a process of its own, because an original may be crafted to take hours and all memory. The process
//! asks for each signature, and never has the key.

use std::io::{self, BufReader, Read, Write as _};
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use credlink_ports::{Failure, FailureKind, NotSigned, SignedRendition, SigningOrder};
use credlink_signing::ClaimSigner;
use credlink_signing::conversation::{self, Said};
use tokio::runtime::Handle;

use super::{Running, child, memory_for, time_for, was_stopped};
use crate::args::SignRenditions;
use crate::error::{Trouble, TroubleKind};
use crate::exit::Exit;

/// The number of messages that the process may send besides a claim for each rendition. One of them is its last message.
const SPARE_MESSAGES: usize = 4;

/// Takes part in the conversation as the process that signs renditions, within its memory limit.
pub fn answer(args: &SignRenditions) -> Result<Exit, Trouble> {
    child::limit(args.memory).map_err(|error| Trouble::new(TroubleKind::Server, error))?;
    let answered = conversation::answer(&mut BufReader::new(io::stdin().lock()), &mut io::stdout().lock());
    answered.map_err(|error| Trouble::new(TroubleKind::Server, error))?;
    Ok(Exit::Done)
}

/// Has the renditions of a picture signed by a process, which is killed when its time is up. Signatures are awaited on
/// `runtime`.
///
/// # Errors
/// Fails as the process says, or if the process was cut off, in which case another attempt would be cut off too.
pub fn sign(
    original: &[u8],
    order: &SigningOrder,
    signer: &dyn ClaimSigner,
    runtime: &Handle,
) -> Result<Vec<SignedRendition>, NotSigned> {
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let length = original.len() as u64;
    let memory = memory_for(length);
    let messages = conversation::order(original, order, signer.certificates());
    let messages = messages.map_err(|error| NotSigned::Unable(error.to_string()))?;
    let mut command = Command::new(program);
    command.args(["sign-renditions", "--memory", &memory.to_string()]);
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
    let mut until = Instant::now() + time;
    for _ in 0..order.renditions.len() + SPARE_MESSAGES {
        match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Ok(Said::End(end))) => return end,
            Ok(Ok(Said::Claim(claim))) => {
                // The process does not pay for the time of the signer, which has limits of its own.
                let asked = Instant::now();
                let signature = runtime.block_on(signer.sign(&claim))?;
                until += asked.elapsed();
                let _ = say.send(conversation::signature(Some(&signature)));
            }
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) if running.was_stopped() => {
                return Err(failed(&"their process was stopped"));
            }
            Ok(Err(error)) => return Err(NotSigned::Unable(format!("the process was cut off: {error}"))),
            Err(RecvTimeoutError::Timeout) => {
                return Err(NotSigned::Unable(format!("it took more than {} s", time.as_secs())));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(NotSigned::Unable("the process ended early".to_owned()));
            }
        }
    }
    Err(NotSigned::Unable("the process asked for too many signatures".to_owned()))
}

impl Running {
    /// Returns `true` if the process has ended because it was stopped, and not because of what it read. A process that has closed
    /// its output ends within moments.
    fn was_stopped(&mut self) -> bool {
        for _ in 0..100 {
            match self.0.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(10)),
                Ok(Some(status)) => return was_stopped(status),
                Err(_) => return false,
            }
        }
        false
    }
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

/// Returns the failure to start the process.
fn failed(why: &dyn std::fmt::Display) -> NotSigned {
    let message = format!("renditions are not signed: {why}");
    Failure { provider: "rendition signer", kind: FailureKind::Unavailable, message }.into()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_stopped_is_told_from_one_that_failed() {
        for (script, expected) in [
            ("kill -TERM $$; sleep 600", true),
            ("kill -KILL $$; sleep 600", true),
            ("kill -ABRT $$; sleep 600", false),
            ("exit 1", false),
        ] {
            let mut running = Running::spawn(Command::new("sh").args(["-c", script])).unwrap();
            assert_eq!(running.was_stopped(), expected, "{script}");
        }
    }
}
