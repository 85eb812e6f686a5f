package parts

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// What looks like a login is decided here, for apps that know nothing of us and tell it by their cookies alone. A
// login calls for a new id, since somebody else may have planted the old one. What calls for a new id is not merged
// with parallel changes, so everything else is spared.

var (
	// loginFields are what the name of a field contains, in lower case, that says who is logged in.
	loginFields = []string{"user", "uid", "login", "logged", "auth", "account", "email", "role", "admin", "member"}

	// passingFields are the same of fields that redirects add without a login.
	passingFields = []string{"flash", "csrf", "xsrf"}

	// loginCookies are the same of cookies.
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
		return status/100 == 3 || h.Get("Refresh") != "" // PHP apps on IIS send that in place of Location
	}
}

// loggedIn reports whether an app that has made one session of another may have logged somebody in.
func loggedIn(was, is jsondoc.Value, redirect bool) bool {
	before := make(map[string]jsondoc.Value)
	for name, value := range was.Members() {
		before[name] = value
	}
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
