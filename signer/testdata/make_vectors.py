#!/usr/bin/env python3
"""Makes vectors.json with the real itsdangerous, the format's reference.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install itsdangerous==2.2.0
    /tmp/venv/bin/python3 signer/testdata/make_vectors.py

Keys, salts, values and separators are base64 in the file, since some of them
are not UTF-8. The output is the same every time.
"""

import base64
import hashlib
import importlib.metadata
import itertools
import json
import pathlib

from itsdangerous import Signer

DIGESTS = {"sha256": hashlib.sha256, "sha1": hashlib.sha1}
DERIVATIONS = ["hmac", "django-concat", "concat", "none"]
SALTS = [b"caddy-session", b"", b"itsdangerous.Signer", "sälz\x00".encode()]
KEYS = [
    b"correct horse battery staple",
    b"k",
    bytes(range(256)),  # longer than a block of the hash, which HMAC shortens
]
SEPARATORS = [b".", b":", b" ", b"\xff"]
VALUES = [
    b"",
    b"u6gJxu0Fq2qk1yKX2o5n0oO3m8b9vJkQyVt4e1sZQ7A",
    b".",
    b"a.b:c d\xff..",
    "Zoë ☃".encode(),
    b"\x00\xfe\xff\r\n",
    b"x" * 511,  # around the size of the pieces that the Go code hashes in
    b"x" * 512,
    b"x" * 513,
    b"0123456789" * 1000,
]
RING = [b"newest key", b"older key", b"oldest key"]


def text(raw):
    return base64.b64encode(raw).decode()


def groups():
    separators = itertools.cycle(SEPARATORS)
    for digest, derivation, salt, key in itertools.product(DIGESTS, DERIVATIONS, SALTS, KEYS):
        separator = next(separators)
        signer = Signer(key, salt=salt, sep=separator, key_derivation=derivation, digest_method=DIGESTS[digest])
        signatures = []
        for value in VALUES:
            head, signature = signer.sign(value).rsplit(separator, 1)
            assert head == value
            signatures.append(signature.decode())
        yield {
            "digest": digest,
            "derivation": derivation,
            "salt": text(salt),
            "key": text(key),
            "separator": text(separator),
            "signatures": signatures,
        }


def rings():
    """The keys are newest first, as Go wants them; Python wants them oldest first."""
    for digest, method in DIGESTS.items():
        options = {"salt": b"caddy-session", "key_derivation": "hmac", "digest_method": method}
        ring = Signer(RING[::-1], **options)
        by_each = [Signer(key, **options).sign(b"an-id") for key in RING]
        assert ring.sign(b"an-id") == by_each[0]
        assert all(ring.unsign(signed) == b"an-id" for signed in by_each)
        yield {
            "digest": digest,
            "keys": [text(key) for key in RING],
            "value": "an-id",
            "signed": ring.sign(b"an-id").decode(),
            "signed_by_each": [signed.decode() for signed in by_each],
        }


vectors = {
    "made_with": "itsdangerous " + importlib.metadata.version("itsdangerous"),
    "values": [text(value) for value in VALUES],
    "groups": list(groups()),
    "rings": list(rings()),
}
path = pathlib.Path(__file__).with_name("vectors.json")
path.write_text(json.dumps(vectors, indent=1) + "\n")
