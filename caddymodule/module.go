// Package caddymodule is the Caddy HTTP handler http.handlers.session. It gives apps behind Caddy
// server-side sessions: an app reads its session in request headers and changes it with response
// headers.
//
// Where to find what:
//
//   - handler.go: the steps of one request; request.go, response.go and commit.go: the details
//   - module.go, caddyfile.go, provision.go: the options, the Caddyfile, the provisioning
//   - partlist.go: the list of parts; folder parts: what a session adds to requests and takes from
//     responses
//   - folder keep: where sessions are loaded from and saved to, a store or the cookie itself
//   - folder cookie: the session cookie
//   - late.go: changes of sessions after the head of the response; folder late: their listener
//   - turn.go: requests of one session one after the other
//   - stream.go: WebSockets and event streams, which end with their session
//   - clean.go, unmatched.go: the handler session_clean, for requests that a matcher leaves out
//   - folder gate: the handler session_gate, which sends users to log in
//   - folder devices: the handler session_devices, which shows users their sessions
//   - folder adminpage: the handler session_admin, the page for operators
//   - folder explain, explained.go: what "caddy session explain" says of a request
//   - folder session: how other Caddy plugins read a request's session
//   - folder admin: the part of Caddy's admin API for operators; folder command: the command line
//     "caddy session", which uses it
//   - folders stores, dialects, adopters: the modules for the options store, dialect and adopt
package caddymodule

import (
	"encoding/json"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/cookie"
	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/caddymodule/parts"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/internal/seldom"
	"github.com/caddy-session/caddy-session/internal/vault"
	"github.com/caddy-session/caddy-session/sessionstore"

	// The admin API, the command, and the stores that every build has.
	_ "github.com/caddy-session/caddy-session/caddymodule/admin"
	_ "github.com/caddy-session/caddy-session/caddymodule/command"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/bolt"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/file"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/memory"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/moving"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/none"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/redis"
)

func init() {
	caddy.RegisterModule(new(Handler))
	caddy.RegisterModule(new(Clean))
}

