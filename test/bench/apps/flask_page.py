"""The page of php/index.php in Flask, with Flask-Session or with the session that the proxy has."""

import json
import os

from flask import Flask, request, session
from flask_session import Session
from redis import Redis

content = {
    "user": {"id": 4711, "name": "Zo\u00eb Example", "roles": ["editor", "admin"]},
    "cart": [{"sku": "A-100", "n": 2}, {"sku": "B-7", "n": 1}],
    "csrf": "0123456789abcdef" * 4,
    "visits": 1,
    "notes": "lorem ipsum " * 22,
}
page = "<!doctype html><title>bench</title><p>{}"
app = Flask(__name__)


def own():
    if "create" in request.args:
        session.update(content)
    elif "change" in request.args:
        session["visits"] += 1
    return page.format(session["user"]["name"])


def proxied():
    if "create" in request.args:
        return page.format(""), {"X-Session-Update": json.dumps(content)}
    answer = page.format(json.loads(request.headers["X-Session-Data"])["user"]["name"])
    if "change" in request.args:
        return answer, {"X-Session-Update": '[{"op":"increment","path":"/visits","value":1}]'}
    return answer


if "REDIS" in os.environ:
    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url("redis://" + os.environ["REDIS"]))
    Session(app)
    app.add_url_rule("/", view_func=own)
else:
    app.add_url_rule("/", view_func=proxied)
