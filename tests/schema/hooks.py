"""What schemathesis cannot know of CredLink: things that are right in ways that no schema can say.

Each function changes requests that are meant to be right, and leaves those alone that are meant to be wrong.
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
# A manifest store, its id, and the digest of the file that it belongs to.
STORE = (SEEDS / "c2pa_store/whole_file").read_bytes()
ID = b"f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4"
FILE = bytes.fromhex("01064c082a57b792544bbb6d2cb9cef502a54cfd915642ad70fcbd562758afdd")
JSON = b'{"title": "A manifest"}'
# Ids of manifests, the same in every run.
CHANCE = random.Random(7)


def store(number, digest=FILE):
    """The manifest store of another id, so that whoever deletes it does not meet it again, and of another file."""
    return STORE.replace(ID, str(uuid.UUID(int=number)).encode()).replace(FILE, digest)


schemathesis.openapi.media_type("application/c2pa", strategies.integers(0, 2**128 - 1).map(store))


@schemathesis.deserializer("application/c2pa", "application/vnd.credlink.object")
def as_text(_, response):
    """A schema of bytes says no more than that."""
    return response.content.decode("latin-1")


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    parameters_fit(case)
    if case.headers.get("If-Match") == "null":
        # A link from an answer without an ETag.
        case.headers["If-Match"] = "*"
    if isinstance(case.headers.get("credlink-deleted"), str):
        # Not after the clock, which a schema does not know.
        case.headers["credlink-deleted"] = "2026-01-01T00:00:00Z"
    if isinstance(case.body, dict):
        members_fit(case.body, case.method.upper() == "PUT")


def parameters_fit(case):
    """OpenAPI 3.1 has no words for parameters that go together or exclude each other."""
    query = case.query or {}
    # What an earlier page gave, and nothing else.
    query.pop("after", None)
    link = ("expires", "key", "life", "signature")
    # The bound is on the id as it is escaped in the names of objects.
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
    """Bytes in base64 that are a manifest, and instants in their order."""
    if isinstance(body.get("manifest_base64"), str):
        is_json = body.get("manifest_type") == "application/json"
        digest = bytes.fromhex(str(body.get("media_hash") or FILE.hex()).removeprefix("sha256:"))
        content = JSON if is_json else store(CHANCE.getrandbits(128), digest)
        body["manifest_base64"] = base64.b64encode(content).decode()
    if is_replacement:
        # The proof's own, or none.
        body.pop("media_hash", None)
    if isinstance(body.get("origin"), dict):
        body["origin"] |= {"created": "2026-01-01T00:00:00Z", "expires": "2036-01-01T00:00:00+01:00"}
        if isinstance(body["origin"].get("restores"), str):
            body["origin"]["restores"] = "2026-02-01T00:00:00Z"
