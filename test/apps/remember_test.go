package apps_test

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// "Remember me" works as it does without the proxy, in a real browser: after it was closed, and
// after the session's idle timeout. Everything else is forgotten, also as without the proxy.
func TestRememberMe(t *testing.T) {
	t.Setenv("APP_SECRET", appSecret)
	for _, app := range []struct {
		name, form, session string
		start               func(t *testing.T) string
	}{
		{"WordPress", "/wp-login.php?redirect_to=/", "vault *", startWordPress},
		{"Flask-Login", "/login", "vault remember_token\n\t\tadopt flask {\n\t\t\tsecret {env.APP_SECRET}\n\t\t}", startFlaskLogin},
	} {
		handler := app.start(t)
		walk := func(session string, idle int, ours string) func(*testing.T) {
			return func(t *testing.T) {
				url := harness.Start(t, "http://$ADDR {\n"+session+handler+"\n}\n").URL
				harness.Walk(t, "apps/others/remember.mjs", "URL="+url, "LOGIN="+app.form, fmt.Sprint("IDLE=", idle), "OURS="+ours)
			}
		}
		block := "\tsession {\n\t\tstore memory\n\t\t%s\n\t\t" + app.session + "\n\t}\n"
		t.Run(app.name+" alone", walk("", 0, "no"))
		t.Run(app.name+" behind the proxy", walk(fmt.Sprintf(block, "idle_timeout 24h"), 0, "yes"))
		t.Run(app.name+" behind the proxy, idle", walk(fmt.Sprintf(block, "idle_timeout 8s"), 8000, "yes"))
	}
}

func startFlaskLogin(t *testing.T) string {
	t.Helper()
	python, addr := harness.Environment(t, "others"), harness.FreeAddr(t)
	serve(t, "others", addr, exec.Command(python, "-m", "gunicorn", "--bind", addr, "--threads", "4", "remember:app"))
	return "\treverse_proxy " + addr
}
