package httpsession_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/httpsession"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
	"github.com/caddy-session/caddy-session/signer"
)

// site is a real server with a handler behind the middleware.
type site struct {
	*testing.T
	*httptest.Server
	manager *sessionstore.Manager
	signer  *signer.Signer
	store   *broken
}

// broken is a store that can be taken down.
type broken struct {
	sessionstore.Store
	reads, writes bool
}

func (b *broken) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	if b.reads {
		return sessionstore.Entry{}, sessionstore.ErrUnavailable
	}
	return b.Store.Get(ctx, key)
}

func (b *broken) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	if b.writes {
		return sessionstore.Entry{}, sessionstore.ErrUnavailable
	}
	return b.Store.CompareAndSet(ctx, key, old, value, ttl)
}

func newSigner(t *testing.T, keys ...string) *signer.Signer {
	t.Helper()
	var o signer.Options
	for _, k := range keys {
		o.Keys = append(o.Keys, []byte(k))
	}
	s, err := signer.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newSite(t *testing.T, o httpsession.Options, h http.HandlerFunc) *site {
	t.Helper()
	mem := memory.New(memory.Options{})
	s := &site{T: t, store: &broken{Store: mem}, signer: newSigner(t, "key")}
	s.manager = sessionstore.NewManager(s.store, sessionstore.Options{})
	o.Manager = s.manager
	if o.Signer == nil {
		o.Signer = s.signer
	}
	s.Server = httptest.NewServer(httpsession.Middleware(o)(h))
	t.Cleanup(func() { s.Close(); _ = mem.Close() })
	return s
}

// get asks the site with these cookies, and returns the answer and its body.
func (s *site) get(cookies ...*http.Cookie) (*http.Response, string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		s.Fatal(err)
	}
	for _, c := range cookies {
		req.AddCookie(c)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp, string(body)
}

// one returns the cookie of an answer that sets one.
func (s *site) one(resp *http.Response) *http.Cookie {
	s.Helper()
	if len(resp.Cookies()) != 1 {
		s.Fatalf("%d cookies: %v", len(resp.Cookies()), resp.Header)
	}
	return resp.Cookies()[0]
}

func count(w http.ResponseWriter, r *http.Request) {
	s := httpsession.From(r.Context())
	if err := s.Edit(sessionstore.Increment("n", 1)); err != nil {
		panic(err)
	}
	fmt.Fprint(w, s.Get("n"))
}

func TestASessionIsSavedBeforeTheFirstByte(t *testing.T) {
	for name, write := range map[string]func(w http.ResponseWriter){
		"nothing":   func(http.ResponseWriter) {},
		"status":    func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) },
		"body":      func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") },
		"copied":    func(w http.ResponseWriter) { _, _ = io.Copy(w, strings.NewReader("x")) },
		"flushed":   func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"control":   func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		"after 103": func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints); w.WriteHeader(200) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
				if err := httpsession.From(r.Context()).Set("a", 1); err != nil {
					t.Error(err)
				}
				write(w)
				if name != "nothing" {
					if err := httpsession.From(r.Context()).Set("late", 1); err == nil {
						t.Error("a change after the first byte is taken")
					}
				}
			})
			resp, _ := s.get()
			c := s.one(resp)
			id, _, ok := s.signer.Verify(c.Value)
			if !ok || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Name != "session" {
				t.Errorf("cookie %v", c)
			}
			if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Vary") != "Cookie" {
				t.Errorf("header %v", resp.Header)
			}
			scope := sessionstore.Scope{Site: "name session", Host: "127.0.0.1"}
			if got, err := s.manager.Load(t.Context(), id, scope); err != nil || got.Data() != `{"a":1}` {
				t.Errorf("saved %s, %v", got.Data(), err)
			}
		})
	}
}

func TestAHijackedConnectionIsSavedBefore(t *testing.T) {
	s := newSite(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
		_ = httpsession.From(r.Context()).Set("a", 1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nSet-Cookie: %s\r\nContent-Length: 0\r\n\r\n", w.Header().Get("Set-Cookie"))
	})
	resp, _ := s.get()
	s.one(resp)
}

