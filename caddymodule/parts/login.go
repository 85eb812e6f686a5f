package parts

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// This file decides what looks like a login. An app that does not know this handler only shows a
// login in its cookies. A login needs a new id, because an attacker may have planted the old one
// (session fixation). Other changes must not get one: a change with a new id is not merged with
// parallel changes.

var (
	// loginFields are parts of the names of fields that say who is logged in, in lower case.
	loginFields = []string{"user", "uid", "login", "logged", "auth", "account", "email", "role", "admin", "member"}

	// passingFields are parts of the names of fields that redirects add without a login.
	passingFields = []string{"flash", "csrf", "xsrf"}

	// loginCookies are parts of the names of cookies that change at a login.
	loginCookies = []string{"sess", "sid", "auth", "login", "token", "user", "remember"}
)

func containsAny(name string, parts []string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(name, part) })
}

// Redirects reports whether a response sends the browser to another page, as most logins do.
func Redirects(status int, h http.Header) bool {
	switch status {
	case http.StatusMultipleChoices, http.StatusNotModified:
		return false
	default:
		return status/100 == 3 || h.Get("Refresh") != "" // of PHP apps on IIS
	}
}

// loggedIn reports whether the app's change of its session looks like a login.
func loggedIn(was, is jsondoc.Value, redirect bool) bool {
	before := maps.Collect(was.Members())
	for name, value := range is.Members() {
		old, had := before[name]
		switch {
		case had && old.Equal(value):
		case containsAny(name, loginFields), !had && redirect && !containsAny(name, passingFields):
			return true
		}
	}
	return false
}
