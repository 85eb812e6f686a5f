package faults

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// TestReload loads another configuration every 200 ms, for 30 s on CI, while new connections keep
// coming. No request fails and no session is lost. "caddy validate" runs at the same time.
//
// Any Caddy closes some connections that arrive at the moment of a reload, before it reads a
// request. These do not count: only requests that reached the backend must have been answered.
func TestReload(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"bolt $DIR/sessions.db", "memory"} {
		t.Run(strings.Fields(store)[0], func(t *testing.T) {
			t.Parallel()
			testReload(t, store)
		})
	}
}

func testReload(t *testing.T, store string) {
	const clients = 4
	length := harness.Lasting(30*time.Second, 8*time.Second)
	var reached sync.Map
	backend := harness.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		reached.Store(r.URL.Query().Get("X-Number"), true)
		harness.Echo(w, r)
	})
	config := func(n int) string {
		// Each one differs, or Caddy would skip it.
		return fmt.Sprintf("http://$ADDR {\n\tsession {\n\t\tstore %s\n\t\tmax_size %d\n\t}\n\treverse_proxy %s\n}\n", store, 4000+n, backend)
	}
	caddy := harness.Start(t, config(0))
	// A copy, because each reload writes the file.
	path := filepath.Join(caddy.Dir, "validated")
	text, err := os.ReadFile(caddy.Config())
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}

	reloads := 0 // read once stop is set
	var stop atomic.Bool
	var wg sync.WaitGroup
	for c := range clients {
		client := harness.Client(t)
		client.Transport.(*http.Transport).DisableKeepAlives = true
		wg.Go(func() {
			const count = `[{"op":"increment","path":"/n","value":1}]`
			answered, closed := 0, 0
			for n := 0; !stop.Load(); n++ {
				number := fmt.Sprint(c, "-", n)
				data, err := get(client, caddy.URL, update, count, "X-Number", number)
				if _, asked := reached.Load(number); err != nil && !asked && closedEarly(err) {
					closed++
					continue
				}
				if err != nil {
					t.Errorf("request %d failed: %v", n, err)
					return
				}
				if answered > 0 {
					if got := decode[struct{ N int }](t, data); got.N != answered {
						t.Errorf("request %d found a count of %d, want %d", n, got.N, answered)
						return
					}
				}
				answered++
				time.Sleep(5 * time.Millisecond)
			}
			// A client has one connection at a time, and each reload closes those that nobody has
			// accepted.
			if closed > reloads {
				t.Errorf("%d connections were closed by %d reloads", closed, reloads)
			}
		})
	}
	validated := make(chan int)
	go func() { validated <- validateUntil(t, caddy, path, &stop) }()

	for end := time.Now().Add(length); time.Now().Before(end); reloads++ {
		if err := caddy.Reload(config(reloads + 1)); err != nil {
			t.Error(err)
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	if n := <-validated; n == 0 {
		t.Error("the configuration was never validated")
	}
	if reloads < 5 {
		t.Errorf("only %d reloads", reloads)
	}
}

// closedEarly reports whether the connection was closed before a response.
func closedEarly(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// validateUntil runs caddy validate on a configuration until stop is closed, and returns how many
// times.
func validateUntil(t *testing.T, caddy *harness.Caddy, path string, stop *atomic.Bool) (times int) {
	for ; !stop.Load(); times++ {
		if out, err := caddy.Command("validate", "--config", path, "--adapter", "caddyfile").CombinedOutput(); err != nil {
			t.Errorf("caddy validate: %v\n%s", err, out)
			return times
		}
		time.Sleep(500 * time.Millisecond)
	}
	return times
}

// TestValidateWritesNothing checks that caddy validate creates neither a session file nor a key.
func TestValidateWritesNothing(t *testing.T) {
	t.Parallel()
	caddy := harness.Start(t, "http://$ADDR {\n\trespond ok\n}\n")
	path := filepath.Join(caddy.Dir, "other")
	if err := os.WriteFile(path, []byte("http://localhost:1 {\n\tsession\n\trespond ok\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := caddy.Command("validate", "--config", path, "--adapter", "caddyfile").CombinedOutput(); err != nil {
		t.Fatalf("caddy validate: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(caddy.Dir, "data", "caddy", "session")); !os.IsNotExist(err) {
		t.Errorf("the folder of the sessions was created: %v", err)
	}
}
