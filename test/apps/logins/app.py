"""Logins in Flask's own permanent session: every response sets its cookie again."""

import time
from pathlib import Path

from flask import Flask, redirect, request, session

app = Flask(__name__)
app.secret_key = "logins"

PAGE = Path("page.html").read_text()


@app.get("/")
@app.get("/next")
def show():
    session.permanent = True
    session["visits"] = session.get("visits", 0) + 1
    page = PAGE.replace("{user}", session.get("user", "nobody")).replace("{slow}", session.get("slow", ""))
    return page.replace("{note}", request.cookies.get("note", ""))


@app.post("/login")
def login():
    time.sleep(request.args.get("ms", 0, int) / 1000)
    session.clear()
    session.permanent = True
    session["user"] = "ada"
    return redirect("/", 303)


@app.post("/logout")
def logout():
    session.clear()
    session["visits"] = 0  # like a message, so that the cookie is replaced and not deleted
    return redirect("/", 303)


@app.get("/slow")
def slow():
    session["slow"] = "kept"
    time.sleep(request.args.get("ms", 0, int) / 1000)
    response = app.make_response("done")
    response.set_cookie("note", "kept")
    return response
