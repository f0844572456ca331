"""Hooks for schemathesis: the rules of CredLink's API that no schema can express.

They correct requests that are meant to be valid, and leave alone those that are meant to be invalid.
"""

import base64
import pathlib
import random
import uuid
from urllib.parse import quote, unquote

import schemathesis
from hypothesis import strategies
from schemathesis import GenerationMode

SEEDS = pathlib.Path(__file__).parent.parent.parent / "fuzz/seeds"
# A manifest store, its ID, and the digest of the file that it belongs to.
STORE = (SEEDS / "c2pa_store/whole_file").read_bytes()
ID = b"f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4"
FILE = bytes.fromhex("01064c082a57b792544bbb6d2cb9cef502a54cfd915642ad70fcbd562758afdd")
JSON = b'{"title": "A manifest"}'
# The source of manifest IDs, which are the same in every run.
CHANCE = random.Random(7)


def store(number, digest=FILE):
    """Returns the manifest store for another file, and with another ID, so that no request meets it again after its deletion."""
    return STORE.replace(ID, str(uuid.UUID(int=number)).encode()).replace(FILE, digest)


schemathesis.openapi.media_type("application/c2pa", strategies.integers(0, 2**128 - 1).map(store))


@schemathesis.deserializer("application/c2pa", "application/vnd.credlink.object")
def as_text(_, response):
    """Returns bytes as text, because the schema says nothing more about them."""
    return response.content.decode("latin-1")


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    parameters_fit(case)
    if case.headers.get("If-Match") == "null":
        # A value linked from an answer that had no ETag.
        case.headers["If-Match"] = "*"
    if isinstance(case.headers.get("credlink-deleted"), str):
        # It must not be later than the clock, which a schema does not know.
        case.headers["credlink-deleted"] = "2026-01-01T00:00:00Z"
    if isinstance(case.body, dict) and case.operation.label == "POST /v1/entities/{type}/{id}/{collection}":
        change_fits(case.body)
    if isinstance(case.body, dict):
        members_fit(case.body, case.method.upper() == "PUT")


def parameters_fit(case):
    """Corrects parameters that depend on each other or exclude each other, which OpenAPI 3.1 cannot express."""
    query = case.query or {}
    # It must be a value from an earlier page.
    query.pop("after", None)
    link = ("expires", "key", "life", "signature")
    # The bound applies to the ID as it is escaped in the names of objects.
    path = case.path_parameters or {}
    manifest = unquote(str(path.get("manifest_id", "")))
    if len(quote(manifest, safe=":")) > 160:
        path["manifest_id"] = f"urn:c2pa:{uuid.UUID(int=CHANCE.getrandbits(128))}"
    if case.operation.label == "GET /v1/proofs":
        for name in ("limit",) if "media_hash" in query else ("tenant", "form", *link):
            query.pop(name, None)
    if not set(link) <= set(query):
        for name in link:
            query.pop(name, None)


def members_fit(body, is_replacement):
    """Sets base64 members to valid manifests, and times to a valid order."""
    if isinstance(body.get("manifest_base64"), str):
        is_json = body.get("manifest_type") == "application/json"
        digest = bytes.fromhex(str(body.get("media_hash") or FILE.hex()).removeprefix("sha256:"))
        content = JSON if is_json else store(CHANCE.getrandbits(128), digest)
        body["manifest_base64"] = base64.b64encode(content).decode()
    if is_replacement:
        # It may only be the proof's own, so it is left out.
        body.pop("media_hash", None)
    if isinstance(body.get("numbers"), list):
        # How many parts there are depends on the size of the file. Every upload has this one.
        body["numbers"] = [1]
    if {"collection", "size", "type"} <= body.keys():
        announcement_fits(body)
    if isinstance(body.get("origin"), dict):
        body["origin"] |= {"created": "2026-01-01T00:00:00Z", "expires": "2036-01-01T00:00:00+01:00"}
        if isinstance(body["origin"].get("restores"), str):
            body["origin"]["restores"] = "2026-02-01T00:00:00Z"


def announcement_fits(body):
    """Names a collection that there is, and what it accepts."""
    is_listed = isinstance(body.get("entity"), dict)
    body["collection"] = "item-photo" if is_listed else "temp"
    body["type"] = "image/jpeg" if is_listed else body["type"]
    body["size"] = min(body["size"], 25_000_000)
    if isinstance(body.get("filename"), str):
        # The bound is one of bytes.
        body["filename"] = body["filename"][:60]
    # The place in a list of up to twenty, and readers that the collection allows.
    body.pop("access", None)
    if is_listed and body.get("position") is not None:
        body["position"] %= 20
    else:
        body.pop("position", None)


def change_fits(body):
    """Leaves one change to a list, and the position only where something is attached."""
    changes = [name for name in ("attach", "detach", "replace") if body.get(name) is not None]
    for name in ("attach", "detach", "replace"):
        if name not in changes[:1]:
            body.pop(name, None)
    if not changes:
        body["detach"] = "a" * 32
    if changes[:1] != ["attach"]:
        body.pop("position", None)
    elif body.get("position") is not None:
        body["position"] %= 1_000
