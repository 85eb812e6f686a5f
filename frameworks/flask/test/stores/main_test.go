package stores_test

import (
	"os"
	"testing"

	"github.com/caddy-session/caddy-session/internal/longtest"
)

// All of these tests are long.
func TestMain(m *testing.M) {
	longtest.Tests()
	os.Exit(m.Run())
}
