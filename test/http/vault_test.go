package http_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/harness/faulty"
)

const vaultOptions = `
		store memory
		secret $SECRET
		vault sid app_*`

var vaultSite = newSite("www.vault", `
	session {`+vaultOptions+`
	}
	handle /raw {
		reverse_proxy $RAW {
			flush_interval -1
		}
	}
	handle /fcgi/* {
		reverse_proxy $FCGI {
			transport fastcgi
		}
	}
	handle_path /stripped/* {
		reverse_proxy $BACKEND
	}
	handle {
		reverse_proxy $BACKEND
	}`)

// setCookies are pairs for ask, made from Set-Cookie lines.
func setCookies(lines ...string) (pairs []string) {
	for _, line := range lines {
		pairs = append(pairs, "Set-Cookie", line)
	}
	return pairs
}

// sets makes the backend set cookies in the response to a path, and checks which lines reach the
// client apart from our own.
func (b *browser) sets(path string, lines []string, reach ...string) *reply {
	b.t.Helper()
	r := b.get(ask(path, setCookies(lines...)...)).want(http.StatusOK).hides()
	var got []string
	for _, line := range r.Header["Set-Cookie"] {
		if name, _, _ := strings.Cut(strings.TrimPrefix(line, "__Host-"), "="); name != "caddy_session" && name != "caddy_session_browser" {
			got = append(got, line)
		}
	}
	if !slices.Equal(got, reach) {
		b.t.Fatalf("the client got %q, want %q", got, reach)
	}
	return r
}

// carries checks the Cookie header that the backend gets for a path.
func (b *browser) carries(path, want string) *reply {
	b.t.Helper()
	r := b.get(path).want(http.StatusOK)
	if got := r.given("Cookie"); got != want {
		b.t.Fatalf("%s: the backend got the cookies %q, want %q", path, got, want)
	}
	return r
}

