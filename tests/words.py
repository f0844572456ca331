"""Reads every doc comment in the Rust code and fails on habits that make English hard to read.

Run without arguments, it checks all Rust files that git knows. With `--self-test` it first shows that each rule finds its example and leaves its
correction alone. docs/contributing.md says how to write instead.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Each rule: its name, the pattern for the text of a whole doc comment, an example that matches, and its correction.
RULES = [
    (
        "opens with a question word",
        re.compile(r"^(What|Who|Whose|Whom|Whoever|Whatever|Whether|How|Which|Why|Where|When)\b(?!.*\?$)"),
        "Whether it is there.",
        "Returns `true` if it is there.",
    ),
    (
        "opens with a pronoun that refers to nothing",
        re.compile(r"^(That|Those|The same|The one|The ones|One that|Such)\s+(of|as|for|by|with|that|which|who)\b|^The same[.,:;]"),
        "That of the primary.",
        "The latency of the primary.",
    ),
    (
        "opens with a bare preposition",
        re.compile(r"^(Of|To whom|From whom|By which|For which|In which|Behind|Beside)\b"),
        "Of a bucket.",
        "The settings of a bucket.",
    ),
    (
        "`for who` and the like",
        re.compile(r"\b(for|of|to|by|from|with|than|as) who\b", re.IGNORECASE),
        "The bytes as they are kept, for who keeps a copy.",
        "The stored bytes, for a client that mirrors the store.",
    ),
    (
        "`who … does` without a noun",
        re.compile(r"(^|[.:;] )(Who|Whoever) \w+"),
        "It is cheap. Who asks again is told the same.",
        "It is cheap. A caller who asks again gets the same answer.",
    ),
    (
        "`take over` for an import",
        re.compile(r"\b(takes?|took|taken|taking) over\b", re.IGNORECASE),
        "The proofs that were taken over.",
        "The imported proofs.",
    ),
    (
        "`marker` for a tombstone",
        re.compile(r"\b(deletion |void )?markers?\b(?! of (?:the page|a page))", re.IGNORECASE),
        "Writes a marker in its place.",
        "Writes a tombstone in its place.",
    ),
    (
        "`any more` for `no longer`",
        re.compile(r"\b(any more\)|not \w+ any more|is none any more)", re.IGNORECASE),
        "It is not there (any more).",
        "It is absent, or no longer there.",
    ),
    (
        "`is none` for `is not a …`",
        re.compile(r"\b(that|which|what) (is|are|was|were) (none|no such)\b|\bwhat is no\b", re.IGNORECASE),
        "A key that is none.",
        "A string that is not a key.",
    ),
    (
        "no full stop at the end of the first paragraph",
        re.compile(r"[A-Za-z0-9)`\]]$"),
        "Returns the key",
        "Returns the key.",
    ),
]

FULL_STOP = "no full stop at the end of the first paragraph"
# These become help texts and titles of operations, which have no full stop.
TITLES = ("cli/src/args", "shared/service/src/openapi")
# Quoted code and the targets of links are not prose.
CODE = re.compile(r"```.*?```|`[^`\n]*`|\]\([^)]*\)", re.DOTALL)


def comments(text):
    """Yields the line and the text of every doc comment."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        found = re.match(r"\s*(///|//!)(?!/) ?(.*)$", lines[number])
        if not found:
            number += 1
            continue
        begins, kind, body = number + 1, found[1], []
        while number < len(lines):
            found = re.match(r"\s*(///|//!)(?!/) ?(.*)$", lines[number])
            if not found or found[1] != kind:
                break
            body.append(found[2])
            number += 1
        yield begins, "\n".join(body)


def faults(comment, is_title=False):
    """Yields the names of the rules that a doc comment breaks."""
    paragraphs = re.split(r"\n\s*\n", comment.strip())
    first = " ".join(paragraphs[0].split())
    prose = " ".join(CODE.sub(lambda found: "`x`" if found[0].startswith("`") else "]", comment).split())
    for name, pattern, *_ in RULES:
        if name == FULL_STOP:
            is_prose = not re.match(r"#|\||\* |- |```", paragraphs[0])
            if is_prose and not is_title and pattern.search(first):
                yield name
        elif pattern.search(prose):
            yield name


def self_test():
    for name, pattern, example, correction in RULES:
        assert name in set(faults(example)), f"{name}: the example is not found"
        assert not set(faults(correction)), f"{name}: the correction is found"


def main():
    self_test()
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.rs"], cwd=ROOT, check=True, capture_output=True)
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    read, found = 0, []
    for path in files:
        if not path.exists():
            continue
        name = path.relative_to(ROOT)
        is_title = str(name).startswith(TITLES)
        for line, comment in comments(path.read_text(encoding="utf-8")):
            read += 1
            found.extend(f"{name}:{line}: {fault}: {comment.split(chr(10))[0]}" for fault in faults(comment, is_title))
    assert read, "no doc comment was read"
    if found:
        sys.exit("\n".join(found) + f"\n{len(found)} of {read} doc comments; docs/contributing.md says how to write instead")
    print(f"words: {read} doc comments, none of them with one of {len(RULES)} habits")


if __name__ == "__main__":
    main()
