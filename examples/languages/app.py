"""The example's page in Python, with the standard library alone.

It gets the same session as the other pages, and counts its own visits in it. Usage: app.py <port>
"""

import html
import json
import platform
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The same session in Python</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
<main class="columns">
<div>
<h1>Hello, <bdi>{user}</bdi>. This is Python.</h1>
<p>This page was made by Python {version}, and you have been here <b id="here">{here}</b> times before.
	The first page counts {visits} visits.</p>
<p><a href="/">Back to the first page</a></p>
</div>
</main>
"""


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        session = json.loads(self.headers["X-Session-Data"])
        body = PAGE.format(
            user=html.escape(str(session.get("user", "stranger"))),
            version=platform.python_version(),
            here=session.get("python", 0),
            visits=session.get("visits", 0),
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Session-Update", '[{"op":"increment","path":"/python","value":1}]')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