func TestVault(t *testing.T) {
	t.Parallel()
	b := vaultSite.browser(t)
	b.carries("/", "").keeps()
	r := b.sets("/", []string{"sid=1; HttpOnly", "other=2; Path=/", "app_a=3; Path=/", "app=4"}, "other=2; Path=/", "app=4")
	if c := r.issues(); c.MaxAge != 0 || !c.Expires.IsZero() || !c.HttpOnly {
		t.Errorf("the session's cookie: %s", c)
	}
	b.carries("/", "sid=1; app_a=3; other=2; app=4").holds("{}").keeps()
	// Only the browser may keep a response that had a Set-Cookie.
	r = b.sets("/?Cache-Control=public", []string{"app_a=; Max-Age=0; Path=/", "app_b=5"}).keeps()
	if got := r.Header["Cache-Control"]; len(got) != 1 || got[0] != "private" {
		t.Errorf("Cache-Control: %s", got)
	}
	b.carries("/", "sid=1; app_b=5; other=2; app=4")
	b.change("update", `{"x":1}`).keeps()
	b.change("update", `{"x":null}`).keeps()
	b.sets("/", []string{"sid=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}).keeps()
	b.carries("/", "app_b=5; other=2; app=4")
	b.sets("/", []string{"app_b=x; Max-Age=-1"}).expires()
	if r := b.carries("/", "other=2; app=4"); r.info().exists {
		t.Error("an empty session still exists")
	}
	b.sets("/", []string{"sid=x; Max-Age=0"}).keeps()
}

func TestVaultExpiry(t *testing.T) {
	t.Parallel()
	b := vaultSite.browser(t)
	b.sets("/", []string{"sid=1; Max-Age=1", "app_a=2; Max-Age=100; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "app_b=3"})
	b.carries("/", "sid=1; app_a=2; app_b=3")
	eventually(t, "the cookie expires", func() bool { return b.look().given("Cookie") == "app_a=2; app_b=3" })
}

func TestVaultPaths(t *testing.T) {
	t.Parallel()
	b := vaultSite.browser(t)
	b.sets("/a/b", []string{"sid=default", "sid=root; Path=/", "sid=deep; Path=/a/b/c"})
	b.carries("/a/b/c/d?x=/y", "sid=deep; sid=default; sid=root")
	b.carries("/a/bx", "sid=default; sid=root")
	b.carries("/b", "sid=root")
	b.sets("/b", []string{"sid=new; Path=/"}).issues() // another value: a new id
	b.carries("/a/b", "sid=default; sid=new")
	// The browser's path counts, not decoded, whatever handlers make of it.
	b.sets("/stripped/x/y", []string{"app_s=1"})
	if r := b.carries("/stripped/x/z", "app_s=1; sid=new"); r.sent().Path != "/x/z" {
		t.Errorf("the backend got %s", r.sent().Path)
	}
	b.carries("/x/z", "sid=new")
	b.carries("/stripped/%78/z", "sid=new")
}

// A cookie goes only to the paths, hosts and schemes to which a browser would send it.
func TestAttackVaultElsewhere(t *testing.T) {
	t.Parallel()
	b := behindAProxy(t)
	b.sets("/", []string{"app_host=1", "app_path=2; Path=/p", "app_domain=3; Domain=vaultshared.test", "app_stranger=4; Domain=test", "app_other=5; Domain=vault.test"})
	b.carries("/", "app_host=1; app_domain=3")
	sibling := b.at("http://x.vaultshared.test")
	sibling.carries("/p", "app_domain=3")
	b.carries("/p", "app_path=2; app_host=1; app_domain=3")

	// Secure: a trusted proxy says how the client connected.
	secure := b.with("X-Forwarded-Proto", "https")
	secure.sets("/", []string{"app_secure=6; Secure", "__Host-app=7; Secure; Path=/"}, "__Host-app=7; Secure; Path=/")
	b.sets("/", []string{"app_insecure=8; Secure", "app_secure=9"})
	b.carries("/", "app_host=1; app_domain=3")
	secure.carries("/", "app_host=1; app_domain=3; app_secure=6")
}

// behindAProxy returns a client of two hosts that share their sessions, behind a proxy that is
// trusted to say how the client connected.
func behindAProxy(t *testing.T) *browser {
	t.Helper()
	c := harness.StartWith(t, func(c *harness.Caddy) string {
		_, port, _ := net.SplitHostPort(c.Addr)
		return expand(globals("http_port "+port, "default_bind 127.0.0.1", "servers {\n trusted_proxies static 127.0.0.0/8\n }") +
			"http://www.vaultshared.test, http://x.vaultshared.test {\n\tsession {" + vaultOptions +
			"\n\t\tcookie {\n\t\t\tdomain vaultshared.test\n\t\t}\n\t}\n\treverse_proxy $BACKEND\n}\n")
	})
	return newBrowser(t, c.Addr, "http://www.vaultshared.test")
}

// Requests that another site causes obey SameSite, if the browser tells.
func TestVaultSameSite(t *testing.T) {
	t.Parallel()
	b := behindAProxy(t)
	b.change("update", `{"a":1}`) // so that the client accepts the cookie
	b = b.with("X-Forwarded-Proto", "https")
	b.sets("/", []string{"app_n=1; SameSite=None; Secure", "app_l=2; SameSite=Lax", "app_s=3; SameSite=Strict", "app_d=4"})
	elsewhere := b.with("Sec-Fetch-Site", "cross-site")
	link := elsewhere.with("Sec-Fetch-Mode", "navigate").with("Sec-Fetch-Dest", "document")
	b.with("Sec-Fetch-Site", "same-site").carries("/", "app_n=1; app_l=2; app_s=3; app_d=4")
	elsewhere.carries("/", "app_n=1")
	link.carries("/", "app_n=1; app_l=2; app_d=4")
	elsewhere.with("Sec-Fetch-Mode", "navigate").with("Sec-Fetch-Dest", "iframe").carries("/", "app_n=1")
	form := link.request(http.MethodPost, "/", strings.NewReader("x"))
	if got := link.send(form).want(http.StatusOK).given("Cookie"); got != "app_n=1" {
		t.Errorf("with a form of another site: %q", got)
	}
}

func TestVaultParallelResponses(t *testing.T) {
	t.Parallel()
	b := vaultSite.browser(t)
	b.sets("/", []string{"app_0=0"})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			r := b.attempt(b.request(http.MethodGet, ask("/", setCookies(fmt.Sprintf("app_%d=%d", i, i))...), nil))
			if r == nil || r.StatusCode != http.StatusOK || r.Header["Set-Cookie"] != nil {
				t.Errorf("response %d: %+v", i, r)
			}
		})
	}
	wg.Wait()
	got := strings.Split(b.look().given("Cookie"), "; ")
	slices.Sort(got)
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprintf("app_%d=%d", i, i))
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d cookies remain: %q", len(got), got)
	}
}

