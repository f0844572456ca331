//! What `--help` says: the interface, as a person reads it.

use crate::world::World;

#[test]
fn help_is_as_it_is_documented() {
    let world = World::new();
    for command in
        ["", "serve ", "put ", "get ", "verify ", "list ", "delete ", "fsck ", "stats ", "completions "]
    {
        let help = world.run(&format!("{command}--help")).ends(0).stdout();
        let name = if command.is_empty() { "help" } else { command.trim_end() };
        insta::assert_snapshot!(name, help);
    }
    world.run("completions bash").ends(0).says(&["_credlink"]);
}
