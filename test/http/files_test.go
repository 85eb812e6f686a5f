package http_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var filesSite = newSite("files", `
	route {
		probe
		session {
			store memory
			secret $SECRET
		}
		@look path /
		reverse_proxy @look $BACKEND
		header X-Session-Update "[{\"op\":\"increment\",\"path\":\"/n\",\"value\":1}]"
		file_server {
			root $DIR/files
		}
	}`)

// Files are sent with ReadFrom, by which net/http uses sendfile.
func TestFileServer(t *testing.T) {
	t.Parallel()
	b := filesSite.browser(t)
	content := make([]byte, 3<<20)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(content)
	dir := filepath.Join(caddy().Dir, "files")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "big.bin"), content, 0o600); err != nil {
		t.Fatal(err)
	}

	r := b.get("/big.bin").want(http.StatusOK).hides()
	r.issues()
	if !bytes.Equal(r.body, content) {
		t.Error("the file is not sent unchanged")
	}
	probed := fmt.Sprintf(`"path":"/big.bin","read_from":%d,"written":0}`, len(content))
	awaitLog(t, "that ReadFrom sends the file", probed)
	b.look().holds(`{"n":1}`)

	r = b.with("Range", "bytes=1000-1999").get("/big.bin").want(http.StatusPartialContent).keeps()
	if !bytes.Equal(r.body, content[1000:2000]) {
		t.Error("wrong range")
	}
	b.with("If-None-Match", r.Header.Get("Etag")).get("/big.bin").want(http.StatusNotModified).hides().keeps()
	b.send(b.request(http.MethodHead, "/big.bin", nil)).want(http.StatusOK).hides()
	b.look().holds(`{"n":4}`)
	b.get("/not-there").want(http.StatusNotFound).hides() // an error of the handler: no commit
	b.look().holds(`{"n":4}`)
}

const templatesOptions = `
	@inside not path /outside/*
	session $MATCHER {
		store memory
		secret $SECRET
	}
	handle_path /page/* {
		header ?X-Session-Update "{query.outer}"
		root $DIR/templates
		templates
		file_server
	}
	handle_path /outside/* {
		root $DIR/templates
		templates
		file_server
	}
	handle {
		reverse_proxy $BACKEND
	}`

var (
	templatesSite    = newSite("templates", strings.Replace(templatesOptions, "$MATCHER", "", 1))
	templatesMatched = newSite("templatesmatched", strings.Replace(templatesOptions, "$MATCHER", "@inside", 1))
	templatesBehind  = newSite("templatesbehind", `
	@never path /never
	session @never {
		store memory
		secret $SECRET
	}`+strings.Replace(templatesOptions, "$MATCHER", "@inside", 1))
	templatesBefore = newSite("templatesbefore", strings.Replace(templatesOptions, "$MATCHER", "@inside", 1)+`
	@never path /never
	session @never {
		store memory
		secret $SECRET
	}`)
)

// page puts a template into the folder of /page/.
func page(t *testing.T, name, text string) {
	t.Helper()
	dir := filepath.Join(caddy().Dir, "templates")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// A rename, because other tests may be reading the page.
	whole := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(whole, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(whole, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func include(t *testing.T) { page(t, "include.txt", `{{httpInclude (.Req.URL.Query.Get "inner")}}`) }

func TestHTTPInclude(t *testing.T) {
	t.Parallel()
	include(t)
	for name, s := range map[string]*site{"without a matcher": templatesSite, "with a matcher": templatesMatched, "behind another": templatesBehind, "before another": templatesBefore} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testHTTPInclude(t, s.browser(t))
		})
	}
}

