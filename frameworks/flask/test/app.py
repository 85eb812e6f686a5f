"""Flask apps for the tests: requests change flask.session and read it.

The environment variable APPS is a JSON object that maps path prefixes to the configurations of apps. Beside the settings of
Flask and Flask-Session, a configuration has SERVER, the address of the store. One process serves all apps.
"""

import fcntl
import json
import os

from flask import Flask, abort, flash, get_flashed_messages, request, session
from flask.sessions import SecureCookieSessionInterface
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import values


def memcached_client(server, client):
    """Returns one of the clients that Flask-Session supports."""
    if client == "pylibmc":
        import pylibmc

        return pylibmc.Client([server])
    if client == "python-memcached":
        import memcache

        return memcache.Client([server])
    from pymemcache.client.base import Client

    # Otherwise the response may come before the save, and another worker would read the old record.
    return Client(server, default_noreply=False)


def configure_store(app, server):
    """Configures the store as the documentation of Flask-Session does."""
    kind = app.config["SESSION_TYPE"]
    if kind == "redis":
        from redis import Redis

        app.config["SESSION_REDIS"] = Redis.from_url("redis://" + server)
    elif kind == "memcached":
        app.config["SESSION_MEMCACHED"] = memcached_client(server, app.config["MEMCACHED_CLIENT"])
    elif kind == "mongodb":
        from pymongo import MongoClient

        app.config["SESSION_MONGODB"] = MongoClient(server)
    elif kind == "sqlalchemy":
        from flask_sqlalchemy import SQLAlchemy

        app.config["SQLALCHEMY_DATABASE_URI"] = server
        app.config["SQLALCHEMY_TRACK_MODIFICATIONS"] = False
        app.config["SESSION_SQLALCHEMY"] = SQLAlchemy(app)
    elif kind == "filesystem":
        app.config["SESSION_FILE_DIR"] = server
    elif kind == "cachelib":
        from cachelib.file import FileSystemCache

        app.config["SESSION_CACHELIB"] = FileSystemCache(server, threshold=500)


def create_app(config):
    app = Flask(__name__)
    server = config.pop("SERVER", None)
    app.config.update(config)
    if "SESSION_TYPE" in config:
        from flask_session import Session

        configure_store(app, server)
        Session(app)
        if config["SESSION_TYPE"] == "sqlalchemy":
            with app.app_context():
                app.config["SESSION_SQLALCHEMY"].create_all()
    routes(app)
    return app


def kept(app):
    """Returns a function that returns a dict as the app's store would give it back."""
    interface = app.session_interface
    if isinstance(interface, SecureCookieSessionInterface):
        return lambda d: interface.serializer.loads(interface.serializer.dumps(d))
    serializer = getattr(interface, "serializer", None)
    if hasattr(serializer, "encode") and app.config["SESSION_TYPE"] not in ("filesystem", "cachelib"):
        return lambda d: serializer.decode(serializer.encode(d))
    return values.pickled


def routes(app):
    @app.post("/set")
    def set_():
        session.update(request.get_json())
        return ""

    @app.post("/pop")
    def pop():
        return {"value": session.pop(request.args["key"])}

    @app.post("/clear")
    def clear():
        """Flask has no other way to log out."""
        session.clear()
        return ""

    @app.post("/permanent")
    def permanent():
        session.permanent = request.args["on"] == "1"
        return ""

    @app.post("/flash")
    def flash_():
        flash(request.args["message"], request.args["category"])
        return ""

    @app.post("/flashes")
    def flashes():
        return json.dumps(get_flashed_messages(with_categories=True))

    @app.get("/data")
    def data():
        wanted = request.args.getlist("key")
        return json.dumps({k: v for k, v in session.items() if (k in wanted if wanted else not k.startswith("_"))})

    @app.get("/state")
    def state():
        return {"permanent": session.permanent, "repr": repr(dict(session))}

    @app.post("/random")
    def random():
        wanted = values.dictionary(request.args["seed"], kept(app))
        for key in [k for k in session if k.startswith("random ")]:
            del session[key]
        session.update(wanted)
        return json.dumps(sorted(wanted))

    @app.get("/compare")
    def compare():
        wanted = kept(app)(values.dictionary(request.args["seed"], kept(app)))
        found = {k: v for k, v in session.items() if k.startswith("random ")}
        difference = values.difference(found, wanted)
        return (difference, 409) if difference else ""

    @app.post("/value")
    def value():
        """Sets a key to the value of a Python expression from the tests."""
        session[request.args["key"]] = values.evaluate(request.get_data(as_text=True))
        return ""

    @app.get("/is")
    def is_():
        if request.args["key"] not in session:
            abort(404)
        wanted = kept(app)({"": values.evaluate(request.args["value"])})[""]
        difference = values.difference(session[request.args["key"]], wanted)
        return (difference, 409) if difference else ""


def create_apps():
    # Workers start at the same time, and creating a table twice at once fails.
    with open(os.environ["LOCK"], "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return {prefix: create_app(config) for prefix, config in json.loads(os.environ["APPS"]).items()}


application = DispatcherMiddleware(NotFound(), create_apps())
