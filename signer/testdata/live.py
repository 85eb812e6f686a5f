"""Answers live_test.go: what the real itsdangerous makes of its cases.

Reads a JSON list of cases and writes a JSON list of answers. All bytes are
base64. The keys of a case are newest first; itsdangerous wants oldest first.
"""

import base64
import hashlib
import json
import sys

from itsdangerous import BadSignature, Signer


def answer(case):
    raw = {name: base64.b64decode(case[name]) for name in ("salt", "separator", "value", "signed", "forged")}
    signer = Signer(
        [base64.b64decode(key) for key in reversed(case["keys"])],
        salt=raw["salt"],
        sep=raw["separator"],
        key_derivation=case["derivation"],
        digest_method=getattr(hashlib, case["digest"]),
    )
    try:
        verified = signer.unsign(raw["signed"]) == raw["value"]
    except BadSignature:
        verified = False
    return {
        "verified": verified,
        "forged_verified": signer.validate(raw["forged"]),
        "signed": base64.b64encode(signer.sign(raw["value"])).decode(),
    }


json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