func testHTTPInclude(t *testing.T, b *browser) {
	including := func(pairs ...string) *reply {
		t.Helper()
		return b.get(ask("/page/include.txt", "inner", ask("/inner", pairs...), "outer", `{}`))
	}
	including().want(http.StatusOK).holds("{}").keeps()

	// Anonymous: a new session would need a cookie, which a sub-request cannot set.
	including("update", `{"a":1}`).want(http.StatusInternalServerError).keeps()
	including("flash", `"x"`).want(http.StatusInternalServerError).keeps()
	including("control", "regenerate").want(http.StatusOK).keeps()
	b.look().holds("{}")

	b.change("update", `{"a":1}`, "flash", `"x"`).issues()
	outer := b.look()
	inner := including().want(http.StatusOK).holds(`{"a":1}`).flashes(`[["message","x"]]`)
	if inner.info().ref != outer.info().ref {
		t.Error("the included page has another session")
	}
	if got := inner.given("Cookie"); got != "" {
		t.Error("the included page got the cookie")
	}
	including("update", `{"b":2}`, "control", "flash-seen").want(http.StatusOK).keeps()
	b.look().holds(`{"a":1,"b":2}`).flashes("")
	for _, pairs := range [][]string{
		{"control", "regenerate"}, {"control", "destroy"}, {"update", `{"a":null,"b":null}`}, {"control", "permanent=?0"},
		{"control", "destroy", "update", `{"x":1}`},
	} {
		including(pairs...).want(http.StatusInternalServerError).keeps()
	}
	b.look().holds(`{"a":1,"b":2}`)
	awaitLog(t, "the refusals", "it would need a cookie, and none can be set here")

	// Both change the session.
	b.get(ask("/page/include.txt", "inner", ask("/inner", "update", `{"c":3}`), "outer", `{"d":4}`)).want(http.StatusOK).keeps().hides()
	b.look().holds(`{"a":1,"b":2,"c":3,"d":4}`)

	// An included page that includes another.
	twice := ask("/page/include.txt", "inner", ask("/page/include.txt", "inner", "/inner", "outer", `{}`), "outer", `{}`)
	b.get(twice).want(http.StatusOK).holds(`{"a":1,"b":2,"c":3,"d":4}`).keeps()
}

var templatesTwo = newSite("templatestwo", `
	session {
		store memory
		secret $SECRET
	}
	session {
		name shop
		store memory
		secret $SECRET
	}
	handle_path /page/* {
		root $DIR/templates
		templates
		file_server
	}
	handle {
		reverse_proxy $BACKEND
	}`)

// An included page has both sessions, like the page that includes it.
func TestHTTPIncludeWithTwoNames(t *testing.T) {
	t.Parallel()
	include(t)
	b := templatesTwo.browser(t)
	including := func(pairs ...string) *reply {
		t.Helper()
		return b.get(ask("/page/include.txt", "inner", ask("/", pairs...)))
	}
	check := func(r *reply, data, shop string) {
		t.Helper()
		if got := [2]string{r.given("X-Session-Data"), r.given("X-Session-Shop-Data")}; got != [2]string{data, shop} {
			t.Errorf("the included page got %q, want %q", got, [2]string{data, shop})
		}
	}
	b.change("update", `{"a":1}`)
	check(including(), `{"a":1}`, "{}")
	b.change("X-Session-Shop-Update", `{"b":2}`)
	check(including(), `{"a":1}`, `{"b":2}`)
	including("update", `{"a":3}`, "X-Session-Shop-Update", `{"b":4}`).want(http.StatusOK)
	check(including(), `{"a":3}`, `{"b":4}`)
	b.change("control", "destroy")
	check(including(), "{}", `{"b":4}`)
}

