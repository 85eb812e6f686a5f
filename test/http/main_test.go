// Package http_test tests the session handler with real requests through a real Caddy process.
//
// Most tests share one Caddy with many sites, each with its own options (see newSite). Tests that
// need other global options, their own log or a restart start their own process.
package http_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

func TestMain(m *testing.M) {
	// required by Caddy for WebSockets over HTTP/2
	_ = os.Setenv("GODEBUG", "http2xconnect=1")
	harness.MainWith(m, func() bool {
		quiet := true
		if started {
			for _, line := range leaks(caddy().Log(), issued()) {
				fmt.Println("--- FAIL: the shared Caddy's log has a session's cookie or id:", line)
				quiet = false
			}
		}
		return shared.Close() && quiet
	})
}

// shared owns what all tests share.
var shared = new(harness.Shared)

// site is a host of the shared Caddy.
type site struct{ host string }

var siteBlocks []string

// newSite adds a site to the shared Caddy, as the initial value of a variable. expand replaces
// placeholders in the text.
func newSite(name, block string) *site {
	s := &site{host: name + ".test"}
	siteBlocks = append(siteBlocks, "http://"+s.host+" {\n"+block+"\n}\n")
	return s
}

var started bool

// caddy is the shared Caddy.
var caddy = sync.OnceValue(func() *harness.Caddy {
	started = true
	return harness.StartWith(shared, func(c *harness.Caddy) string {
		_, port, _ := net.SplitHostPort(c.Addr)
		return expand(globals("http_port "+port, "default_bind 127.0.0.1") + strings.Join(siteBlocks, ""))
	})
})

// globals returns a block of global options.
func globals(options ...string) string {
	return "{\n\tadmin $ADMIN\n\tauto_https off\n\tskip_install_trust\n\tgrace_period 1ms\n\t" +
		strings.Join(options, "\n\t") + "\n}\n"
}

// expand puts the backends' addresses into a Caddyfile.
func expand(text string) string {
	return strings.NewReplacer("$BACKEND", backend(), "$FCGI", fcgiBackend(), "$RAWFCGI", rawFCGI(), "$RAW", rawBackend(),
		"$DEAD", "127.0.0.1:1", "$SECRET", secret, "$OLDSECRET", oldSecret).Replace(text)
}

const (
	secret    = "0123456789abcdef-the-first-key"
	oldSecret = "fedcba9876543210-the-older-key"
)

// start runs a Caddy for one test.
func start(t *testing.T, caddyfile string) *harness.Caddy {
	t.Helper()
	return harness.Start(t, expand(caddyfile))
}

// secrets are all cookies that tests have received.
var secrets sync.Map

func issued() (all []string) {
	secrets.Range(func(key, _ any) bool {
		all = append(all, key.(string))
		return true
	})
	return all
}

// leaks returns the log lines above DEBUG that have one of the texts.
func leaks(log string, texts []string) (lines []string) {
	for line := range strings.Lines(log) {
		var entry struct{ Level string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Level == "debug" {
			continue
		}
		for _, text := range texts {
			if strings.Contains(line, text) {
				lines = append(lines, line)
				break
			}
		}
	}
	return lines
}
