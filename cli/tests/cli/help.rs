//! The output of `--help`: the interface, as a person reads it.

use crate::world::World;

#[test]
fn help_is_as_it_is_documented() {
    let world = World::new();
    let commands = [
        "",
        "serve ",
        "put ",
        "get ",
        "verify ",
        "list ",
        "delete ",
        "withdraw ",
        "front ",
        "fsck ",
        "cleanup ",
        "rebuild ",
        "stats ",
        "completions ",
    ];
    let storage = ["", "ls ", "stat ", "cp ", "mv ", "rm ", "sign ", "cat ", "put ", "health ", "stats "];
    let storage = storage.map(|command| format!("storage {command}"));
    let migrate = [
        "",
        "plan ",
        "run ",
        "verify ",
        "catalogue ",
        "status ",
        "report ",
        "cleanup ",
        "rollback ",
        "redrive ",
        "remove ",
    ];
    let migrate = migrate.map(|command| format!("migrate {command}"));
    let files = [
        "",
        "put ",
        "get ",
        "show ",
        "list ",
        "delete ",
        "link ",
        "regenerate ",
        "attach ",
        "detach ",
        "replace ",
        "order ",
        "status ",
        "abort ",
    ];
    let files = files.map(|command| format!("files {command}"));
    let grouped = storage.iter().chain(&migrate).chain(&files).map(String::as_str);
    for command in commands.iter().copied().chain(grouped) {
        let help = world.run(&format!("{command}--help")).ends(0).stdout();
        let name = if command.is_empty() { "help" } else { &command.trim_end().replace(' ', "_") };
        insta::assert_snapshot!(name, help);
    }
    world.run("completions bash").ends(0).says(&["_credlink"]);
}