// A handler that cannot take over the connection, as in HTTP/2, answers in another way.
func TestAHijackWhereThereIsNoneBeginsNoResponse(t *testing.T) {
	s := newSite(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Error(err)
		}
		if err := httpsession.From(r.Context()).Set("a", 1); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusNotImplemented)
	})
	w := httptest.NewRecorder()
	s.Config.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusNotImplemented || len(w.Result().Cookies()) != 1 {
		t.Errorf("status %d, %v", w.Code, w.Header())
	}
}

func TestAVisitorCounts(t *testing.T) {
	s := newSite(t, httpsession.Options{}, count)
	resp, body := s.get()
	c := s.one(resp)
	if body != "1" {
		t.Error(body)
	}
	for want := 2; want < 5; want++ {
		resp, body := s.get(c)
		if len(resp.Cookies()) > 0 || body != fmt.Sprint(want) {
			t.Errorf("%s, %v", body, resp.Header)
		}
	}
}

// TestParallelRequestsLoseNothing: each adds to what is there when it is saved.
func TestParallelRequestsLoseNothing(t *testing.T) {
	s := newSite(t, httpsession.Options{}, count)
	resp, _ := s.get()
	c := s.one(resp)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { s.get(c) })
	}
	all.Wait()
	if _, body := s.get(c); body != "52" {
		t.Error(body)
	}
}

func TestAttackForgedCookies(t *testing.T) {
	s := newSite(t, httpsession.Options{}, count)
	resp, _ := s.get()
	good := s.one(resp)
	id, _, _ := s.signer.Verify(good.Value)
	for name, value := range map[string]string{
		"no signature": id, "another's key": newSigner(t, "other").Sign(id), "an id that nobody was given": s.signer.Sign(sessionstore.NewID()),
		"no id": s.signer.Sign("x"), "nothing": "",
	} {
		resp, body := s.get(&http.Cookie{Name: "session", Value: value})
		if body != "1" || s.one(resp).Value == value {
			t.Errorf("%s: %s, %v", name, body, resp.Header)
		}
		if _, body := s.get(&http.Cookie{Name: "session", Value: value}, good); body == "1" {
			t.Errorf("%s hides the real cookie", name)
		}
	}
}

// Another site of the domain adds cookies that browsers send first.
func TestAttackTossedCookies(t *testing.T) {
	s := newSite(t, httpsession.Options{}, count)
	resp, _ := s.get()
	var cookies []*http.Cookie
	for range 20 {
		cookies = append(cookies, &http.Cookie{Name: "session", Value: "x"})
	}
	if _, body := s.get(append(cookies, s.one(resp))...); body != "2" {
		t.Errorf("the visitor is at %s", body)
	}
}

// An attacker has planted an id with which somebody has logged in, in a cookie that browsers send
// first. The new id counts.
func TestAttackPlantedOldIDBeforeTheNewOne(t *testing.T) {
	s := newSite(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, httpsession.From(r.Context()).Get("user"))
	})
	scope := sessionstore.Scope{Site: "name session", Host: "127.0.0.1"}
	planted, err := s.manager.Commit(t.Context(), &sessionstore.Session{Scope: scope},
		&sessionstore.Change{Edits: []sessionstore.Edit{sessionstore.Set("user", "nobody")}})
	if err != nil {
		t.Fatal(err)
	}
	old, err := s.manager.Load(t.Context(), planted.ID, scope)
	if err != nil {
		t.Fatal(err)
	}
	login, err := s.manager.Commit(t.Context(), old,
		&sessionstore.Change{Edits: []sessionstore.Edit{sessionstore.Set("user", "ada")}, Regenerate: true})
	if err != nil {
		t.Fatal(err)
	}
	cookie := func(id string) *http.Cookie { return &http.Cookie{Name: "session", Value: s.signer.Sign(id)} }
	if _, body := s.get(cookie(planted.ID)); body != "nobody" {
		t.Errorf("with the old id alone: %s", body)
	}
	if _, body := s.get(cookie(planted.ID), cookie(login.ID)); body != "ada" {
		t.Errorf("with both: %s", body)
	}
}

