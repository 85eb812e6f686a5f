// Package flask_test runs Flask applications with every Flask-Session behind the proxy, on real
// servers, next to a backend that speaks in headers. Both share the application's own sessions.
package flask_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

func TestMain(m *testing.M) { harness.MainOf(m, "./test/cmd/all") }

// rounds is how often random values are compared in each row: SESSION_TEST_ROUNDS, which
// test/run.sh sets to 100, or else 10.
func rounds(t *testing.T) int {
	text := os.Getenv("SESSION_TEST_ROUNDS")
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("SESSION_TEST_ROUNDS: %v", err)
	}
	return n
}

const secret = "a secret of the application's"
