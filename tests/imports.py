#!/usr/bin/env python3
"""Checks imports: between crates against a table, and between the files of a crate for circles.

The manifest of a crate may name only the crates that the table below allows, and no feature of them that is for tests. The
crates that can be deleted whole (`migrate`, `migrate-io`, `migrate-service`, `hybrid`) may be named only by `deployment` and the CLI.

A file imports another one if it names it in a path that begins with `crate`, `self` or `super`, in code that is not a test.
A re-exported name (`pub use`) counts as an import of the file that it comes from, so a root that only lists its parts imports
nothing. A parent and its children may import each other; every other circle is an error.

Usage: tests/imports.py [FOLDER…]     a folder has Cargo.toml and src/; without one, all crates of the workspace are checked
"""

import re
import sys
import tomllib
from pathlib import Path

def without(names, others):
    return " ".join(name for name in names.split() if name not in others.split())


ROOT = Path(__file__).resolve().parent.parent
ENTRIES = ("lib.rs", "main.rs")

# The crates that each crate may have as normal dependencies, without `credlink-`. A crate comes after those that it may name.
BELOW = {
    "core": "",
    "ports": "core",
    "verify": "core",
    "pictures": "core",
    "recordings": "core",
    "server": "core",
    "workers": "core",
    "isolation": "",
    "runtime": "core ports",
    "renderer": "core ports runtime pictures",
    "signing": "core ports",
    "client": "core ports",
    "service": "core ports",
    "migrate": "core ports",
    "hybrid": "core ports service",
    "files": "core ports service",
    "metrics": "core ports runtime",
    "disk": "core ports runtime",
    "replication": "core ports runtime",
    "scanner": "core ports runtime",
    "aws": "core ports runtime",
    "s3": "core ports runtime aws",
    "dynamodb": "core ports runtime aws",
    "kms": "core ports runtime aws signing",
    "embedded": "core ports runtime disk",
    "cache": "core ports runtime disk client",
    "auth": "core ports runtime disk client metrics",
    "migrate-io": "core ports disk client",
    "migrate-service": "core ports service",
}
LIBRARIES = " ".join(BELOW)
BELOW["deployment"] = without(LIBRARIES, "verify server workers pictures renderer signing kms isolation")
BELOW["signer"] = "core ports runtime aws signing kms isolation deployment"
BELOW["lambdas"] = without(LIBRARIES, "verify server workers pictures signing kms isolation embedded migrate migrate-io migrate-service hybrid") + " deployment signer"
BELOW["cli"] = without(LIBRARIES, "workers signing kms") + " deployment signer"
# These test and measure all crates.
BELOW["tests"] = BELOW["benches"] = BELOW["fuzz"] = LIBRARIES + " deployment signer lambdas"

# The crates that can be deleted whole, and those that may depend on them.
DELETED_WHOLE = {"migrate", "migrate-io", "migrate-service", "hybrid"}
OVER_IT = {"deployment", "cli", "tests", "benches", "fuzz"}