// An attacker has planted a cookie of his own session. After the logout, the visitor is in neither.
func TestAttackPlantedCookieAfterALogout(t *testing.T) {
	s := newSite(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
		s := httpsession.From(r.Context())
		switch r.Header.Get("X-Do") {
		case "login":
			_ = s.Set("user", r.Header.Get("X-User"))
		case "logout":
			s.Change.Destroy = true
		}
		fmt.Fprint(w, s.Get("user"))
	})
	do := func(what, user string, cookies ...*http.Cookie) (*http.Response, string) {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Do", what)
		r.Header.Set("X-User", user)
		for _, c := range cookies {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
		s.Config.Handler.ServeHTTP(w, r)
		return w.Result(), w.Body.String()
	}
	resp, _ := do("login", "ada")
	own := s.one(resp)
	resp, _ = do("login", "mallory")
	planted := s.one(resp)
	if _, user := do("", "", own, planted); user != "ada" {
		t.Fatalf("before the logout: %s", user)
	}
	resp, _ = do("logout", "", own, planted)
	if gone := s.one(resp); resp.StatusCode != http.StatusOK || gone.MaxAge != -1 {
		t.Errorf("the logout: %d, %v", resp.StatusCode, gone)
	}
	for _, c := range []*http.Cookie{own, planted} {
		if _, user := do("", "", c); user != "<nil>" {
			t.Errorf("after the logout, the visitor is %s", user)
		}
	}
}

func TestAttackCookieOfAnotherHost(t *testing.T) {
	s := newSite(t, httpsession.Options{}, count)
	resp, _ := s.get()
	c := s.one(resp)
	s.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	if _, body := s.get(c); body != "1" {
		t.Errorf("another host's session counts: %s", body)
	}
}

// Cookies do not know ports, so neither do sessions.
func TestPortsDoNotTellSitesApart(t *testing.T) {
	s := newSite(t, httpsession.Options{}, count)
	for _, host := range []string{"example.com", "192.0.2.1", "[2001:db8::1]"} {
		var cookies []*http.Cookie
		for i, port := range []string{"", ":8080", ":9090"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+port, nil)
			for _, c := range cookies {
				r.AddCookie(c)
			}
			w := httptest.NewRecorder()
			s.Config.Handler.ServeHTTP(w, r)
			if want := fmt.Sprint(i + 1); w.Body.String() != want {
				t.Errorf("%s%s counts %s, want %s", host, port, w.Body, want)
			}
			if i == 0 {
				cookies = w.Result().Cookies()
			}
		}
	}
}

func TestACookieOfAnOldKeyIsSignedAnew(t *testing.T) {
	s := newSite(t, httpsession.Options{Signer: newSigner(t, "new", "key")}, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, httpsession.From(r.Context()).Get("n"))
	})
	scope := sessionstore.Scope{Site: "name session", Host: "127.0.0.1"}
	out, err := s.manager.Commit(t.Context(), &sessionstore.Session{Scope: scope},
		&sessionstore.Change{Edits: []sessionstore.Edit{sessionstore.Set("n", 7)}})
	if err != nil {
		t.Fatal(err)
	}
	resp, body := s.get(&http.Cookie{Name: "session", Value: s.signer.Sign(out.ID)})
	if c := s.one(resp); body != "7" || c.Value != newSigner(t, "new").Sign(out.ID) {
		t.Errorf("%s, %v", body, c)
	}
}

