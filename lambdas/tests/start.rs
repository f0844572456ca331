//! Starts the binaries as Lambda does, with invalid configurations: each ends at once and logs the reason.

use std::process::Command;

use serde_json::Value;

#[test]
fn a_function_that_is_set_up_wrongly_ends_with_a_line_in_words() {
    for (name, binary) in [
        ("store", env!("CARGO_BIN_EXE_store")),
        ("retrieve", env!("CARGO_BIN_EXE_retrieve")),
        ("delete", env!("CARGO_BIN_EXE_delete")),
        ("migrate", env!("CARGO_BIN_EXE_migrate")),
        ("cleanup", env!("CARGO_BIN_EXE_cleanup")),
        #[cfg(feature = "finalise")]
        ("finalise", env!("CARGO_BIN_EXE_finalise")),
    ] {
        for (variable, value, reason) in [
            ("STORAGE_PROVIDER", "ftp", "STORAGE_PROVIDER is `ftp`; allowed is s3, r2 or folder"),
            ("CREDLINK_LINK_KEYS", "hush", "CREDLINK_LINK_KEYS"),
        ] {
            // Nothing listens at this address, and the function never connects to it.
            let mut command = Command::new(binary);
            command.env_clear().env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1").env(variable, value);
            let ended = command.output().unwrap();
            assert!(!ended.status.success(), "{name}: {}", ended.status);
            let printed = String::from_utf8(ended.stdout).unwrap();
            let line: Value =
                serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{name}: {error}: {printed}"));
            assert_eq!(
                (&line["level"], &line["message"]),
                (&"ERROR".into(), &"the function does not start".into())
            );
            let said = line["reason"].as_str().unwrap();
            assert!(said.contains(reason) && !said.contains("hush"), "{name}: {said}");
        }
    }
}

#[cfg(feature = "finalise")]
#[test]
fn a_finaliser_has_room_for_the_files_of_all_collections() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_finalise"));
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512");
    let ended = command.output().unwrap();
    assert!(!ended.status.success());
    let line: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let said = line["reason"].as_str().unwrap();
    assert!(said.contains("CREDLINK_COLLECTIONS cannot be used by this function: `collections."), "{said}");
    assert!(said.contains("at most 24870912 here"), "{said}");
}
