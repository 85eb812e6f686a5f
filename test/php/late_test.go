package php_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// lateSession is a session block with the key of PHP.
const lateSession = "session {\n store memory\n store_timeout 30s\n max_size 60000\n late \"another key that is new\" \"" + key + "\"\n }"

// What a script changes when its headers have gone is kept as without the proxy, also by the
// request that makes the session.
func TestLateSessionsOfScripts(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t)
	prepended, log := serve(t, prepend())
	alone, behind := site(t, "", plain), site(t, lateSession, prepended)
	for _, step := range []string{
		"late", "late, large page", "late, no buffers", "late, not flushed", "late, flush alone", "late, closed", "late, nothing new", "late, shutdown", "late, destructor", "late, own header callback", "late, in the header callback",
		"late, exit", "late, fatal", "late, everything", "late, removed", "late, regenerated before", "late, regenerated", "late, destroyed",
		"late, destroyed before", "late, two names",
	} {
		t.Run(step, func(t *testing.T) {
			visit(t, behind).doesAs(visit(t, alone), step, "show", "show")
			visit(t, behind).doesAs(visit(t, alone), "nested", "objects", step, "show", step, "nested&value=z", "show")
		})
	}
	if text, _ := os.ReadFile(log); strings.Contains(string(text), "caddy-session:") {
		t.Errorf("the log says:\n%s", text)
	}
}

// Whatever scripts call, one after the other and with flushes in between, the session is as without
// the proxy.
func TestRandomSteps(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t)
	prepended, log := serve(t, prepend())
	alone, behind := site(t, "", plain), site(t, lateSession, prepended)
	for first := 0; first < *seeds && !t.Failed(); first += 20 {
		one, other := visit(t, alone), visit(t, behind)
		for seed := range 6 {
			other.doesAs(one, fmt.Sprintf("random steps&seed=%d", first+seed))
		}
	}
	if text, _ := os.ReadFile(log); strings.Contains(string(text), "caddy-session:") {
		t.Errorf("the log says:\n%s", text)
	}
}

// fpm runs PHP's process manager with these settings, and returns its address.
func fpm(t *testing.T, settings ...string) string {
	t.Helper()
	program := harness.Program(t, "php-fpm", "php-fpm8.4", "php-fpm8.3", "php-fpm8.2", "/usr/sbin/php-fpm8.4", "/usr/sbin/php-fpm8.3", "/usr/sbin/php-fpm8.2")
	addr, dir := harness.FreeAddr(t), t.TempDir()
	pool := []string{
		"[global]", "error_log = " + dir + "/fpm.log", "daemonize = no", "[www]", "listen = " + addr, "pm = static", "pm.max_children = 4",
		"php_value[session.save_path] = " + dir, "php_value[error_log] = " + dir + "/php.log", "php_flag[log_errors] = on", "php_value[output_buffering] = 4096",
		`env[CADDY_SESSION_KEY] = "` + key + `"`,
	}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		pool = append(pool, "php_value["+name+"] = "+value)
	}
	config := filepath.Join(dir, "fpm.conf")
	if err := os.WriteFile(config, []byte(strings.Join(pool, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	harness.Serve(t, "php-fpm", addr, exec.Command(program, "-F", "-n", "-R", "-y", config))
	return addr
}

// becomes waits until the session of a visitor has a text in it.
func (v visitor) becomes(want string) {
	v.t.Helper()
	var body string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, body, _ = v.does("show"); strings.Contains(body, want) {
			return
		}
	}
	v.t.Errorf("the session is %s, want %s", body, want)
}

// The response is over, and the script goes on with its session.
func TestLateAfterTheResponse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*harness.Caddy{"alone": site(t, "", fpm(t)), "behind": site(t, lateSession, fpm(t, prepend()))} {
		t.Run(name, func(t *testing.T) {
			v := visit(t, c)
			if _, body, _ := v.does("late, finished"); body != "page" {
				t.Errorf("the page is %q", body)
			}
			v.becomes(`s:2:"by";s:18:"after the response"`)
		})
	}
}

// The visitor leaves before the page is there, and the script goes on.
func TestLateAfterTheVisitorHasLeft(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*harness.Caddy{"alone": site(t, "", fpm(t)), "behind": site(t, lateSession, fpm(t, prepend()))} {
		t.Run(name, func(t *testing.T) {
			v := visit(t, c)
			v.does("nested")
			ctx, cancel := context.WithCancel(t.Context())
			r, _ := http.NewRequestWithContext(ctx, http.MethodGet, v.base+"/?do=late,+visitor+gone", nil)
			resp, err := v.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			_ = resp.Body.Close()
			v.becomes(`s:15:"nobody is there"`)
		})
	}
}

// Late changes of pages at once are all kept.
func TestLatePagesAtOnce(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend())
	v := visit(t, site(t, lateSession, addr))
	v.does("nested")
	var pages sync.WaitGroup
	for i := range 20 {
		pages.Go(func() { v.does(fmt.Sprintf("late, slow&key=page%d", i)) })
	}
	pages.Wait()
	_, body, _ := v.does("show")
	for i := range 20 {
		if !strings.Contains(body, fmt.Sprintf(`"page%d"`, i)) {
			t.Errorf("page%d is not in %s", i, body)
		}
	}
}

// What is not kept is said in the log, with the reason.
func TestLateIsNotKept(t *testing.T) {
	t.Parallel()
	const short = "session {\n store memory\n store_timeout 30s\n max_size 60000\n %s\n }"
	for says, options := range map[string]string{
		"the proxy gave no X-Session-Late":          "",
		"CADDY_SESSION_KEY is not a key of late":    "late \"a key that PHP does not have\"",
		"the proxy cannot be reached: Connection":   "late \"" + key + "\" {\n url http://" + harness.FreeAddr(t) + "\n }",
		"the proxy says 400; its log says why":      "late \"" + key + "\"\n regenerate_on by",
		"is not kept: it has objects or references": "late \"" + key + "\"",
	} {
		t.Run(says, func(t *testing.T) {
			step, settings := "late", []string{prepend()}
			addr, log := serve(t, settings...)
			if strings.Contains(says, "objects") {
				step, addr = "late, everything", addr+" {\nenv CADDY_SESSION_KEY \"\"\n}"
			}
			v := visit(t, site(t, fmt.Sprintf(short, options), addr))
			v.does(step)
			if _, body, _ := v.does("show"); strings.Contains(body, "late") || strings.Contains(body, "cart") {
				t.Errorf("the session is %s", body)
			}
			if text, _ := os.ReadFile(log); !strings.Contains(string(text), says) {
				t.Errorf("the log says:\n%s", text)
			}
		})
	}
}

// A change that is too large by the headers is too large later.
func TestLateTooLarge(t *testing.T) {
	t.Parallel()
	addr, log := serve(t, prepend())
	v := visit(t, site(t, lateSession, addr))
	v.does("late, too large")
	if _, body, _ := v.does("show"); strings.Contains(body, "xxx") {
		t.Errorf("the session has %d bytes", len(body))
	}
	if text, _ := os.ReadFile(log); !strings.Contains(string(text), "is lost: the proxy") {
		t.Errorf("the log says:\n%s", text)
	}
}

// A page that shows the whole environment shows the URL, and no key for it.
func TestAttackDumpShowsNoKeyOfLate(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend())
	_, body, _ := visit(t, site(t, lateSession, addr)).does("dump")
	if !strings.Contains(body, "HTTP_X_SESSION_LATE") || strings.Contains(body, key) {
		t.Errorf("%d bytes, with a key: %t", len(body), strings.Contains(body, key))
	}
}