// TestAnswersWhenTheStoreIsDown: nothing of the handler's answer is sent where its change was not
// saved.
func TestAnswersWhenTheStoreIsDown(t *testing.T) {
	s := newSite(t, httpsession.Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Secret", "paid")
		_ = httpsession.From(r.Context()).Set("a", 1)
		w.WriteHeader(http.StatusCreated)
		if _, err := io.WriteString(w, "paid"); err == nil {
			t.Error("the handler is not told")
		}
	})
	s.store.writes = true
	resp, body := s.get()
	if resp.StatusCode != 503 || strings.Contains(body, "paid") || resp.Header.Get("X-Secret") != "" || len(resp.Cookies()) > 0 {
		t.Errorf("%d %s %v", resp.StatusCode, body, resp.Header)
	}
	s.store.reads = true
	resp, _ = s.get(&http.Cookie{Name: "session", Value: s.signer.Sign(sessionstore.NewID())})
	if resp.StatusCode != 503 || len(resp.Cookies()) > 0 {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

func TestChangesThatAreNotValid(t *testing.T) {
	var told error
	s := newSite(t, httpsession.Options{OnError: func(w http.ResponseWriter, _ *http.Request, err error) {
		told = err
		w.WriteHeader(http.StatusTeapot)
	}}, func(w http.ResponseWriter, r *http.Request) {
		s := httpsession.From(r.Context())
		for _, err := range []error{s.Set("a..b", 1), s.Set("a", func() {}), s.Remove(""), s.Edit(sessionstore.Increment("a.b", 1))} {
			if err == nil {
				t.Error("no error")
			}
		}
		if err := s.Set("a", strings.Repeat("x", sessionstore.DefaultMaxSize)); err != nil {
			t.Error(err)
		}
	})
	if resp, _ := s.get(); resp.StatusCode != http.StatusTeapot || !errors.Is(told, sessionstore.ErrTooLarge) {
		t.Errorf("%d, %v", resp.StatusCode, told)
	}
}

func TestAHandlerSeesWhatItSets(t *testing.T) {
	s := newSite(t, httpsession.Options{}, func(_ http.ResponseWriter, r *http.Request) {
		s := httpsession.From(r.Context())
		if got := s.Get("user.name"); got != nil {
			t.Error(got)
		}
		for _, err := range []error{s.Set("user.name", "Zoë"), s.Set("list", []int{1, 2}), s.Set("gone", true), s.Remove("gone")} {
			if err != nil {
				t.Error(err)
			}
		}
		var data struct {
			User struct{ Name string }
			List []int
			Gone *bool
		}
		if err := s.Decode(&data); err != nil || data.User.Name != "Zoë" || len(data.List) != 2 || data.Gone != nil {
			t.Errorf("%+v, %v", data, err)
		}
		if s.Get("user.name") != "Zoë" || fmt.Sprint(s.Get("list.1")) != "2" {
			t.Errorf("%v, %v", s.Get("user"), s.Get("list"))
		}
	})
	s.get()
}

// TestAHandlerThatPanicsSavesNothing: net/http ends the connection, and so no cookie is set.
func TestAHandlerThatPanicsSavesNothing(t *testing.T) {
	s := newSite(t, httpsession.Options{}, func(_ http.ResponseWriter, r *http.Request) {
		_ = httpsession.From(r.Context()).Set("a", 1)
		panic(http.ErrAbortHandler)
	})
	s.store.writes = true // a save would be answered
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("answered %d", resp.StatusCode)
	}
}