# Features that are only for tests, and the crates that may enable them outside their tests.
DOUBLES = {"ports": "doubles", "disk": "recorder"}
MEASURING = {"benches"}
NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|r(#*)".*?"\1|"(?:\\.|[^"\\])*"|\'(?:\\.[^\']*|[^\'\\])\'', re.S)
TEST = re.compile(r"#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*")
USE = re.compile(r"^[ \t]*(pub(?:\([^)]*\))?[ \t]+)?use\s+([^;]+);", re.M)
MODULE = re.compile(r"^[ \t]*(?:pub(?:\([^)]*\))?[ \t]+)?mod\s+(\w+)\s*;", re.M)
PATH = re.compile(r"(?<![\w:])((?:crate|self|super)(?:::\w+)+)")


def code(text):
    """Returns the text without comments, strings and tests, and the modules that are only for tests."""
    text = NOISE.sub(lambda found: '""' if found[0][0] in 'r"' else " ", text)
    tests = set()
    while found := TEST.search(text):
        end = end_of_item(text, found.end())
        tests.update(MODULE.findall(text[found.end() : end]))
        text = text[: found.start()] + text[end:]
    return text, tests


def end_of_item(text, start):
    """Returns the position after the item that begins at `start`: after its `;`, or after its closing brace."""
    depth = 0
    for place in range(start, len(text)):
        character = text[place]
        depth += (character in "{([") - (character in "})]")
        if depth == 0 and character in ";}":
            return place + 1
    return len(text)


def names_in(tree):
    """Yields the paths of a `use`, each with the name that it introduces: `a::{b, c as d}` has `a::b` and `a::c`."""
    tree = " ".join(tree.split())
    if "{" not in tree:
        path, _, alias = tree.partition(" as ")
        path = path.strip().removesuffix("::self")
        yield path, alias.strip() or path.rsplit("::", 1)[-1]
        return
    start, _, rest = tree.partition("{")
    depth, part = 0, ""
    for character in rest.rstrip()[:-1] + ",":
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            if part.strip():
                yield from names_in(start.strip() + part.strip())
            part = ""
        else:
            part += character


class Crate:
    """The files under one root of a crate, and the imports of each."""

    def __init__(self, entry):
        self.source = entry.parent
        self.files = {(): entry}
        self.text = {}
        self.exports = {}
        waiting = [((), entry, entry.parent)]
        while waiting:
            module, file, folder = waiting.pop()
            text, tests = code(file.read_text(encoding="utf-8"))
            self.text[module] = text
            for name in MODULE.findall(text):
                for child in (folder / f"{name}.rs", folder / name / "mod.rs"):
                    if name not in tests and child.exists():
                        self.files[(*module, name)] = child
                        waiting.append(((*module, name), child, folder / name))
        for module, text in self.text.items():
            exports = self.exports[module] = {}
            for public, tree in USE.findall(text):
                for path, name in names_in(tree):
                    if public:
                        exports[name] = path

    def absolute(self, module, path):
        """Returns the parts of a path from the root of this crate, or `None` if it leads out of the crate."""
        parts = path.split("::")
        place = list(module)
        if parts[0] in ("crate", "self", "super"):
            if parts[0] == "crate":
                place = []
            elif parts[0] == "super":
                place = place[:-1]
            parts = parts[1:]
        elif (*module, parts[0]) not in self.files:
            return None
        while parts and parts[0] == "super":
            place, parts = place[:-1], parts[1:]
        return [*place, *parts]

    def file_of(self, parts, seen=()):
        """Returns the module in whose file a path from the root ends, after all re-exports."""
        for length in range(len(parts), -1, -1):
            module = tuple(parts[:length])
            if module not in self.files:
                continue
            if length < len(parts):
                export = self.exports[module].get(parts[length])
                path = export and self.absolute(module, export)
                if path and (module, parts[length]) not in seen:
                    return self.file_of([*path, *parts[length + 1 :]], (*seen, (module, parts[length])))
            return module
        return ()

    def imports(self, module):
        """Returns the modules that a module names."""
        text = self.text[module]
        paths = [path for path in PATH.findall(USE.sub("", text))]
        for public, tree in USE.findall(text):
            for path, name in names_in(tree):
                # A name that is only re-exported, and not used, is not an import.
                if not public or (name != "*" and re.search(rf"\b{name}\b", USE.sub("", text))):
                    paths.append(path)
        found = set()
        for path in paths:
            parts = self.absolute(module, path)
            if parts is not None:
                found.add(self.file_of([part for part in parts if part != "*"]))
        return found - {module}

    def circles(self):
        """Yields groups of files that import each other, with the imports of each. A file and the files in its folder may do so:
        the rest of such a group is examined again without that file."""
        waiting = [{module: self.imports(module) for module in self.files}]
        while waiting:
            graph = waiting.pop()
            for group in components(graph):
                parent = min(group, key=len)
                if any(module[: len(parent)] != parent for module in group):
                    yield {module: graph[module] & group for module in group}
                else:
                    rest = group - {parent}
                    waiting.append({module: graph[module] & rest for module in rest})


def components(graph):
    """Returns the strongly connected groups of two or more (Tarjan)."""
    order, low, stack, groups = {}, {}, [], []

    def visit(module):
        order[module] = low[module] = len(order)
        stack.append(module)
        for to in graph[module]:
            if to not in order:
                visit(to)
                low[module] = min(low[module], low[to])
            elif to in stack:
                low[module] = min(low[module], order[to])
        if low[module] == order[module]:
            group = set()
            while module not in group:
                group.add(stack.pop())
            if len(group) > 1:
                groups.append(group)

    for module in graph:
        if module not in order:
            visit(module)
    return groups


def manifest_errors(folder):
    """Yields the errors in the normal dependencies of a crate."""
    crate = folder.name
    if crate not in BELOW:
        yield f"{crate}: the table in tests/imports.py has no row for this crate"
        return
    manifest = tomllib.loads((folder / "Cargo.toml").read_text(encoding="utf-8"))
    tables = [manifest.get("dependencies", {})]
    tables += [target.get("dependencies", {}) for target in manifest.get("target", {}).values()]
    for name, says in (item for table in tables for item in table.items()):
        if not name.startswith("credlink"):
            continue
        other = "cli" if name == "credlink" else name.removeprefix("credlink-")
        if other not in BELOW[crate].split():
            yield f"{crate} must not depend on {name}; it may depend on: {BELOW[crate] or 'none of our crates'}"
        if other in DELETED_WHOLE and crate not in OVER_IT:
            yield f"{crate} must not depend on {name}, because that must be deletable as a whole"
        features = says.get("features", []) if isinstance(says, dict) else []
        if DOUBLES.get(other) in features and crate not in MEASURING:
            yield f"{crate} enables {DOUBLES[other]} of {name} outside its tests"
    for feature, enables in manifest.get("features", {}).items():
        for other, double in DOUBLES.items():
            if any(re.fullmatch(rf"credlink-{other}\??/{double}", enabled) for enabled in enables):
                yield f"{crate}: its feature {feature} enables {double} of credlink-{other}"


def main(folders):
    folders = [Path(folder) for folder in folders]
    if not folders:
        folders = sorted(path.parent for path in ROOT.glob("*/Cargo.toml")) + sorted(
            path.parent for path in ROOT.glob("shared/*/Cargo.toml")
        )
    files, wrong = 0, set()
    for folder in folders:
        wrong.update(manifest_errors(folder))
        for entry in (folder / "src" / name for name in ENTRIES):
            if not entry.exists():
                continue
            crate = Crate(entry)
            files += len(crate.files)
            for circle in crate.circles():
                names = {module: crate.files[module].relative_to(folder) for module in circle}
                lines = [f"{folder.name}: {len(circle)} files import each other in a circle"]
                for module in sorted(circle, key=names.get):
                    to = ", ".join(str(names[other]) for other in sorted(circle[module]))
                    lines.append(f"  {names[module]} -> {to}")
                wrong.add("\n".join(lines))
    for circle in sorted(wrong):
        print(circle)
    if files == 0:
        sys.exit("no file was checked")
    if wrong:
        sys.exit(f"tests/imports.py: {len(wrong)} imports or circles are not allowed")
    print(f"{len(folders)} crates import only what they may; {files} files, no circle")


if __name__ == "__main__":
    main(sys.argv[1:])
