"""A Flask app with Flask-Login and its "remember me"."""

import os

from flask import Flask, redirect, request, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

app = Flask(__name__)
app.secret_key = os.environ["APP_SECRET"]
manager = LoginManager(app)


@manager.user_loader
def load(user_id):
    user = UserMixin()
    user.id = user_id
    return user


@app.get("/login")
def form():
    return """<form method="post"><input name="log"><label><input type="checkbox" name="rememberme">Remember me</label>
        <button id="wp-submit">Log in</button></form>"""


@app.post("/login")
def login():
    session["cart"] = "full"
    login_user(load(request.form["log"]), remember="rememberme" in request.form)
    return redirect("/")


@app.get("/logout")
def logout():
    logout_user()
    return redirect("/")


@app.get("/")
def whole():
    user = current_user.id if current_user.is_authenticated else "nobody"
    return f'<p id="user">{user}</p><p id="cart">{session.get("cart", "empty")}</p><a id="logout" href="/logout">Log out</a>'