func TestLoginAndLogout(t *testing.T) {
	sessions, err := newSessions([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(app(sessions))
	defer server.Close()
	jar, _ := cookiejar.New(nil)
	browser := http.Client{Jar: jar}
	var planted []*http.Cookie
	for _, step := range []struct{ path, want string }{{"", `user "", visit 1`}, {"/login", `user "Ada", visit 2`}, {"", `user "Ada", visit 3`}} {
		var resp *http.Response
		if step.path == "" {
			resp, err = browser.Get(server.URL)
		} else {
			resp, err = browser.PostForm(server.URL+step.path, map[string][]string{"name": {"Ada"}})
		}
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := strings.TrimSpace(string(body)); got != step.want {
			t.Errorf("%s: %s, want %s", step.path, got, step.want)
		}
		if planted == nil {
			planted = jar.Cookies(resp.Request.URL)
		}
	}
	// Whoever has planted the old id is not logged in.
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	req.AddCookie(planted[0])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.HasPrefix(string(body), `user ""`) {
		t.Errorf("the old id: %s", body)
	}
	resp, err = browser.PostForm(server.URL+"/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ = io.ReadAll(resp.Body)
	resp.Body.Close()
	if got := strings.TrimSpace(string(body)); got != `user "", visit 1` {
		t.Error(got)
	}
}

// TestAReadKeepsTheSessionAlive: a handler that changes nothing uses the session too.
func TestAReadKeepsTheSessionAlive(t *testing.T) {
	mem := memory.New(memory.Options{})
	defer mem.Close()
	const idle = 2 * time.Second
	sign := newSigner(t, "key")
	manager := sessionstore.NewManager(mem, sessionstore.Options{IdleTimeout: idle, TouchInterval: time.Millisecond})
	server := httptest.NewServer(httpsession.Middleware(httpsession.Options{Manager: manager, Signer: sign})(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := httpsession.From(r.Context())
			if r.URL.Path == "/begin" {
				_ = s.Set("a", 1)
			}
			fmt.Fprint(w, s.Loaded.Exists())
		})))
	defer server.Close()
	jar, _ := cookiejar.New(nil)
	browser := http.Client{Jar: jar}
	for i, path := range []string{"/begin", "/", "/", "/"} {
		resp, err := browser.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := fmt.Sprint(i > 0); string(body) != want {
			t.Fatalf("request %d: %s", i, body)
		}
		time.Sleep(idle * 2 / 3)
	}
}

func TestTheCookieHasTheAttributesOfTheOptions(t *testing.T) {
	o := httpsession.Options{Cookie: http.Cookie{Name: "shop", Domain: "example.org", Path: "/shop", SameSite: http.SameSiteStrictMode, MaxAge: 9}}
	s := newSite(t, o, count)
	tls := httptest.NewTLSServer(s.Config.Handler)
	defer tls.Close()
	resp, err := tls.Client().Get(tls.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	c := s.one(resp)
	if c.Name != "shop" || c.Domain != "example.org" || c.Path != "/shop" || c.SameSite != http.SameSiteStrictMode || !c.Secure || !c.HttpOnly || c.MaxAge != 0 {
		t.Errorf("%v", c)
	}
	s.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	if _, body := s.get(&http.Cookie{Name: "shop", Value: c.Value}); body != "2" {
		t.Errorf("on another host of the domain: %s", body)
	}
}

// TestAPermanentCookieEndsWithItsSession, and a destroyed session's at once.
func TestAPermanentCookieEndsWithItsSession(t *testing.T) {
	yes := true
	s := newSite(t, httpsession.Options{}, func(_ http.ResponseWriter, r *http.Request) {
		s := httpsession.From(r.Context())
		if s.Loaded.Exists() {
			s.Change.Destroy = true
			return
		}
		_ = s.Set("a", 1)
		s.Change.Permanent = &yes
	})
	resp, _ := s.get()
	c := s.one(resp)
	if want := int(sessionstore.DefaultAbsoluteTimeout.Seconds()); c.MaxAge < want-60 || c.MaxAge > want {
		t.Errorf("Max-Age %d", c.MaxAge)
	}
	resp, _ = s.get(c)
	if gone := s.one(resp); gone.MaxAge != -1 || gone.Value != "" {
		t.Errorf("%v", gone)
	}
	if resp, _ = s.get(c); s.one(resp).MaxAge <= 0 {
		t.Error("the destroyed session is still there")
	}
}

// TestThePageShowsTheExample holds docs/go.md to the code that runs here.
func TestThePageShowsTheExample(t *testing.T) {
	page, err := os.ReadFile("../../docs/go.md")
	if err != nil {
		t.Fatal(err)
	}
	var code []byte
	for _, name := range []string{
		"example_test.go", "../example_test.go", "../../signer/example_test.go", "../../caddymodule/view_test.go",
	} {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, file...)
	}
	// Examples are functions: what is in them is indented once more than on the page.
	code = append(code, bytes.ReplaceAll(code, []byte("\n\t"), []byte("\n"))...)
	blocks := strings.Split(string(page), "```go\n")[1:]
	if len(blocks) < 3 {
		t.Errorf("only %d examples", len(blocks))
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		if !bytes.Contains(code, []byte(block)) {
			t.Errorf("no test runs this:\n%s", block)
		}
	}
}
