package http_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/caddy-session/caddy-session/signer"
	"github.com/caddy-session/caddy-session/test/harness"
)

func keySite(name, secrets string) *site {
	return newSite(name, `
	session {
		store memory
		secret `+secrets+`
		scope keys
	}
	reverse_proxy $BACKEND`)
}

var (
	keyOld  = keySite("keyold", "$OLDSECRET")
	keyBoth = keySite("keyboth", "$SECRET $OLDSECRET")
	keyNew  = keySite("keynew", "$SECRET")
)

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	b := keyOld.browser(t)
	old := b.change("update", `{"a":1}`).issues()
	rotated := b.holding("caddy_session=" + old.Value).at("http://" + keyBoth.host)

	// The new key alone does not know the cookie; with both keys it is valid and is signed again by
	// the next response, whatever that is.
	b.holding(b.cookies()).at("http://" + keyNew.host).look().holds("{}").keeps()
	c := rotated.look().holds(`{"a":1}`).issues()
	id := func(value string) string { id, _, _ := strings.Cut(value, "."); return id }
	if c.Value == old.Value || id(c.Value) != id(old.Value) || c.MaxAge < old.MaxAge-60 || c.MaxAge > old.MaxAge {
		t.Errorf("signed again: %d, was %d", c.MaxAge, old.MaxAge)
	}
	if r := rotated.look(); r.Header.Get("Cache-Control") != "no-store" {
		t.Error("not no-store")
	}
	rotated.ask("status", "304").want(http.StatusNotModified).issues()
	rotated.ask("status", "500").want(http.StatusInternalServerError).issues()
	rotated.send(rotated.request(http.MethodHead, "/", nil)).want(http.StatusOK).issues()
	rotated.ask("update", "{").want(http.StatusBadGateway).keeps()
	b.holding("caddy_session=" + c.Value).at("http://" + keyNew.host).look().holds(`{"a":1}`).keeps()
	b.holding("caddy_session=" + c.Value).at("http://" + keyBoth.host).look().holds(`{"a":1}`).keeps()
	b.holding("caddy_session=" + c.Value).look().holds("{}") // with the old key only

	// With other reasons for a cookie, it is still one cookie.
	if c := rotated.change("control", "permanent=?0").issues(); c.MaxAge != 0 || id(c.Value) != id(old.Value) {
		t.Errorf("not permanent: Max-Age %d", c.MaxAge)
	}
	if c := rotated.look().issues(); c.MaxAge != 0 {
		t.Error("a cookie that was signed again is permanent")
	}
	fresh := rotated.change("control", "regenerate").issues()
	if id(fresh.Value) == id(old.Value) {
		t.Error("not regenerated")
	}
	rotated.look().holds(`{"a":1}`).keeps() // the old id gets no cookie
	b.holding("caddy_session="+fresh.Value).at("http://"+keyBoth.host).change("control", "destroy").expires()
	rotated.look().holds("{}").keeps() // nothing to sign
}

// A request whose session was destroyed meanwhile gets no cookie.
func TestKeyRotationOfADestroyedSession(t *testing.T) {
	t.Parallel()
	b := keyOld.browser(t)
	old := b.change("update", `{"a":1}`).issues()
	rotated := b.holding("caddy_session=" + old.Value).at("http://" + keyBoth.host)
	slow := rotated.hold("update", `{"b":1}`)
	b.change("control", "destroy").expires()
	slow.release().keeps()
}

// keyFile is where Caddy's file storage has the generated key.
func keyFile(storage string) string { return filepath.Join(storage, "session", "secret.key") }

