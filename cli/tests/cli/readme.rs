//! The commands at the top of the README, pasted into the shells that readers have, in a namespace whose port 8787 is
//! free. Instead of building, `cargo` runs the programs that were built with the tests.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{Ran, World, without_network};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Stands in for cargo. Whatever the README does not type is an error.
const CARGO: &str = r#"#!/bin/sh
case "$*" in
"build --release -p credlink --bins --examples") exit 0 ;;
"run -q --release -p credlink -- "*) shift 6; exec "$PROGRAM" "$@" ;;
"run -q --release -p credlink --example "*" -- "*) example=$7; shift 8; exec "$EXAMPLES/$example" "$@" ;;
esac
echo "cargo was called with $*" >&2
exit 1
"#;

/// Brings the loopback interface up, since a new namespace begins without one.
const LOOPBACK: &str = "import fcntl, socket, struct; \
                        fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 0x41))";

/// Takes port 8787 at once, and answers every request there with an error, in the background.
const OTHER_PROGRAM: &str = "import os; from http.server import HTTPServer, BaseHTTPRequestHandler as Handler; \
                             server = HTTPServer(('127.0.0.1', 8787), Handler); \
                             os.fork() or server.serve_forever()";

/// Returns the first commands of the README.
fn commands() -> String {
    let readme = std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```sh\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// A folder that looks like a clone, and the shells of this machine.
struct Reader {
    world: World,
    examples: PathBuf,
}

impl Reader {
    fn new() -> Self {
        let world = World::new();
        std::fs::create_dir_all(world.path("bin")).unwrap();
        world.write("bin/cargo", CARGO.as_bytes());
        std::fs::set_permissions(world.path("bin/cargo"), Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(Path::new(ROOT).join("tests"), world.path("tests")).unwrap();
        let test = std::env::current_exe().unwrap();
        let examples = test.ancestors().nth(2).unwrap().join("examples");
        assert!(
            examples.join("sign").exists(),
            "cargo builds examples along with tests, unless a test is named"
        );
        Self { world, examples }
    }

    /// Runs a script in `shell` after `before`, and stops the server if the script came to its end. Nothing that it started
    /// outlives it.
    fn pastes(&self, shell: &str, before: &str, script: &str) -> Ran {
        self.world.write("script", format!("{script}\nkill $!\nwait\n").as_bytes());
        let plain = self.world.command("serve");
        let mut command = without_network(&["--pid", "--fork", "--kill-child"]);
        let outer =
            format!("python3 -c \"{LOOPBACK}\" && {before} exec timeout 60 {shell} script </dev/null 2>&1");
        command.args(["sh", "-c", &outer]).current_dir(self.world.path("."));
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.world.path("bin").display()));
        command.env("PROGRAM", plain.get_program()).env("EXAMPLES", &self.examples);
        Ran::of(shell, &mut command)
    }
}

/// Returns the shells of this machine, of those that readers have.
fn shells() -> impl Iterator<Item = &'static str> {
    let is_here = |shell: &&str| Command::new(shell).args(["-c", "exit"]).status().is_ok();
    // Every command of the README has to succeed, and no sign may be one that only some shells expand.
    ["sh -e", "bash -e", "zsh -e"].into_iter().filter(move |shell| is_here(&shell.split(' ').next().unwrap()))
}

#[test]
fn the_commands_of_the_readme_work_twice_in_every_shell() {
    assert!(!commands().contains('#'), "zsh takes a comment that is typed for arguments");
    let mut ran = 0;
    for shell in shells() {
        let reader = Reader::new();
        for _ in 0..2 {
            let said = reader.pastes(shell, "", &commands()).ends(0).says(&[
                "http://127.0.0.1:8787",
                "signed.jpg: Valid, manifest urn:c2pa:",
                "from http://127.0.0.1:8787/v1/manifests/urn:c2pa:",
            ]);
            let report = said.report();
            assert!(!report.contains("\"level\""), "a log runs into the terminal: {report}");
            assert!(!report.contains("No such process"), "{report}");
        }
        ran += 1;
    }
    assert!(ran > 0, "there is a shell");
}

#[test]
fn a_port_that_is_taken_is_said_and_ends_the_wait() {
    let reader = Reader::new();
    let script = commands();
    let until = script.find("cargo run -q --release -p credlink --example sign").unwrap();
    let taken = format!("python3 -c \"{OTHER_PROGRAM}\" >/dev/null 2>&1 &&");
    let said = reader.pastes("sh", &taken, &format!("{}echo the wait ended", &script[..until]));
    let said =
        said.says(&["cannot listen on 127.0.0.1:8787", "--listen names another address", "the wait ended"]);
    let report = said.report();
    assert!(!report.contains("exit status: 124"), "it waited for ever: {report}");
}

#[test]
fn the_example_replaces_what_it_made_and_no_other_file() {
    let reader = Reader::new();
    let sign = |dest: &str| {
        let mut command = Command::new(reader.examples.join("sign"));
        command.current_dir(reader.world.path(".")).args(["tests/pictures/waves.jpg", dest]);
        Ran::of("sign", &mut command)
    };
    sign("photo.jpg").ends(1).says(&["photo.jpg is there already", "was not made by this example"]);
    assert!(std::fs::read(reader.world.path("photo.jpg")).unwrap().ends_with(b"not much of a picture"));
    // A picture that another program signed has a manifest beside it, too.
    reader.world.write("photo.jpg.c2pa", b"of another program");
    sign("photo.jpg").ends(1).says(&["photo.jpg.c2pa is there already", "was not made by this example"]);
    assert!(std::fs::read(reader.world.path("photo.jpg")).unwrap().ends_with(b"not much of a picture"));
    assert_eq!(std::fs::read(reader.world.path("photo.jpg.c2pa")).unwrap(), b"of another program");
    sign("signed.jpg").ends(0);
    let first = std::fs::read(reader.world.path("signed.jpg")).unwrap();
    sign("signed.jpg").ends(0);
    let second = std::fs::read(reader.world.path("signed.jpg")).unwrap();
    assert_ne!(first, second, "each run has a manifest of its own");
    // A run that was cut off has left a manifest alone.
    std::fs::remove_file(reader.world.path("signed.jpg")).unwrap();
    sign("signed.jpg").ends(0);
}
