use std::collections::BTreeSet;

use credlink_core::bounds::MAX_LIFETIME_SECONDS;
use credlink_deployment::configuration::{OF_THE_COMMAND, VARIABLES};

use super::*;

fn read(typed: &str) -> Result<Cli, String> {
    Cli::try_read(format!("credlink {typed}").split(' ')).map_err(|error| error.to_string())
}

#[test]
fn the_definition_is_sound() {
    Cli::definition().debug_assert();
}

#[test]
fn help_offers_what_the_command_takes() {
    let help = |typed: &str| read(&format!("{typed} --help")).unwrap_err();
    for (typed, offered, hidden) in [
        ("serve", "--data-dir", &["--url", "--token ", "--tenant"][..]),
        ("fsck", "--data-dir", &["--url", "--token ", "--tenant"]),
        ("files put", "--token ", &["--data-dir", "--tenant"]),
        ("storage ls", "--data-dir", &["--url", "--token ", "--tenant"]),
        ("migrate run", "--tenant", &["--url"]),
        ("completions", "--json", &["--url", "--data-dir", "--token ", "--tenant"]),
        ("put", "--url", &[]),
    ] {
        let said = help(typed);
        assert!(said.contains(offered), "{typed}: {said}");
        for option in hidden {
            assert!(!said.contains(option), "{typed} {option}: {said}");
        }
    }
}

#[test]
fn where_may_be_typed_before_and_behind_the_command() {
    for typed in ["--data-dir a put x", "put x --data-dir a"] {
        assert_eq!(read(typed).unwrap().connection.data_dir, Some(PathBuf::from("a")), "{typed}");
    }
    for typed in ["--url http://a stats", "stats --url http://a"] {
        assert_eq!(read(typed).unwrap().connection.url(), "http://a", "{typed}");
    }
}

#[test]
fn a_tenant_that_was_named_is_told_from_one_that_was_not() {
    for (typed, is_named) in [
        ("stats", false),
        ("--tenant default stats", true),
        ("stats --tenant default", true),
        ("stats --tenant acme", true),
    ] {
        assert_eq!(read(typed).unwrap().connection.tenant_is_named, is_named, "{typed}");
    }
}

/// Returns the variables of all options.
fn variables(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str().map(ToOwned::to_owned));
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}

#[test]
fn variables_of_options_are_known() {
    let known: BTreeSet<&str> =
        VARIABLES.iter().map(|variable| variable.name).chain(OF_THE_COMMAND).collect();
    let read = variables(&Cli::definition());
    assert!(read.contains("CREDLINK_URL") && read.contains("CREDLINK_LISTEN"), "{read:?}");
    for name in read {
        assert!(known.contains(name.as_str()), "{name} would be reported as unknown");
    }
}

#[test]
fn a_variable_that_is_set_to_nothing_counts_as_not_set() {
    let read_in = |typed: &str, emptied: &[&str]| {
        let typed = format!("credlink {typed}");
        Cli::try_read_in(typed.split(' '), &|name| emptied.iter().any(|emptied| *emptied == name))
            .map_err(|error| error.to_string())
    };
    let all = variables(&Cli::definition());
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    for typed in ["stats", "files list", "fsck", "migrate status --job a"] {
        let read = read_in(typed, &all).unwrap_or_else(|error| panic!("{typed}: {error}"));
        assert!(!read.connection.tenant_is_named, "{typed}");
        assert_eq!(read.connection.url(), DEFAULT_URL, "{typed}");
    }
    let harmless: Vec<&str> =
        all.iter().copied().filter(|name| !["CREDLINK_TOKENS", "CREDLINK_JWKS"].contains(name)).collect();
    let Command::Serve(serve) = read_in("serve", &harmless).unwrap().command else { panic!("serve") };
    assert_eq!(
        (serve.listen.as_str(), serve.data_dir, serve.public_url),
        ("127.0.0.1:8787", PathBuf::from(DATA_DIR), None)
    );
    // A server without credentials trusts every program on its machine.
    for name in ["CREDLINK_TOKENS", "CREDLINK_JWKS"] {
        let error = read_in("serve", &[name]).unwrap_err();
        assert!(error.contains(&format!("{name} is set to nothing")), "{error}");
    }
    read_in("serve --tokens t.json", &["CREDLINK_TOKENS"]).unwrap();
}

