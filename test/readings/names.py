"""Reads Cookie headers, a hexadecimal line each, and prints the names that each parser finds in each."""

import json
import sys
from http.cookies import SimpleCookie

import bottle
import tornado.httputil
from aiohttp._cookie_helpers import parse_cookie_header
from webob.cookies import parse_cookie as webob
from werkzeug.sansio.http import parse_cookie as werkzeug

PARSERS = {
    "http.cookies": lambda text: SimpleCookie(text),
    "bottle": lambda text: bottle.BaseRequest({"HTTP_COOKIE": text}).cookies,
    "webob": lambda text: [name.decode("latin-1") for name, _ in webob(text)],
    "werkzeug": lambda text: werkzeug(text),
    "aiohttp": lambda text: [name for name, _ in parse_cookie_header(text)],
    "tornado": lambda text: tornado.httputil.parse_cookie(text),
}


def names(parse, text):
    try:
        return list(parse(text))
    except Exception:  # a header that a parser rejects has no cookies
        return []


for line in sys.stdin:
    text = bytes.fromhex(line.strip()).decode("latin-1")
    print(json.dumps({parser: names(parse, text) for parser, parse in PARSERS.items()}), flush=True)
