// Package check reads a configuration of Caddy and reports what no directive can see alone, such as
// an app that is reached past the session handler in front of it.
package check

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Finding is something that is wrong with a configuration.
type Finding struct {
	// Kind names the kind of finding, for programs.
	Kind string `json:"kind"`

	// Where is the server with the matchers of the route. Lines are "file:line", as far as known.
	Where string   `json:"where"`
	Lines []string `json:"lines,omitempty"`

	// What says what is wrong, and Do what to do about it.
	What string `json:"what"`
	Do   string `json:"do"`
}

// String returns the finding as text.
func (f Finding) String() string {
	where := f.Where
	if len(f.Lines) > 0 {
		where = strings.Join(f.Lines, ", ") + ": " + where
	}
	return fmt.Sprintf("%s:\n  %s\n  %s\n", where, f.What, f.Do)
}

// The kinds of findings.
const (
	kindGate     = "gate_without_session"
	kindDevices  = "devices_without_user"
	kindPage     = "admin_without_operator"
	kindBehind   = "session_never_reached"
	kindBypass   = "app_reached_without_session"
	kindCookie   = "one_cookie"
	kindSecret   = "no_secret"
	kindMoved    = "moved_from_here"
	kindChooses  = "placeholder_chooses"
	kindAlways   = "placeholder_always_empty"
	kindHeader   = "header_not_taken"
	errorsPrefix = "handle_errors"
)

// configuration is the part of Caddy's configuration that matters here.
type configuration struct {
	Storage struct{ Module string }
	Apps    struct {
		HTTP struct{ Servers map[string]server }
	}
}

type server struct {
	Listen      []string
	Routes      []route
	Errors      errorRoutes
	NamedRoutes map[string]route `json:"named_routes"`
}

type errorRoutes struct{ Routes []route }

type route struct {
	Group    string
	Match    []map[string]json.RawMessage
	Handle   []json.RawMessage
	Terminal bool
}

// checker collects what it sees on the way through a configuration.
type checker struct {
	lines    *lines
	named    map[string]route
	invoking []string

	sharedStorage bool
	sessions      []*session
	proxies       []proxy
	unheard       []unheard // in this server
	findings      []Finding
}

// Config checks a configuration in JSON. caddyfile is the Caddyfile from which it was adapted, for
// the numbers of lines, or nil.
func Config(config []byte, filename string, caddyfile []byte) ([]Finding, error) {
	var cfg configuration
	if err := json.Unmarshal(config, &cfg); err != nil {
		return nil, fmt.Errorf("decoding the configuration: %w", err)
	}
	c := &checker{lines: linesOf(filename, caddyfile)}
	c.sharedStorage = cfg.Storage.Module != "" && cfg.Storage.Module != "file_system"
	servers := cfg.Apps.HTTP.Servers
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		s := servers[name]
		c.named = s.NamedRoutes
		at := place{text: fmt.Sprintf("server %s (%s)", name, strings.Join(s.Listen, ", "))}
		earlier := len(c.sessions)
		c.routes(s.Routes, state{}, at)
		c.routes(s.Errors.Routes, failed(state{}, c.sessions[earlier:]), at.with(errorsPrefix))
		c.notTaken(c.sessions[earlier:])
	}
	c.bypasses()
	c.cookies()
	c.moved()
	return c.findings, nil
}

func (c *checker) add(kind string, at place, lines []string, what, do string) {
	f := Finding{Kind: kind, Where: at.text, Lines: lines, What: what, Do: do}
	if !slices.ContainsFunc(c.findings, func(g Finding) bool { return f.String() == g.String() }) {
		c.findings = append(c.findings, f)
	}
}
