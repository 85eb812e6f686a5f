// Package failure ends requests with an error of ours: for error routes if there are some, and else for people.
package failure

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Answer returns an error of ours as Caddy's error routes take it: all of them come from here, before
// anything of a response was written. In those routes, {http.session.error} says what was wrong, without the
// details of the store, which are for the log. Where there are none, the response is written here, for people.
func Answer(w http.ResponseWriter, r *http.Request, status int, err error) error {
	failure := caddyhttp.Error(status, err)
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Set("http.session.error", PublicText(failure))
	}
	if !errorRoutes(r) {
		write(w, r, failure)
	}
	return failure
}

// MayRepeat tells the client of a request that the backend has not seen that it may repeat it.
func MayRepeat(w http.ResponseWriter) { w.Header().Set("Retry-After", "1") }

// PublicText is what an error page may know.
func PublicText(err caddyhttp.HandlerError) string {
	switch {
	case err.StatusCode != http.StatusServiceUnavailable:
		return err.Err.Error()
	case errors.Is(err, sessionstore.ErrRecord):
		return sessionstore.ErrRecord.Error()
	default:
		return sessionstore.ErrUnavailable.Error()
	}
}

// sentences tell people what an error means to them.
var sentences = map[int]string{
	http.StatusUnauthorized:        "You need to log in first.",
	http.StatusForbidden:           "You may not do this, or need to log in first.",
	http.StatusMethodNotAllowed:    "This method is not allowed.",
	http.StatusTooEarly:            "The request came too early. Send it again.",
	http.StatusInternalServerError: "Something is wrong with this site.",
	http.StatusBadGateway:          "The application has given an answer that cannot be used.",
	http.StatusServiceUnavailable:  "The session store cannot be reached. Try again in a moment.",
}

// unreadable is the sentence for a session that a later request does not find in a better state.
const unreadable = "Your session cannot be read."

// write writes the response for people: as HTML if the client asks for that.
func write(w http.ResponseWriter, r *http.Request, err caddyhttp.HandlerError) {
	body := sentences[err.StatusCode]
	if errors.Is(err, sessionstore.ErrRecord) {
		body = unreadable
	}
	if body == "" {
		return
	}
	h := w.Header()
	if AsksForHTML(r) {
		h.Set("Content-Type", "text/html; charset=utf-8")
		body = `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>` +
			strconv.Itoa(err.StatusCode) + " " + http.StatusText(err.StatusCode) + "</title><p>" + body
	} else {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	body += "\n"
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(err.StatusCode)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, body)
	}
}

// AsksForHTML reports whether the client names HTML among what it accepts: a browser that shows a page does.
func AsksForHTML(r *http.Request) bool {
	for _, line := range r.Header["Accept"] {
		for kind := range strings.SplitSeq(line, ",") {
			kind, parameters, _ := strings.Cut(kind, ";")
			kind, parameters = strings.TrimSpace(kind), strings.ReplaceAll(parameters, " ", "")
			html := strings.EqualFold(kind, "text/html") || strings.EqualFold(kind, "application/xhtml+xml")
			if html && strings.Trim(strings.TrimPrefix(parameters, "q="), "0.") != "" || html && parameters == "" {
				return true
			}
		}
	}
	return false
}

// errorRoutes reports whether the server has routes for errors, or any of its subroutes, around which a handler cannot look.
func errorRoutes(r *http.Request) bool {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return true // whoever called this without a server writes the response
	}
	if handles(server.Errors) || anyHandles(server.Routes) {
		return true
	}
	for _, named := range server.NamedRoutes {
		if anyHandles(caddyhttp.RouteList{*named}) {
			return true
		}
	}
	return false
}

func handles(errors *caddyhttp.HTTPErrorConfig) bool { return errors != nil && len(errors.Routes) > 0 }

func anyHandles(routes caddyhttp.RouteList) bool {
	for i := range routes {
		for _, handler := range routes[i].Handlers {
			if sub, ok := handler.(*caddyhttp.Subroute); ok && (handles(sub.Errors) || anyHandles(sub.Routes)) {
				return true
			}
		}
	}
	return false
}
