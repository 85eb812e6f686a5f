"""Counts the visits of this app in the session, and shows those of all."""

import json

from flask import Flask, make_response, redirect, render_template_string, request

app = Flask(__name__)

PAGE = """<!DOCTYPE html>
<title>Flask</title>
<h1>Hello, {{ session.user or "stranger" }}. This is Flask.</h1>
<p>Before this visit: PHP {{ session.php or 0 }}, Node {{ session.node or 0 }}, Flask {{ session.flask or 0 }}.</p>
<form method="post" action="/flask/logout"><button>Log out</button></form>
<p><a href="/php/">PHP</a> <a href="/node/">Node</a> <a href="/flask/">Flask</a></p>
"""


@app.get("/")
def count():
    session = json.loads(request.headers["X-Session-Data"])
    response = make_response(render_template_string(PAGE, session=session))
    response.headers["X-Session-Update"] = '[{"op":"increment","path":"/flask","value":1}]'
    return response


@app.post("/logout")
def logout():
    response = redirect("/php/", 303)
    response.headers["X-Session-Control"] = "destroy"
    return response