#[test]
fn serve_and_fsck_have_a_folder_by_default() {
    for typed in ["serve --data-dir a", "--data-dir a serve"] {
        let Command::Serve(serve) = read(typed).unwrap().command else { panic!("{typed}") };
        assert_eq!(serve.data_dir, PathBuf::from("a"), "{typed}");
    }
    let Command::Fsck(fsck) = read("fsck").unwrap().command else { panic!("fsck") };
    assert_eq!(fsck.data_dir, PathBuf::from(DATA_DIR));
}

#[test]
fn a_lifetime_is_seconds_or_has_a_unit() {
    for (typed, seconds) in [("90", 90), ("1h", 3_600), ("3650d", MAX_LIFETIME_SECONDS)] {
        let Command::Put(put) = read(&format!("put x --expires-in {typed}")).unwrap().command else {
            panic!("put")
        };
        assert_eq!(put.expires_in, Some(seconds), "{typed}");
    }
}

#[test]
fn no_list_names_what_is_for_the_program_itself() {
    for typed in ["--json", "--help"] {
        let error = read(typed).unwrap_err();
        assert!(error.contains("verify") && !error.contains("read-media"), "{error}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (typed, said) in [
        ("put x --url http://a --data-dir b", "not both"),
        ("--url http://a put x --data-dir b", "not both"),
        ("fsck --url http://a", "deployment itself"),
        ("serve --url http://a", "--public-url"),
        ("serve --token a", "serve takes --tokens FILE"),
        ("--token a serve --tokens t.json", "serve takes --tokens FILE"),
        ("serve --tenant a", "serve takes --tokens FILE"),
        ("files put x --collection c --data-dir a", "files takes --url, and no --data-dir"),
        ("--tenant a files put x --collection c", "files takes --token, and no --tenant"),
        ("files put x", "--collection <NAME>"),
        ("files put --collection c", "<FILE>"),
        ("files put x --collection C", "1 to 40 characters"),
        ("files put x --collection c --entity item", "TYPE/ID"),
        ("files put x --collection c --position 0", "--entity <TYPE/ID>"),
        ("files put x --collection c --access all", "`public`, `authenticated` or `private`"),
        ("files put x --collection c --concurrency 17", "1..=16"),
        ("files put x --collection c --patience 0", "from one second to a day"),
        ("files put x --collection c --no-wait --patience 1m", "cannot be used with"),
        ("files put x --resume abc", "32 characters"),
        ("files get abc", "32 characters"),
        ("files list --entity item", "TYPE/ID"),
        ("files regenerate", "<ID>"),
        ("put x --tag nothing", "KEY=VALUE"),
        ("put x --expires-in 1y", "a number and s, m, h or d"),
        ("put x --expires-in soon", "a number and s, m, h or d"),
        ("put x --expires-in 3y", "a plain number is seconds"),
        ("list --limit x", "a whole number, 1 or more"),
        ("list --limit 0", "a whole number, 1 or more"),
        ("list --limit -1", "a whole number, 1 or more"),
        ("get x --force", "--output <FILE>"),
        ("put x --expires-in 0", "from one second to ten years"),
        ("serve --jwks k.json", "--jwt-issuer <NAME>"),
        ("serve --jwks k.json --jwt-issuer i", "--jwt-audience <NAME>"),
        ("serve --jwt-issuer i --jwt-audience a", "--jwks <FILE|URL>"),
        ("serve --jwks http://a.example/ --jwt-issuer i --jwt-audience a", "an https:// address"),
    ] {
        let error = read(typed).unwrap_err();
        assert!(error.contains(said), "{typed}: {error}");
    }
}
