// Package caddymodule is the Caddy HTTP handler http.handlers.session: server-side
// sessions for backends that know nothing of them but two or three headers.
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
	"github.com/caddy-session/caddy-session/internal/vault"
	"github.com/caddy-session/caddy-session/sessionstore"

	// The command, and the stores of every build.
	_ "github.com/caddy-session/caddy-session/caddymodule/command"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/bolt"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/file"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/memory"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/none"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/redis"
)

func init() {
	caddy.RegisterModule(new(Handler))
	caddy.RegisterModule(new(Clean))
}

// Handler gives the handlers behind it server-side sessions. The browser holds one
// signed, opaque cookie; the data stay in a store. The backend gets them in the
// request header `X-Session-Data` and changes them with the response headers
// `X-Session-Update`, `X-Session-Flash` and `X-Session-Control`.
//
// These placeholders hold the session as the request found it:
//
// Placeholder | Description
// ------------|-------------
// `{http.session.exists}` | Whether there is a session
// `{http.session.ref}` | The session's name in logs, never its id
// `{http.session.created}` | When it began, in Unix seconds
// `{http.session.data}` | Its data, as JSON
// `{http.session.data.<field>}` | A field of its data, by its dotted path
// `{http.session.error}` | In error routes: why the handler has refused the request, without details of the store
//
// With a `name`, it stands behind `http.session.`, as in `{http.session.shop.exists}`.
type Handler struct {
	// Tells several session handlers in one route apart: it becomes part of the
	// headers' and the cookie's default names, of the placeholders and of the scope.
	Name string `json:"name,omitempty"`

	// A label that sites share to share their sessions. Default: the sessions count for the
	// handler's name with the cookie's domain, or with the request's host if the cookie has none
	Scope string `json:"scope,omitempty"`

	// The keys that sign the cookie: the first signs, all verify. At least 16 bytes each.
	// Placeholders such as {env.*} and {file.*} work. Default: a key that is made at
	// first use and kept in Caddy's storage
	Secret []string `json:"secret,omitempty"`

	// Where the sessions are kept. Default: bolt
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=http.session.stores inline_key=backend"`

	// The form in which they are kept. Default: native
	DialectRaw json.RawMessage `json:"dialect,omitempty" caddy:"namespace=http.session.dialects inline_key=format"`

	// What the names of the headers begin with. Default: X-Session-, or X-Session-Name- with a name
	HeaderPrefix string `json:"header_prefix,omitempty"`

	// The fields that go into the data header: "*" for all, "none", or their dotted paths. Default: *
	Forward []string `json:"forward,omitempty"`

	// Whether the backend may change the session. Default: true
	Updates *bool `json:"updates,omitempty"`

	// How the data header is encoded: json (ASCII), or base64 (of the UTF-8 JSON). Default: json
	Encoding string `json:"encoding,omitempty"`

	// Request headers of their own, each for a field of the data, by its dotted path, or for a text with
	// placeholders: "{http.session.data.user.name}". Strings are percent-encoded: whatever is not printable ASCII,
	// % itself, and blanks at the ends. Everything else is its JSON, in ASCII. A header of which a field is missing, or null, or
	// another placeholder empty, is not sent. Whatever happens, the client's is removed
	Inject map[string]string `json:"inject,omitempty"`

	// Response headers of the backend's that become fields of the data, and go no further
	Capture map[string]parts.Capture `json:"capture,omitempty"`

	// The names of cookies of the backend's that are kept in the session and never reach the client; * stands
	// for any characters. The backend gets them as a browser would have sent them, and nothing that a client
	// sends under these names. With it, the session's own cookie is not permanent unless that is said, or lasting cookies are kept
	Vault []string `json:"vault,omitempty"`

	// The app's own session cookie, which ours takes the place of. Default: none
	AdoptRaw json.RawMessage `json:"adopt,omitempty" caddy:"namespace=http.session.adopters inline_key=kind"`

	// What gives the session a new id when it changes, beside the fields of capture and what looks like a login in the app's own
	// session (adopt) or cookies (vault): fields, by their dotted paths. "vault" stands for every cookie of the vault, in every response
	RegenerateOn []string `json:"regenerate_on,omitempty"`

	// How long a session lives after the last request. Default: 24h
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`

	// How long a session lives after its creation, whatever happens. Default: 744h
	AbsoluteTimeout caddy.Duration `json:"absolute_timeout,omitempty"`

	// How often the use of a session is recorded at most. Default: a twentieth of the idle timeout
	TouchInterval caddy.Duration `json:"touch_interval,omitempty"`

	// How long a session that was emptied is still known to requests under way, and one whose new id is in use, but
	// that one for 3m at least. Default: 10s
	RegenerateGrace caddy.Duration `json:"regenerate_grace,omitempty"`

	// How long the old id still works when the backend has asked for a new one and nobody uses that: the answer may have
	// been lost. Default: 5m
	RegenerateUnused caddy.Duration `json:"regenerate_unused,omitempty"`

	// How many bytes the data take at most, as ASCII JSON. Default: 4000
	MaxSize int `json:"max_size,omitempty"`

	// How many bytes of a request the headers and cookies of the session take at most. A request that would have more goes on without
	// the data, and its X-Session-Info says too-large, so that the user can still log out. Default: 0, which is no limit
	MaxHeaders int `json:"max_headers,omitempty"`

	// How long loading a session takes at most, and saving one. Default: 1s
	StoreTimeout caddy.Duration `json:"store_timeout,omitempty"`

	// What happens when a session cannot be loaded: fail (503) or anonymous. Default: fail
	OnStoreError string `json:"on_store_error,omitempty"`

	// Whether responses say Vary: Cookie. Default: true
	Vary *bool `json:"vary,omitempty"`

	// The cookie
	Cookie *cookie.Options `json:"cookie,omitempty"`

	logger *zap.Logger

	// outages is the logger for a store that is out of reach, and unreadable that for its damaged records, see loggerFor.
	outages, unreadable *zap.Logger
	format              dialects.Format
	dialect             string // its name, if it is another program's
	keeper              keep.Keeper
	cookie              cookie.Jar
	names               names
	secret              keep.Secret

	doubt doubt

	// sharedCookie is the name of the cookie of a dialect that shares it. It is known in a Caddyfile only.
	sharedCookie string

	// appCookies are the cookies that no client may send.
	appCookies vault.Patterns

	// parts is what a session does to requests and responses. Of those that are ignored, told is done when that was logged.
	parts         []parts.Part
	ignored       []bool
	warnedIgnored sync.Once

	// hasCookieTaker and hasChooser say that there is a [parts.CookieTaker], a [parts.Chooser].
	hasCookieTaker, hasChooser bool

	// adoptedCookie is the name of the cookie of an app whose session is adopted. In a Caddyfile it is known before
	// provisioning.
	adoptedCookie string

	site         string
	hostScoped   bool
	vary         bool
	anonymous    bool
	regenerateOn []jsondoc.Path

	placeholders string
	mark         string
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.session", New: func() caddy.Module { return new(Handler) }}
}

// Cleanup implements [caddy.CleanerUpper]. Requests under way go on using the
// store; the last of them gives it back.
func (h *Handler) Cleanup() error {
	if h.keeper != nil {
		h.keeper.Cleanup()
	}
	return nil
}

const (
	// maxForward is how many bytes of data are forwarded at most, unless
	// max_size allows more: servers limit the size of headers.
	maxForward = 32 << 10

	// maxMaxSize leaves room in a record for messages, scope and head.
	maxMaxSize = sessionstore.MaxRecord - 16<<10
)
