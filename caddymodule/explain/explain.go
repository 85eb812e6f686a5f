// Package explain says what the running Caddy would do with the session of a request, step by step.
// It writes nothing, and asks no app.
package explain

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Ask is a request to explain.
type Ask struct {
	URL    string `json:"url"`
	Method string `json:"method,omitempty"` // default: GET

	// Cookie is a Cookie header, or the value of the session cookie alone.
	Cookie string `json:"cookie,omitempty"`

	// Header are further headers of the request.
	Header http.Header `json:"header,omitempty"`
}

// Answer is the explanation.
type Answer struct {
	// Server is the name of the server that gets the request.
	Server string `json:"server,omitempty"`
	Steps  []Step `json:"steps"`
}

// Step is a part of an explanation. It has no id, no value of a cookie, and no data.
type Step struct {
	What string `json:"what"`
	Says string `json:"says"`

	// Wrong says that this may be why a session is empty, and Do what to do about it.
	Wrong bool   `json:"wrong,omitempty"`
	Do    string `json:"do,omitempty"`
}

// Handler is implemented by session handlers.
type Handler interface {
	// ExplainRequest says what the handler does with the session of a request. It changes the
	// request as the handler would, for the handlers behind it. bare is the value of its cookie, if
	// the request has no Cookie header.
	ExplainRequest(r *http.Request, bare string) Passage
}

// Passage is what a session handler does with a request.
type Passage struct {
	Steps []Step

	// Refused is the error with which the handler refuses the request, or nil.
	Refused error

	// Fail takes the session out of the request, as the handler does when one behind it fails.
	Fail func()
}

func (a *Answer) add(what, says string) { a.Steps = append(a.Steps, Step{What: what, Says: says}) }

func (a *Answer) wrong(what, says, do string) {
	a.Steps = append(a.Steps, Step{What: what, Says: says, Wrong: true, Do: do})
}

// Running explains a request to the servers of the running Caddy. An error means that it cannot be
// understood.
func Running(ask *Ask) (*Answer, error) {
	app, err := caddy.ActiveContext().AppIfConfigured("http")
	servers, ok := app.(*caddyhttp.App)
	if err != nil || !ok {
		return nil, errors.New("the running configuration has no HTTP server")
	}
	r, bare, err := ask.request()
	if err != nil {
		return nil, err
	}
	a := new(Answer)
	server := a.server(servers, r)
	if server == nil {
		return a, nil
	}
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, server)
	walk := &walk{answer: a, server: server, r: r, bare: bare, groups: make(map[string]bool)}
	walk.all()
	return a, nil
}

// request returns the request, and the value of the cookie if that is all that is known.
func (ask *Ask) request() (r *http.Request, bare string, err error) {
	u, err := url.Parse(ask.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, "", errors.New("url: it must be complete, such as https://example.org/path")
	}
	method := strings.ToUpper(ask.Method)
	if method == "" {
		method = http.MethodGet
	}
	r, err = http.NewRequest(method, u.String(), http.NoBody)
	if err != nil {
		return nil, "", errors.New("method: it is not an HTTP method")
	}
	r.RequestURI, r.RemoteAddr = u.RequestURI(), "127.0.0.1:1"
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
	for name, values := range ask.Header {
		if name = http.CanonicalHeaderKey(name); name == "Host" {
			r.Host = strings.Join(values, "")
		} else {
			r.Header[name] = values
		}
	}
	if u.Scheme == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: u.Hostname()}
	}
	cookie, header := ask.Cookie, false
	if name, value, found := strings.Cut(cookie, ":"); found && strings.EqualFold(strings.TrimSpace(name), "Cookie") {
		cookie, header = value, true
	}
	cookie = strings.Join(strings.Fields(cookie), " ")
	name, _, named := strings.Cut(cookie, "=")
	if header || strings.Contains(cookie, ";") || named && !strings.ContainsAny(name, " .,") {
		r.Header.Set("Cookie", cookie)
		return r, "", nil
	}
	return r, cookie, nil
}

// server finds the server that listens where the URL leads.
func (a *Answer) server(app *caddyhttp.App, r *http.Request) *caddyhttp.Server {
	port := r.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[r.URL.Scheme]
	}
	number, _ := strconv.ParseUint(port, 10, 16)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(app.Servers)) {
		server := app.Servers[name]
		for _, listen := range server.Listen {
			at, err := caddy.ParseNetworkAddress(listen)
			if err != nil {
				continue
			}
			if !at.IsUnixNetwork() && at.StartPort <= uint(number) && uint(number) <= at.EndPort && here(at.Host, r.URL.Hostname()) {
				a.Server = name
				says := fmt.Sprintf("%s listens on %s", name, listen)
				if r.TLS != nil && (len(server.TLSConnPolicies) == 0 || number == uint64(cmp.Or(app.HTTPPort, caddyhttp.DefaultHTTPPort))) {
					says += " without TLS, so only a proxy before it can take this request by https"
				}
				a.add("server", says)
				return server
			}
		}
		all = append(all, fmt.Sprintf("%s (%s)", name, strings.Join(server.Listen, ", ")))
	}
	a.wrong("server", "no server of this Caddy listens on port "+port+"; there are: "+strings.Join(all, ", "),
		"give the URL by which requests come to Caddy. What a proxy before it adds can be given with --header")
	return nil
}

// here reports whether a server that listens on a host may get a request for another one.
func here(listen, host string) bool {
	one, two := net.ParseIP(listen), net.ParseIP(host)
	return one == nil || two == nil || one.IsUnspecified() || one.Equal(two)
}
