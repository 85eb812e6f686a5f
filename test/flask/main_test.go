// Package flask_test runs Flask applications with every Flask-Session behind the proxy, on real servers, next to a backend
// that speaks in headers. Both share the application's own sessions.
package flask_test

import (
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

func TestMain(m *testing.M) { harness.MainOf(m, "./test/flask/cmd/caddy") }

const secret = "a secret of the application's"
