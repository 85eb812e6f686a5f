// Package flask_test runs Flask apps with every supported Flask-Session behind the proxy, on real
// servers, beside a backend that uses headers. Both share the app's sessions.
package flask_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/test/harness"
)

// All of these tests are long.
func TestMain(m *testing.M) {
	longtest.Tests()
	harness.MainOf(m, "./test/cmd/all")
}

// rounds is how many times each row compares random values: SESSION_TEST_ROUNDS, which test/run.sh
// sets to 25. Default: 10.
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

const secret = "a secret of the app"
