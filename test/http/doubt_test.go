package http_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// If key_prefix, use_signer or secret differ from the app's, its sessions are not found. The log
// says so, once, and only until a session is found.
func TestWrongSettingsOfFlaskSession(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	bare, _, _ := strings.Cut(signedSID, ".")
	record := func(key string) {
		t.Helper()
		if _, err := server.Do("set", key, `{"uid":"x"}`, "ex", 1000); err != nil {
			t.Fatal(err)
		}
	}
	record("app:" + bare)
	for name, test := range map[string]struct{ options, cookie, want, right string }{
		"key_prefix":     {"", bare, "is not the app's SESSION_KEY_PREFIX", "key_prefix app:"},
		"a signed one":   {"key_prefix app:", signedSID, "turn use_signer on", "key_prefix app:\n use_signer on\n secret \"" + appSecret + "\""},
		"an unsigned":    {"key_prefix app:\n use_signer on\n secret \"" + appSecret + "\"", bare, "turn use_signer off", "key_prefix app:"},
		"another secret": {"key_prefix app:\n use_signer on\n secret other", signedSID, "set secret to the app's SECRET_KEY", "key_prefix app:\n use_signer on\n secret \"" + appSecret + "\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := func(options string) *harness.Caddy {
				return start(t, fmt.Sprintf("http://$ADDR {\n session {\n store redis %s\n dialect flask_session {\n %s\n }\n }\n reverse_proxy $BACKEND\n}", server.Addr(), options))
			}
			wrong := at(test.options)
			for range 5 {
				visit(t, wrong).holding("session=" + test.cookie).look().holds("{}")
			}
			if log := wrong.Log(); strings.Count(log, test.want) != 1 || strings.Contains(log, bare) {
				t.Errorf("logged %d times %q:\n%s", strings.Count(log, test.want), test.want, log)
			}
			if out, ok := explain(t, wrong, wrong.URL+"/", "session="+test.cookie); ok || !strings.Contains(out, test.want) {
				t.Errorf("caddy session explain: %s", out)
			}
			right := at(test.right)
			visit(t, right).holding("session=" + test.cookie).look().holds(`{"uid":"x"}`)
			visit(t, right).holding("session=" + strings.Repeat("x", 43)).look().holds("{}")
			if strings.Contains(right.Log(), "no session found for the app's cookie") {
				t.Error("logged with the right settings")
			}
		})
	}
}

// The same for apps that keep sessions in the cookie, with a wrong secret.
func TestWrongSecretOfFlask(t *testing.T) {
	t.Parallel()
	const want = "set secret to the app's SECRET_KEY"
	for secret, warns := range map[string]int{"other": 1, appSecret: 0} {
		c := start(t, fmt.Sprintf("http://$ADDR {\n session {\n dialect flask {\n secret %q\n lifetime 99999h\n }\n }\n reverse_proxy $BACKEND\n}", secret))
		for _, cookie := range []string{"x", "a.b.c", flaskCookie, flaskCookie} {
			visit(t, c).holding("session=" + cookie).look()
		}
		if log := c.Log(); strings.Count(log, want) != warns || strings.Contains(log, flaskCookie[:20]) {
			t.Errorf("logged %d times %q:\n%s", strings.Count(log, want), want, log)
		}
	}
}
