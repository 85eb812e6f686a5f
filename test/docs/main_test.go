package docs_test

import (
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// The examples use all stores.
func TestMain(m *testing.M) { harness.MainOf(m, "./test/flask/cmd/caddy") }
