// Package failure refuses requests with an error: for Caddy's error routes or, if there are none,
// with a short text for the user.
package failure

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/internal/webpage"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Answer returns an error for Caddy's error routes. All errors for the client come from here,
// before the response has begun. In error routes, {http.session.error} is the reason, without
// details of the store, which only the log has. If there are no error routes, Answer writes the
// response.
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

// MayRepeat tells the client that it may repeat the request, which the app has not seen.
func MayRepeat(w http.ResponseWriter) { w.Header().Set("Retry-After", "1") }

// ErrBusy means that the requests of one session run one after the other, and that one before this
// has taken too long.
var ErrBusy = errors.New("another request of the session has taken too long")

// PublicText returns the error without details of the store.
func PublicText(err caddyhttp.HandlerError) string {
	switch {
	case err.StatusCode != http.StatusServiceUnavailable:
		return err.Err.Error()
	case errors.Is(err, sessionstore.ErrRecord):
		return sessionstore.ErrRecord.Error()
	case errors.Is(err, ErrBusy):
		return ErrBusy.Error()
	default:
		return sessionstore.ErrUnavailable.Error()
	}
}

// sentences are the texts for users.
var sentences = map[int]string{
	http.StatusUnauthorized:        "You need to log in first.",
	http.StatusForbidden:           "You may not do this, or need to log in first.",
	http.StatusMethodNotAllowed:    "This method is not allowed.",
	http.StatusTooEarly:            "The request came too early. Send it again.",
	http.StatusInternalServerError: "Something is wrong with this site.",
	http.StatusBadGateway:          "The application has given an answer that cannot be used.",
	http.StatusServiceUnavailable:  "The session store cannot be reached. Try again in a moment.",
}

// busy is the text for [ErrBusy].
const busy = "Another page of yours is still being made. Try again in a moment."

// unreadable is the text for a damaged session. Trying again does not help.
const unreadable = "Your session cannot be read."

// write writes the response, as HTML if the client accepts that.
func write(w http.ResponseWriter, r *http.Request, err caddyhttp.HandlerError) {
	body := sentences[err.StatusCode]
	if errors.Is(err, sessionstore.ErrRecord) {
		body = unreadable
	} else if errors.Is(err, ErrBusy) {
		body = busy
	}
	if body == "" {
		return
	}
	kind := "text/plain; charset=utf-8"
	if AsksForHTML(r) {
		kind = "text/html; charset=utf-8"
		body = `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>` +
			strconv.Itoa(err.StatusCode) + " " + http.StatusText(err.StatusCode) + "</title><p>" + body
	}
	webpage.Send(w, r, err.StatusCode, kind, []byte(body+"\n"))
}

// AsksForHTML reports whether Accept names HTML, as it does when a browser loads a page.
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

// errorRoutes reports whether the server or any of its subroutes has error routes. A handler cannot
// find out which subroutes are around it.
func errorRoutes(r *http.Request) bool {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return true // without a server, the caller writes the response
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
