"""The login page of a site whose apps get the user from the proxy."""

import json, os, re

from flask import Flask, redirect, request
from werkzeug.security import check_password_hash

app = Flask(__name__)
USERS = json.loads(os.environ["LOGIN_USERS"])  # names and hashed passwords
FORM = '<form method="post">Name <input name="user"> Password <input name="password" type="password"> <button>Log in</button></form>'


@app.get("/login")
def form():
    return FORM

@app.post("/login")
def login():
    user, password = request.form["user"], request.form["password"]
    if user not in USERS or not check_password_hash(USERS[user], password):
        return "<p>That is not right.</p>" + FORM, 403
    back = request.args.get("next", "/")
    if not re.fullmatch(r"/(?![/\\])[!-~]*", back):  # other URLs may lead to another site
        back = "/"
    return redirect(back, 303), {"X-Session-Update": json.dumps({"user": user}), "X-Session-Control": "regenerate"}

@app.post("/logout")
def logout():
    return redirect("/login", 303), {"X-Session-Control": "destroy"}
