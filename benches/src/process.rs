//! A process that is run to its end, and the resources that it used.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::Error;

/// Interval at which a process's memory is sampled.
const LOOK: Duration = Duration::from_millis(10);
/// Clock ticks per second in `/proc/PID/stat` (`sysconf(_SC_CLK_TCK)` on every Linux).
const TICKS: f64 = 100.0;

/// The resources that one process used.
#[derive(Debug, Clone, Copy)]
pub struct Ran {
    /// From its start to its end, in seconds.
    pub seconds: f64,
    /// Processor time, in seconds.
    pub cpu: f64,
    /// Peak memory, in megabytes.
    pub memory: f64,
}

/// Runs a process to its end.
///
/// # Errors
/// Fails if it cannot be started, or does not succeed.
pub fn measured(command: &mut Command) -> Result<Ran, Error> {
    let began = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(Error::io(format!("starting {:?}", command.get_program())))?;
    let errors = child.stderr.take();
    let said = std::thread::spawn(move || {
        let mut said = String::new();
        let read = errors.map(|mut errors| std::io::Read::read_to_string(&mut errors, &mut said));
        (read, said)
    });
    let process = format!("/proc/{}", child.id());
    let (mut cpu, mut memory) = (0.0, 0.0);
    // A process that has ended remains until it is waited for, with its times and without its memory.
    let status = loop {
        cpu = ticks(&process).unwrap_or(cpu);
        memory = peak(&process).unwrap_or(memory);
        if is_over(&process) {
            break child.wait().map_err(Error::io("waiting for a process"))?;
        }
        std::thread::sleep(LOOK);
    };
    let seconds = began.elapsed().as_secs_f64();
    if !status.success() {
        let said = said.join().map(|(_, said)| said).unwrap_or_default();
        return Err(Error::wrong("a process", format!("{command:?}: {status}: {said}")));
    }
    Ok(Ran { seconds, cpu, memory })
}

/// User and system time so far, in seconds (`proc_pid_stat(5)`, fields 14 and 15).
fn ticks(process: &str) -> Option<f64> {
    let stat = fs::read_to_string(format!("{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    Some((field(14)? + field(15)?) / TICKS)
}

/// Returns `true` if the process has ended and is a zombie.
fn is_over(process: &str) -> bool {
    let stat = fs::read_to_string(format!("{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

/// The peak memory of a process, in megabytes.
fn peak(process: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1_000.0)
}
