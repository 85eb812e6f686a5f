"""A Flask app that does not use flask.session: Caddy keeps the session."""

import json

from flask import Flask, make_response, redirect, render_template_string, request

app = Flask(__name__)

PAGE = """<!DOCTYPE html>
<title>Flask</title>
{% for category, text in messages %}
<p class="{{ category }}">{{ text }}</p>
{% endfor %}
<h1>Hello, {{ session.get("user", "stranger") }}.</h1>
<div>{{ session.get("visits", 0) + 1 }} visits</div>
<form method="post"><input name="name"><button>Log in</button></form>
<form method="post"><input name="message"><button>Leave a message</button></form>
<form method="post"><button name="logout">Log out</button></form>
"""


@app.get("/")
def page():
    session = json.loads(request.headers["X-Session-Data"])
    messages = json.loads(request.headers.get("X-Session-Flash", "[]"))
    response = make_response(render_template_string(PAGE, session=session, messages=messages))
    response.headers["X-Session-Update"] = '[{"op": "increment", "path": "/visits", "value": 1}]'
    response.headers["X-Session-Control"] = "flash-seen"
    return response


@app.post("/")
def change():
    # json.dumps escapes line ends and everything that is not ASCII.
    response = redirect(".", 303)
    headers, form = response.headers, request.form
    if "name" in form:
        headers["X-Session-Update"] = json.dumps({"user": form["name"]})
        headers["X-Session-Flash"] = json.dumps(["success", f"Flask welcomes {form['name']}."])
        headers["X-Session-Control"] = "regenerate"
    elif "logout" in form:
        headers["X-Session-Flash"] = json.dumps(["info", "Flask says goodbye."])
        headers["X-Session-Control"] = "destroy"
    elif "message" in form:
        headers["X-Session-Flash"] = json.dumps(["info", form["message"]])
    return response
