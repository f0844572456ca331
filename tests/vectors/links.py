"""The test vectors of signed links, links.json, from nothing but Python's own hmac, hashlib and base64.

The core's tests and the Worker's read the same file: what the service signs, the edge opens. This is a second
implementation of docs/formats.md on purpose; it shares no line with the first.

    python3 tests/vectors/links.py           writes links.json
    python3 tests/vectors/links.py --check   fails where links.json is another than this would write
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys
import urllib.parse

FILE = pathlib.Path(__file__).with_name("links.json")

# The two keys that are in use, the one that signs first, and one that nobody knows.
CURRENT = ("2026-a", bytes(range(1, 33)))
PREVIOUS = ("2025_b", bytes(range(200, 240)))
UNKNOWN = ("2024-c", bytes(range(100, 132)))

# In 2096 and in 2023: before and after whenever this is run.
LATER, BEFORE = 4_000_000_000, 1_700_000_000

MANIFEST = "urn:c2pa:F095F30E-6CD5-4BF7-8C44-CE8420CA9FB7:adobe:2_3"


def proof_id(media: bytes, tenant: str = "default") -> str:
    digest = hashlib.sha256(media).digest()
    name = b"\0".join([b"credlink/proof/v1", tenant.encode(), digest])
    return base64.b32encode(hashlib.sha256(name).digest()[:20]).decode().lower()


RECORD, OTHER = proof_id(b""), proof_id(b"another picture")
# UUIDs are kept in lower case (RFC 9562, section 4); the rest of a manifest's id stays as it came.
LABEL = MANIFEST.replace("F095F30E-6CD5-4BF7-8C44-CE8420CA9FB7", "f095f30e-6cd5-4bf7-8c44-ce8420ca9fb7")
HASH = hashlib.sha256(b"").hexdigest()

OBJECTS = {
    "record": {"key": f"proofs/{RECORD}", "path": f"/proofs/{RECORD}", "media_hash": f"sha256:{HASH}"},
    "another record": {
        "key": f"proofs/{OTHER}",
        "path": f"/proofs/{OTHER}",
        "media_hash": f"sha256:{hashlib.sha256(b'another picture').hexdigest()}",
    },
    "revision": {"key": f"proofs/{RECORD}/1", "path": f"/proofs/{RECORD}/1"},
    "manifest": {"key": "manifests/" + urllib.parse.quote(LABEL, safe=""), "path": f"/manifests/{LABEL}"},
}


def mac(path: str, expires: object, key: tuple[str, bytes] = CURRENT, method: str = "GET", life: int = 0) -> bytes:
    return hmac.digest(key[1], f"{method} {path} {expires} {life}".encode(), "sha256")


def text(signature: bytes) -> str:
    return base64.urlsafe_b64encode(signature).decode().rstrip("=")


def query(path: str, expires: int, key: tuple[str, bytes] = CURRENT, method: str = "GET", life: int = 0) -> str:
    return f"expires={expires}&key={key[0]}&life={life}&signature={text(mac(path, expires, key, method, life))}"


def asked():
    """What is asked for, of which object, and what comes of it: it opens, or the problem's type. With `now` at that
    second since 1970; else at any time from 2026 to 2096. Every object there is of its first life."""

    def ask(what, answer, target, of="record", method="GET", now=None):
        case = {"what": what, "method": method, "target": target, "object": of, "answer": answer}
        return case if now is None else {**case, "now": now}

    opens, refused = "opens", "invalid-link"
    record, revision, manifest = (OBJECTS[name]["path"] for name in ("record", "revision", "manifest"))
    good = query(record, LATER)
    signature = text(mac(record, LATER))
    flipped = bytes([mac(record, LATER)[0] ^ 1]) + mac(record, LATER)[1:]

    def with_signature(other):
        return f"{record}?expires={LATER}&key={CURRENT[0]}&life=0&signature={other}"

    yield ask("a record", opens, f"{record}?{good}")
    yield ask("HEAD, by a link that allows GET", opens, f"{record}?{good}", method="HEAD")
    yield ask("a revision", opens, f"{revision}?{query(revision, LATER)}", "revision")
    yield ask("a manifest, its colons plain", opens, f"{manifest}?{query(manifest, LATER)}", "manifest")
    encoded = "/manifests/" + urllib.parse.quote(LABEL, safe="")
    yield ask("a manifest, its colons encoded", opens, f"{encoded}?{query(manifest, LATER)}", "manifest")
    upper = f"/manifests/{MANIFEST}"
    yield ask("a manifest, its UUID in capitals", opens, f"{upper}?{query(manifest, LATER)}", "manifest")
    yield ask("a record by its media hash", opens, f"/proofs/by-hash/{HASH}?{good}")
    yield ask("the key before the one that signs", opens, f"{record}?{query(record, LATER, PREVIOUS)}")
    backwards = "&".join(reversed(good.split("&")))
    yield ask("parameters in another order, and one more", opens, f"{record}?utm_source=x&{backwards}")

    yield ask("another record", refused, f"{OBJECTS['another record']['path']}?{good}", "another record")
    yield ask("a revision, by the link of its record", refused, f"{revision}?{good}", "revision")
    yield ask("a record, by the link of its revision", refused, f"{record}?{query(revision, LATER)}")
    yield ask("a manifest, by a link over its encoded path", refused,
              f"{manifest}?{query(encoded, LATER)}", "manifest")
    yield ask("a link over the API's path", refused, f"{record}?{query('/v1' + record, LATER)}")
    yield ask("a link over HEAD", refused, f"{record}?{query(record, LATER, method='HEAD')}", method="HEAD")
    yield ask("a link over DELETE", refused, f"{record}?{query(record, LATER, method='DELETE')}")

    yield ask("a later expiry", refused, f"{record}?{good.replace(str(LATER), str(LATER + 1))}")
    yield ask("an expiry that is no number", refused, f"{record}?{good.replace(str(LATER), 'never')}")
    yield ask("an expiry beyond 64 bits", refused, f"{record}?{good.replace(str(LATER), str(2**64))}")
    yield ask("an expiry before 1970", refused, f"{record}?{good.replace(str(LATER), '-1')}")
    yield ask("a link of 2023", refused, f"{record}?{query(record, BEFORE)}")
    yield ask("a second before its expiry", opens, f"{record}?{query(record, BEFORE)}", now=BEFORE - 1)
    yield ask("replayed at its expiry", refused, f"{record}?{query(record, BEFORE)}", now=BEFORE)
    yield ask("replayed a second later", refused, f"{record}?{query(record, BEFORE)}", now=BEFORE + 1)

    yield ask("a link of the life after this one", refused, f"{record}?{query(record, LATER, life=1)}")
    yield ask("a link to a manifest of an earlier life", refused,
              f"{manifest}?{query(manifest, LATER, life=2)}", "manifest")
    yield ask("another life under its signature", refused, f"{record}?{good.replace('life=0', 'life=1')}")
    yield ask("this life under the signature of another", refused,
              f"{record}?{query(record, LATER, life=1).replace('life=1', 'life=0')}")
    yield ask("a life that is no number", refused, f"{record}?{good.replace('life=0', 'life=first')}")
    yield ask("no life", refused, f"{record}?{good.replace('life=0&', '')}")

    yield ask("the other key's name", refused, f"{record}?{good.replace(CURRENT[0], PREVIOUS[0])}")
    yield ask("a key that is not in use", refused, f"{record}?{query(record, LATER, UNKNOWN)}")
    yield ask("another key under the name of one in use", refused,
              f"{record}?{query(record, LATER, (CURRENT[0], UNKNOWN[1]))}")
    yield ask("a key's name in capitals", refused, f"{record}?{good.replace(CURRENT[0], CURRENT[0].upper())}")
    yield ask("no key's name", refused, f"{record}?{good.replace(CURRENT[0], '')}")

    yield ask("a signature with another first bit", refused, with_signature(text(flipped)))
    yield ask("a signature without its last byte", refused, with_signature(text(mac(record, LATER)[:-1])))
    yield ask("half a signature", refused, with_signature(text(mac(record, LATER)[:16])))
    yield ask("a signature and one byte more", refused, with_signature(text(mac(record, LATER) + b"\0")))
    yield ask("no byte of a signature", refused, with_signature(""))
    yield ask("a signature in hexadecimal", refused, with_signature(mac(record, LATER).hex()))
    yield ask("a signature with padding", refused, with_signature(signature + "="))
    # 32 bytes leave two bits of the last letter unused; they are 0, or the same signature had four spellings.
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other_spelling = signature[:-1] + letters[letters.index(signature[-1]) + 1]
    yield ask("a signature in another spelling", refused, with_signature(other_spelling))

    yield ask("no signature", refused, f"{record}?expires={LATER}&key={CURRENT[0]}&life=0")
    yield ask("no expiry", refused, f"{record}?key={CURRENT[0]}&life=0&signature={signature}")
    yield ask("a parameter given twice", "invalid-field", f"{record}?{good}&expires={LATER}")
    yield ask("no link at all", "not-found", record)


def document() -> str:
    return json.dumps(
        {
            "made_by": "tests/vectors/links.py",
            "link_keys": ",".join(f"{name}:{secret.hex()}" for name, secret in (CURRENT, PREVIOUS)),
            "objects": OBJECTS,
            "signed": [
                {"object": name, "expires": expires, "life": life, "query": query(place["path"], expires, life=life)}
                for name, place in OBJECTS.items()
                for expires, life in ((BEFORE, 0), (LATER, 4_294_967_295))
            ],
            "asked": list(asked()),
        },
        indent=2,
    ) + "\n"


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text(encoding="utf-8") != document():
            sys.exit(f"{FILE.name} is not what {pathlib.Path(__file__).name} makes; run it without --check, and look")
        print(f"{FILE.name}: {len(list(asked()))} requests")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        FILE.write_text(document(), encoding="utf-8")


main()
