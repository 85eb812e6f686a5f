"""The example applications of Flask's and Flask-Session's own documentation, unchanged: taken out of their source archives.

The environment variable EXAMPLE says which one, SOURCES where the archives are unpacked, and REDIS_PORT where the example finds
the Redis that it expects on the default port.
"""

import os
import pathlib
import re
import sys
import textwrap
import types


def blocks(path):
    """Returns the indented blocks of a reStructuredText file that are Python."""
    text = (pathlib.Path(os.environ["SOURCES"]) / path).read_text()
    return [textwrap.dedent(b) for b in re.findall(r"(?:::|\.\. code-block:: python)\n\n((?:(?: {4}.*)?\n)+)", text)]


def block(path, part):
    (found,) = [b for b in blocks(path) if part in b]
    return found


def flask_quickstart():
    """The part "Sessions" of the quickstart, which goes on from the first lines of the page."""
    names = {"__name__": "example"}
    exec("from flask import Flask, redirect, request, url_for\napp = Flask(__name__)", names)
    exec(block("flask-3.1.3/docs/quickstart.rst", "app.secret_key = b"), names)
    return names["app"]


def flask_session_simple():
    """"A Simple Example" of the README."""
    import redis

    original = redis.Redis.__init__

    def init(self, *args, port=int(os.environ["REDIS_PORT"]), **kwargs):
        original(self, *args, port=port, **kwargs)

    redis.Redis.__init__ = init
    module = sys.modules["example"] = types.ModuleType("example")  # where app.config.from_object looks
    exec(block("flask_session-0.8.0/README.rst", "Session(app)"), module.__dict__)
    return module.app


application = {"flask": flask_quickstart, "flask-session": flask_session_simple}[os.environ["EXAMPLE"]]()