// Handler gives the handlers behind it server-side sessions. The browser holds one signed, opaque
// cookie; the data stay in a store. The app gets the data in the request header `X-Session-Data`
// and changes the session with the response headers `X-Session-Update`, `X-Session-Flash` and
// `X-Session-Control`.
//
// These placeholders hold the session as it was when the request arrived:
//
// Placeholder | Description
// ------------|-------------
// `{http.session.exists}` | Whether there is a session
// `{http.session.ref}` | The session's name in logs, never its id
// `{http.session.created}` | When it began, in Unix seconds
// `{http.session.user}` | Who has logged in, with the option user
// `{http.session.data}` | Its data, as JSON
// `{http.session.data.<field>}` | A field of its data, by its dotted path
// `{http.session.outcome}` | What the cookie has led to: none, hit, expired, unknown, forged, scope or unavailable
// `{http.session.error}` | In error routes: why the request was refused, without details of the store
//
// With a `name`, the placeholders contain it after `http.session.`, as in
// `{http.session.shop.exists}`.
type Handler struct {
	// Distinguishes several session handlers in one route. It becomes part of the default names of
	// the headers and the cookie, of the placeholders and of the scope. Letters, digits, - and _.
	// Default: none
	Name string `json:"name,omitempty"`

	// A label for sites that share their sessions: same scope, store and secret. Placeholders do
	// not work here. Default: the handler's name with the cookie's domain, or with the request's
	// host if the cookie has no domain
	Scope string `json:"scope,omitempty"`

	// The keys of the session cookie. The first one signs; all of them verify. At least 16 bytes
	// each. Placeholders such as {env.*} and {file.*} work. Default: one key that is generated at
	// first use and kept in Caddy's storage
	Secret []string `json:"secret,omitempty"`

	// The store that keeps the sessions. Default: bolt
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=http.session.stores inline_key=backend"`

	// The format of the sessions: native, or that of an app's framework. Default: native
	DialectRaw json.RawMessage `json:"dialect,omitempty" caddy:"namespace=http.session.dialects inline_key=format"`

	// The prefix of the session headers' names. Default: X-Session-, or X-Session-<Name>- with a
	// name
	HeaderPrefix string `json:"header_prefix,omitempty"`

	// The fields that are forwarded in the data header: "*" for all, "none", or dotted paths.
	// Default: *
	Forward []string `json:"forward,omitempty"`

	// Whether the app may change the session. Without, its session headers are removed and ignored.
	// What capture, vault and adopt take still counts. Default: true
	Updates *bool `json:"updates,omitempty"`

	// The encoding of the data header: json (ASCII), or base64 (of UTF-8 JSON). Default: json
	Encoding string `json:"encoding,omitempty"`

	// Further request headers, each with a field of the data, by its dotted path, or with a
	// template that has placeholders: "{http.session.data.user.name}". Strings are percent-encoded:
	// characters that are not printable ASCII, the % sign, and blanks at both ends. Other values
	// are JSON in ASCII. A header is left out if one of its fields is missing or null, or another
	// placeholder is empty. The client's header of that name is always removed. Default: none
	Inject map[string]string `json:"inject,omitempty"`

	// Response headers of the app that become fields of the data. They are always removed from the
	// response. Default: none
	Capture map[string]parts.Capture `json:"capture,omitempty"`

	// The names of the app's cookies that are kept in the session and never reach the client; *
	// stands for any characters. The app gets them as a browser would send them, and never gets a
	// client's cookie of such a name. With this option, the session cookie ends with the browser
	// unless cookie.permanent is set or a kept cookie lasts longer. Default: none
	Vault []string `json:"vault,omitempty"`

	// The app's own session cookie, which the session cookie replaces in the browser. Default: none
	AdoptRaw json.RawMessage `json:"adopt,omitempty" caddy:"namespace=http.session.adopters inline_key=kind"`

	// The fields, by their dotted paths, whose change gives the session a new id. The fields of
	// capture and user always do, and so does what looks like a login in the app's session (adopt)
	// or cookies (vault). "vault" means every change of a cookie in the vault. Default: none
	RegenerateOn []string `json:"regenerate_on,omitempty"`

	// How long a session lives after its last request. Default: 24h
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`

	// Who has logged in: a field of the data. It is {http.session.user}, and its change gives the
	// session a new id. Default: none
	User *User `json:"user,omitempty"`

	// How many sessions a user may have. Needs user. Default: 1000, end_oldest
	MaxUserSessions *UserLimit `json:"max_user_sessions,omitempty"`

	// Whether sessions hold the address and the User-Agent of the first and the last recorded use,
	// for the list of session_devices and for operators. Default: false
	RememberClient *bool `json:"remember_client,omitempty"`

	// How long a session that nobody has logged in to lives after its last request. Needs user.
	// Default: idle_timeout
	AnonymousTimeout caddy.Duration `json:"anonymous_timeout,omitempty"`

	// How long a session lives after its creation, even if it is used. Default: 744h
	AbsoluteTimeout caddy.Duration `json:"absolute_timeout,omitempty"`

	// The shortest time between two records of a session's use. A session may end this much before
	// its idle timeout. Must be shorter than that. For sessions with a shorter idle timeout of
	// their own, or by anonymous_timeout, it is at most a twentieth of that. Default: a twentieth
	// of the idle timeout
	TouchInterval caddy.Duration `json:"touch_interval,omitempty"`

	// How long requests that are already running can still save to a session that was emptied, or
	// to one that got a new id; for the latter at least 3m. Default: 10s
	RegenerateGrace caddy.Duration `json:"regenerate_grace,omitempty"`

	// How long the old id stays valid when the app asked for a new id and nobody uses the new one,
	// because the response may have been lost. Default: 5m
	RegenerateUnused caddy.Duration `json:"regenerate_unused,omitempty"`

	// The maximum size of the data, in bytes of ASCII JSON. At most 245760. Default: 4000
	MaxSize int `json:"max_size,omitempty"`

	// The maximum size of the session's headers and cookies in a request, in bytes. A longer
	// request goes to the app without the data, and its X-Session-Info says too-large, so that the
	// user can still log out. Default: 0, no limit
	MaxHeaders int `json:"max_headers,omitempty"`

	// The time limit for loading a session, and for saving one. Default: 1s
	StoreTimeout caddy.Duration `json:"store_timeout,omitempty"`

	// What happens when a session cannot be loaded: fail (the request gets a 503) or anonymous (it
	// goes on without a session, and changes get a 503). Default: fail
	OnStoreError string `json:"on_store_error,omitempty"`

	// The ranges of the addresses of clients that see in X-Session-Explain what became of the
	// session. Requests through proxies that Caddy does not trust are not explained. Default: none
	Explain []string `json:"explain,omitempty"`

	// What becomes of WebSockets and event streams (text/event-stream) when their session has ended
	// or its absolute timeout is over: end (they are closed, within a minute where another process
	// has ended it) or keep. Default: end
	Streams string `json:"streams,omitempty"`

	// Whether the requests of one session run one after the other in this process, for apps that
	// rely on the lock of PHP's sessions. A request waits for at most ten times store_timeout, and
	// then gets a 503. Default: false
	SerializeRequests *bool `json:"serialize_requests,omitempty"`

	// How the app can still change a session when the head of its response has gone. Default: it
	// cannot
	Late *Late `json:"late,omitempty"`

	// Whether responses get the header Vary: Cookie. Default: true
	Vary *bool `json:"vary,omitempty"`

	// The attributes of the session cookie
	Cookie *cookie.Options `json:"cookie,omitempty"`

	// debug says that the logger writes lines of level DEBUG.
	logger *zap.Logger
	debug  bool

	// outages is the logger for an unreachable store, unreadable the one for damaged records. See
	// loggerFor.
	outages, unreadable *zap.Logger
	format              dialects.Format
	dialect             string // its name, if it is an app's
	keeper              keep.Keeper
	storeName           string
	place               string
	remote              bool // the store is on another machine
	cookie              cookie.Jar
	names               names
	secret              keep.Secret
	late                lateKeys

	doubt     doubt
	incidents incidents

	// explain is one of the parts. refusedCookies is the warning of cookies that browsers refuse.
	explain        *parts.Explain
	refusedCookies seldom.Hosts

	// sharedCookie is the name of the cookie of a dialect that shares it. Only set by a Caddyfile.
	sharedCookie string

	// appCookies are the names that no client may send: those of the vault and of adopt.
	appCookies vault.Patterns

	// parts is what a session adds to requests and takes from responses. A part whose entry in
	// ignored is true takes nothing. warnedIgnored is done when that was logged.
	parts         []parts.Part
	ignored       []bool
	warnedIgnored sync.Once

	// hasCookieTaker and hasChooser say that a part implements [parts.CookieTaker],
	// [parts.Chooser].
	hasCookieTaker, hasChooser bool

	// adoptedCookie is the name of the adopted app's session cookie. The Caddyfile sets it before
	// provisioning, for session_clean.
	adoptedCookie string

	site         string
	hostScoped   bool
	endsStreams  bool
	regenerateOn []jsondoc.Path

	placeholders string
	mark         string
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.session", New: func() caddy.Module { return new(Handler) }}
}

// Cleanup implements [caddy.CleanerUpper]. Running requests still use the store; the last of them
// releases it.
func (h *Handler) Cleanup() error {
	if h.keeper != nil {
		h.keeper.Cleanup()
	}
	if h.late.endpoint != nil {
		h.late.endpoint.Leave()
	}
	return nil
}

const (
	// maxForward is the maximum size of forwarded data in bytes, unless max_size or max_headers
	// allows more. Servers limit the size of headers.
	maxForward = 32 << 10

	// maxMaxSize leaves room in a record for flash messages, the scope and the head.
	maxMaxSize = sessionstore.MaxRecord - 16<<10
)
