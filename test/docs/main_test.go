package docs_test

import (
	"os"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// The examples use all stores and read these variables.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"APP_SECRET": "dev", "FLASKR_SECRET_KEY": "dev", "REDIS_PASSWORD": "password", "LATE_KEY": "0123456789abcdef"} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	harness.MainOf(m, "./test/cmd/all")
}