// The mark of sub-requests in templates gives a client no power.
func TestAttackForgedInclude(t *testing.T) {
	t.Parallel()
	include(t)
	victim := templatesMatched.browser(t)
	victim.change("update", `{"secret":1}`)
	info := victim.look().given("X-Session-Info")

	// The mark must not leak in forwarded requests.
	if got := victim.look().sent().Header; got["Proxy-Connection"] != nil || got["Caddy-Templates-Include"] != nil {
		t.Errorf("the backend got %v", got)
	}
	for _, mark := range []string{"", "keep-alive", "x"} {
		evil := templatesMatched.browser(t).with("X-Session-Info", info).with("Proxy-Connection", mark)
		for _, include := range []string{"", "1", "2"} {
			e := evil
			if include != "" {
				e = evil.with("Caddy-Templates-Include", include)
			}
			e.look().holds("{}").keeps()
			e.get(ask("/page/include.txt", "inner", "/", "outer", "{}")).want(http.StatusOK).holds("{}")
			e.get(ask("/outside/include.txt", "inner", "/")).want(http.StatusOK).holds("{}")
		}
	}
	// A page without a session includes one with a session: the client's cookie identifies it.
	victim.get(ask("/outside/include.txt", "inner", "/")).want(http.StatusOK).holds(`{"secret":1}`)

	// The header does not make a client's own request a sub-request.
	forged := templatesMatched.browser(t).with("Caddy-Templates-Include", "1")
	forged.change("update", `{"a":1}`).issues()
	forged.look().holds(`{"a":1}`)
	forged.change("control", "destroy").expires()
	victim.look().holds(`{"secret":1}`)
}

var encoded = newSite("encoded", `
	route /outer/* {
		encode gzip
		session {
			store memory
			secret $SECRET
		}
		reverse_proxy $BACKEND
	}
	route /inner/* {
		session {
			store memory
			secret $SECRET
		}
		encode zstd gzip
		reverse_proxy $BACKEND
	}
	route / {
		session {
			store memory
			secret $SECRET
		}
		reverse_proxy $BACKEND
	}
	handle_errors {
		header X-Error-Page yes
		respond "sorry: {err.status_code} [{http.session.error}] update=[{http.request.header.X-Session-Data}] info=[{http.request.header.X-Session-Info}] cookie=[{http.request.header.Cookie}]"
	}`)

func TestEncode(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("compress me ", 1000)
	for _, test := range []struct{ path, accept, want string }{
		{"/outer/", "gzip", "gzip"}, {"/inner/", "gzip", "gzip"}, {"/inner/", "zstd", "zstd"}, {"/inner/", "identity", ""},
	} {
		t.Run(test.path+test.accept, func(t *testing.T) {
			t.Parallel()
			b := encoded.browser(t)
			var text http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				w.Header().Set("X-Session-Update", r.URL.Query().Get("update"))
				for part := range strings.SplitSeq(body, "me ") {
					if part != "" {
						_, _ = io.WriteString(w, part+"me ")
					}
				}
			}
			packed := b.via(text).with("Accept-Encoding", test.accept)
			r := packed.get(ask(test.path, "update", `{"a":1}`)).want(http.StatusOK).hides()
			r.issues()
			if got := r.Header.Get("Content-Encoding"); got != test.want {
				t.Errorf("Content-Encoding %q", got)
			}
			if test.want != "" && (len(r.body) >= len(body)/2 || len(r.body) == 0) {
				t.Errorf("%d bytes", len(r.body))
			}
			b.look().holds(`{"a":1}`)
			if test.want == "gzip" { // the client's transport decompresses
				if r := b.via(text).get(ask(test.path, "update", `{"b":1}`)).want(http.StatusOK); string(r.body) != body {
					t.Error("wrong body")
				}
			}

			r = packed.get(ask(test.path, "update", `{`)).want(http.StatusBadGateway).keeps().hides()
			if r.Header.Get("Content-Encoding") == "zstd" || strings.Contains(string(r.body), "compress") {
				t.Errorf("refused: %v %q", r.Header, r.body)
			}
			packed.send(packed.request(http.MethodHead, ask(test.path, "update", `{"h":1}`), nil)).want(http.StatusOK).hides()
			if !strings.Contains(b.look().given("X-Session-Data"), `"h":1`) {
				t.Error("HEAD does not commit")
			}
		})
	}
}