func TestVaultLargeValues(t *testing.T) {
	t.Parallel()
	b := vaultSite.browser(t)
	value := strings.Repeat("x", 4096-len("app_0"))
	large := func(name string) string {
		return b.via(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Set-Cookie", name+"="+value+"; Path=/"+name)
			echo(w, r)
		}).get("/").want(http.StatusOK).Header.Get("Set-Cookie")
	}
	for i := range 4 {
		if got := large(fmt.Sprintf("app_%d", i)); strings.Contains(got, "xxx") {
			t.Fatal("the cookie reaches the client")
		}
	}
	b.carries("/app_2/", "app_2="+value)
	// A browser would not store it, and does not get it.
	if got := large("app_44"); got != "" {
		t.Errorf("the client got %.100q", got)
	}
	b.carries("/app_44/", "")
}

func TestVaultAndUpdatesOff(t *testing.T) {
	t.Parallel()
	b := vaultMute.browser(t)
	b.sets("/", []string{"sid=1"}).issues()
	b.carries("/", "sid=1")
}

var vaultMute = newSite("vaultmute", `
	session {`+vaultOptions+`
		updates off
	}
	reverse_proxy $BACKEND`)

func TestVaultBehindFastCGI(t *testing.T) {
	t.Parallel()
	b := vaultSite.browser(t)
	b.sets("/fcgi/x", []string{"sid=1; Path=/", "other=2; Path=/"}, "other=2; Path=/").issues()
	b.carries("/fcgi/x", "sid=1; other=2")
	// FastCGI joins several lines with commas: there is only one.
	r := b.request(http.MethodGet, "/fcgi/x", nil)
	r.Header["Cookie"] = []string{b.cookies(), "a=1", "b=2"}
	b.client.Jar = nil
	if got := b.send(r).want(http.StatusOK).given("Cookie"); got != "sid=1; other=2; a=1; b=2" {
		t.Errorf("the backend got %q", got)
	}
}

var vaultErrors = newSite("vaulterrors", `
	session {`+vaultOptions+`
	}
	handle /dead {
		reverse_proxy $DEAD
	}
	handle {
		reverse_proxy $BACKEND
	}
	handle_errors {
		handle_path /dead {
			reverse_proxy $BACKEND
		}
		handle {
			session {`+vaultOptions+`
			}
			rewrite * /error?
			reverse_proxy $BACKEND
		}
	}`)

// A handler of the error routes gets nothing from the vault, unless it has its own session.
func TestVaultInErrorRoutes(t *testing.T) {
	t.Parallel()
	b := vaultErrors.browser(t)
	b.sets("/", []string{"sid=1", "other=2"}, "other=2")
	b.carries("/dead", "other=2")
	b.with("Cookie", "sid=forged").carries("/dead", "other=2")
	r := b.get(ask("/", append(setCookies("sid=3", "app_x=4"), "update", "{")...)).keeps().hides()
	if got := r.given("Cookie"); got != "sid=1; other=2" {
		t.Errorf("the backend of the error routes got %q", got)
	}
	if got := r.Header["Set-Cookie"]; got != nil {
		t.Errorf("the client got %q", got)
	}
}

func TestVaultWithAMatcher(t *testing.T) {
	t.Parallel()
	b := vaultMatched.browser(t)
	b.sets("/", []string{"sid=1; Path=/"})
	b.carries("/", "sid=1")
	b.with("Cookie", "a=1; sid=2; b=3").with("X-Session-Data", "x").get("/free/x")
	got := b.holding("a=1;  sid=2;\tAPP.x=3;b=4").carries("/free/x", "a=1;b=4")
	if h := got.sent().Header; h.Get("X-Session-Data") != "" {
		t.Errorf("the backend got %v", h)
	}
	b.holding("sid=1").carries("/free/x", "")
	b.holding("caddy_session=x; sid=1").carries("/free/x", "")
}

var vaultMatched = newSite("vaultmatched", `
	@app not path /free/*
	session @app {`+vaultOptions+`
	}
	reverse_proxy $BACKEND`)

// The vault takes every cookie but ours.
func TestVaultOfAll(t *testing.T) {
	t.Parallel()
	b := vaultAll.browser(t)
	b.sets("/", []string{"sid=1", "caddy_session=2", "=3"}).issues()
	b.with("Cookie", "x=1").carries("/", "sid=1; 3")
	b.change("control", "destroy").expires()
	b.carries("/", "")
}

var vaultAll = newSite("vaultall", `
	session {
		store memory
		secret $SECRET
		vault *
	}
	reverse_proxy $BACKEND`)