// storageKey reads the generated key from Caddy's storage.
func storageKey(t *testing.T, dir string) *signer.Signer {
	t.Helper()
	key, err := os.ReadFile(keyFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	s, err := signer.New(signer.Options{Keys: [][]byte{[]byte(strings.TrimSpace(string(key)))}, Salt: "caddy-session"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Two processes with one Caddy storage make one key, even if both first need it at the same moment.
func TestGeneratedKeyIsShared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := globals("storage file_system "+dir) + `
http://$ADDR {
	session {
		store memory
	}
	reverse_proxy $BACKEND
}`
	caddies := []*harness.Caddy{start(t, config), start(t, config), start(t, config)}
	if _, err := os.Stat(filepath.Dir(keyFile(dir))); err == nil {
		t.Error("a key exists before it is needed")
	}
	cookies := make([]string, 0, len(caddies))
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, c := range caddies {
		b := visit(t, c)
		b.look().keeps()
		all.Go(func() {
			for range 10 { // a process that waits for the other's lock may fail once
				r := b.attempt(b.request(http.MethodGet, ask("/", "update", `{"a":1}`), nil))
				if r == nil {
					return
				}
				if c := r.cookie(); c != nil {
					mu.Lock()
					defer mu.Unlock()
					cookies = append(cookies, c.Value)
					return
				}
			}
		})
	}
	all.Wait()
	s := storageKey(t, dir)
	if len(cookies) != len(caddies) {
		t.Errorf("%d cookies of %d", len(cookies), len(caddies))
	}
	for _, c := range cookies {
		if _, _, ok := s.Verify(c); !ok {
			t.Error("a cookie was signed with another key")
		}
	}
	if info, err := os.Stat(keyFile(dir)); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("other users can read the key: %v", info.Mode())
	}
}

// While another process makes the key, requests wait and do not fail.
func TestKeyInCreation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := start(t, globals("storage file_system "+dir)+"http://$ADDR {\n\tsession {\n\t\tstore memory\n\t}\n\treverse_proxy $BACKEND\n}\n")
	storage := &certmagic.FileStorage{Path: dir}
	name := "session/secret.key"
	if err := storage.Lock(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	slow := visit(t, c).hold("update", `{"a":1}`)
	slow.let()
	time.Sleep(200 * time.Millisecond) // it waits for the lock now
	if err := storage.Store(t.Context(), name, []byte(secret)); err != nil {
		t.Fatal(err)
	}
	if err := storage.Unlock(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	cookie := slow.release().issues()
	if _, _, ok := storageKey(t, dir).Verify(cookie.Value); !ok {
		t.Error("signed with another key")
	}
}

// Requests that wait for a missing key wait at the same time, not one after the other.
func TestRequestsWaitForKeyInParallel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := start(t, globals("storage file_system "+dir)+"http://$ADDR {\n\tsession {\n\t\tstore memory\n\t\tstore_timeout 500ms\n\t}\n\treverse_proxy $BACKEND\n}\n")
	storage := &certmagic.FileStorage{Path: dir}
	if err := storage.Lock(t.Context(), "session/secret.key"); err != nil {
		t.Fatal(err)
	}
	b := visit(t, c)
	began := time.Now()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			r := b.attempt(b.request(http.MethodGet, ask("/", "update", `{"a":1}`), nil))
			if r != nil && r.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("status %d", r.StatusCode)
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("20 requests at once took %s, with a store_timeout of 500ms", took)
	}
	_ = storage.Unlock(t.Context(), "session/secret.key")
}

// The defaults, bolt and a generated key, survive a restart.
func TestDefaultsSurviveARestart(t *testing.T) {
	t.Parallel()
	c := start(t, "http://$ADDR {\n\tsession\n\treverse_proxy $BACKEND\n}")
	b := visit(t, c)
	b.change("update", `{"a":1}`, "flash", `"x"`).issues()
	storageKey(t, filepath.Join(c.Dir, "data", "caddy"))
	c.Kill()
	c.Run()
	b.client.CloseIdleConnections()
	b.look().holds(`{"a":1}`).flashes(`[["message","x"]]`).keeps()
}

// A stream does not need the store after its head: a reload releases the file while the stream
// continues.
func TestStreamReleasesStore(t *testing.T) {
	t.Parallel()
	c := start(t, "http://$ADDR {\n\tsession\n\treverse_proxy $BACKEND {\n\t\tflush_interval -1\n\t}\n}")
	b := visit(t, c)
	end := make(chan struct{})
	stream := b.via(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Session-Update", `{"a":1}`)
		_ = http.NewResponseController(w).Flush()
		<-end
	})
	r := stream.open(stream.request(http.MethodGet, "/", nil))
	r.issues()
	file := filepath.Join(c.Dir, "data", "caddy", "session", "sessions.db")
	if free(t, file) {
		t.Fatal("the session file is not locked")
	}
	if err := c.Reload(expand("http://$ADDR {\n\treverse_proxy $BACKEND\n}")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session file is free", func() bool { return free(t, file) })
	close(end)
}
