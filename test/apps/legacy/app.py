"""A typical Flask app: it keeps its session in Flask's own cookie."""

import os
from datetime import datetime, timezone
from uuid import UUID

from flask import Flask, flash, get_flashed_messages, jsonify, request, session
from markupsafe import Markup

app = Flask(__name__)
app.secret_key = os.environ["APP_SECRET"]

# One value of each type that Flask's serializer has and JSON lacks.
TYPES = {
    "tuple": (1, ("two",)),
    "bytes": b"\x00\xff",
    "markup": Markup("<b>bold</b>"),
    "uuid": UUID(int=7),
    "datetime": datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc),
    "tagged": {" t": [1]},
    "null": None,
}


@app.get("/set/<key>")
def set_key(key):
    session[key] = request.args.get("value", "set")
    return key


@app.get("/append/<item>")
def append(item):
    session["list"] = [*session.get("list", []), item]
    return item


@app.get("/pop/<key>")
def pop(key):
    return jsonify(session.pop(key, None))


@app.get("/nothing/<key>")
def nothing(key):
    session[key] = None
    return key


@app.get("/types")
def types():
    session.update(TYPES)
    return "kept"


@app.get("/same")
def same():
    return jsonify({k: type(session.get(k)) is type(v) and session.get(k) == v for k, v in TYPES.items()})


@app.get("/flash/<text>")
def leave(text):
    flash(Markup("<i>%s</i>") % text if "markup" in request.args else text, "info")
    return text


@app.get("/messages")
def messages():
    return jsonify([[c, m, type(m).__name__] for c, m in get_flashed_messages(with_categories=True)])


@app.get("/login/<user>")
def login(user):
    session.permanent = "remember" in request.args
    session["user_id"] = user
    return user


@app.get("/logout")
def logout():
    session.clear()
    return "bye"


@app.get("/session")
def whole():
    return jsonify({k: v for k, v in session.items() if k not in TYPES})