// Two handlers: the cookies that the outer one added are not taken for the client's by the inner
// one, nor by the cleaning of requests that the inner one does not handle.
func TestTwoVaults(t *testing.T) {
	t.Parallel()
	b := vaultTwice.browser(t)
	b.sets("/", []string{"sid=1; Path=/", "own=2; Path=/"}).issues()
	b.with("Cookie", "own=x; app_b=y").carries("/", "sid=1; own=2; app_b=y")
	b.with("Cookie", "own=x; app_b=y").carries("/in/x", "sid=1; own=2; app_b=y")
}

var vaultTwice = newSite("vaulttwice", `
	session {
		store memory
		secret $SECRET
		vault sid own
	}
	@in path /in/*
	session @in {
		name inner
		store memory
		secret $SECRET
		vault own *x
	}
	reverse_proxy $BACKEND`)

func TestVaultInTemplates(t *testing.T) {
	t.Parallel()
	include(t)
	b := vaultTemplates.browser(t)
	including := func(pairs ...string) *reply {
		t.Helper()
		return b.get(ask("/page/include.txt", "inner", ask("/inner/x", pairs...), "outer", "{}"))
	}
	// As without us, an include cannot set a cookie, neither in the browser nor in the vault.
	including(setCookies("sid=1")...).want(http.StatusOK).keeps()
	b.sets("/", []string{"sid=1; Path=/", "app_inner=2; Path=/inner", "app_page=3; Path=/page", "other=4; Path=/"}, "other=4; Path=/")
	if got := including().want(http.StatusOK).given("Cookie"); got != "app_inner=2; sid=1; other=4" {
		t.Errorf("the included page got %q", got)
	}
	including(setCookies("sid=9; Path=/")...).want(http.StatusOK).keeps()
	b.carries("/", "sid=1; other=4")
}

// An include is as secure as its page, though it comes through no connection.
func TestVaultInSecureTemplates(t *testing.T) {
	t.Parallel()
	c := harness.StartWith(t, func(c *harness.Caddy) string {
		_, port, _ := net.SplitHostPort(c.Addr)
		return expand(tlsOptions + "https://www.vaultsecure.test:" + port + ` {
			tls internal
			session {` + vaultOptions + `
			}
			handle /page {
				header Content-Type text/html
				templates
				respond ` + "`{{httpInclude \"/inner\"}}`" + `
			}
			handle {
				reverse_proxy $BACKEND
			}
		}`)
	})
	b := newBrowser(t, c.Addr, "https://www.vaultsecure.test")
	transport := b.client.Transport.(*http.Transport)
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	eventually(t, "the certificate is there", func() bool {
		r, err := b.try(b.request(http.MethodGet, "/", nil))
		return err == nil && r.StatusCode == http.StatusOK
	})
	b.sets("/", []string{"sid=1; Secure"}).issues()
	if got := b.get("/page").want(http.StatusOK).given("Cookie"); got != "sid=1" {
		t.Errorf("the included page got %q", got)
	}
}

var vaultTemplates = newSite("vaulttemplates", strings.NewReplacer("$MATCHER", "", "secret $SECRET", "secret $SECRET\n\t\tvault sid app_*").Replace(templatesOptions))

var (
	vaultUnloading = faultySite("vaultunloading", "secret $SECRET\n vault sid\n on_store_error anonymous")
	vaultUnsaving  = faultySite("vaultunsaving", "secret $SECRET\n vault sid")
)

func TestVaultAndAStoreThatFails(t *testing.T) {
	t.Parallel()
	control, b := vaultUnloading.control(t), vaultUnloading.browser(t)
	b.sets("/", []string{"sid=1"})
	tell(t, control, faulty.Get, faulty.Fail)
	b.carries("/", "")
	b.with("Cookie", "sid=forged").carries("/", "")
	r := b.get(ask("/", setCookies("sid=2")...)).want(http.StatusServiceUnavailable).keeps()
	if len(r.Header["Set-Cookie"]) > 0 {
		t.Errorf("the client got %q", r.Header["Set-Cookie"])
	}
	tell(t, control, faulty.Get, "")
	b.carries("/", "sid=1")

	control, b = vaultUnsaving.control(t), vaultUnsaving.browser(t)
	b.sets("/", []string{"sid=1"})
	tell(t, control, faulty.Set, faulty.Fail)
	b.get(ask("/", setCookies("sid=2")...)).want(http.StatusServiceUnavailable).keeps()
	tell(t, control, faulty.Set, "")
	b.carries("/", "sid=1")
}
