package operate

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/memcachedtest"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// protect returns the lines of a site with the page for operators, whose name and password are
// operator and pass.
func protect(tb testing.TB) string {
	tb.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("pass"), bcrypt.MinCost) // the usual cost takes long with -race
	if err != nil {
		tb.Fatal(err)
	}
	return "\tbasic_auth /sessions {\n\t\toperator " + string(hash) + "\n\t}\n\tsession_admin /sessions\n"
}

// pageSite is site with the page.
func pageSite(tb testing.TB, options string) string {
	return strings.Replace(site(tb, options), "\treverse_proxy", protect(tb)+"\treverse_proxy", 1)
}

// operator asks for the page as a browser does.
type operator struct {
	t    *testing.T
	base string // of the site
}

// answer is a page.
type answer struct {
	*testing.T
	status int
	header http.Header
	body   string
}

// send sends a GET, or a POST if there is a form. Headers are pairs; an empty value removes one.
func (o operator) send(query string, form url.Values, headers ...string) *answer {
	o.t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, o.base+"/sessions"+query, body)
	if err != nil {
		o.t.Fatal(err)
	}
	r.SetBasicAuth("operator", "pass")
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", o.base)
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return &answer{o.t, resp.StatusCode, resp.Header, string(text)}
}

// want checks the status, and texts that must be in the page, or must not if they begin with "!". A
// ref may begin with a dash.
func (a *answer) want(status int, texts ...string) *answer {
	a.Helper()
	if a.status != status {
		a.Errorf("status %d, want %d: %s", a.status, status, a.body)
	}
	for _, text := range texts {
		text, not := strings.CutPrefix(text, "!")
		if strings.Contains(a.body, text) == not {
			a.Errorf("the page has %q: %t: %s", text, not, a.body)
		}
	}
	return a
}

// leads checks that the answer leads to a page, and returns that.
func (a *answer) leads(o operator, to string) *answer {
	a.Helper()
	if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != to {
		a.Fatalf("status %d, Location %q, want %q: %s", a.status, got, to, a.body)
	}
	return o.send(strings.TrimPrefix(to, "./sessions"), nil)
}

// TestPageListsFindsAndEnds does on the page what it is for, with each store, without an admin
// endpoint.
func TestPageListsFindsAndEnds(t *testing.T) {
	t.Parallel()
	for kind, store := range stores(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := harness.Start(t, "{\n\tadmin off\n\tauto_https off\n\tskip_install_trust\n}\n"+pageSite(t, "\t\tremember_client on\n"+store))
			o := operator{t, c.URL}
			o.send("", nil).want(http.StatusOK, "All sessions", "There are none.", "You are <bdi>operator</bdi>")
			zoe, bob := []*visitor{visit(t, c.URL), visit(t, c.URL), visit(t, c.URL)}, visit(t, c.URL)
			var refs []string
			for _, v := range zoe {
				refs = append(refs, v.login("zoë"))
			}
			refs = append(refs, bob.login("bob"))
			list := o.send("", nil).want(http.StatusOK, append(refs, "4 sessions", "zoë", "bob", "name |127.0.0.1", "Go-http-client", "!not to be seen", "!"+bob.id())...)
			for name, want := range map[string]string{
				"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
			} {
				if got := list.header.Get(name); got != want {
					t.Errorf("%s: %q", name, got)
				}
			}
			if csp := list.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
				t.Errorf("Content-Security-Policy: %q", csp)
			}
			o.send("?ref="+refs[0], nil).want(http.StatusOK, "1 session<", refs[0], "!"+refs[1])
			o.send("", url.Values{"user": {"zoë"}}).want(http.StatusOK, "3 sessions", "Sessions of zoë", "End all sessions of", refs[2], "!"+refs[3])
			o.send("", url.Values{"user": {"zoë"}, "scope": {"name |127.0.0.1"}}).want(http.StatusOK, "3 sessions")
			o.send("", url.Values{"user": {"nobody"}}).want(http.StatusOK, "There are none.")

			o.send("", url.Values{"end": {refs[0]}}).leads(o, "./sessions?ended=1").want(http.StatusOK, `role="status"`, "1 session has ended.", "!"+refs[0], "3 sessions")
			if zoe[0].ref() != "" || zoe[1].ref() == "" {
				t.Error("the wrong one has ended")
			}
			o.send("", url.Values{"end": {refs[0]}}).want(http.StatusNotFound, `role="alert"`, "there is no session with this ref")
			o.send("", url.Values{"end_user": {"zoë"}}).leads(o, "./sessions?ended=2").want(http.StatusOK, "2 sessions have ended.", refs[3])
			if zoe[1].ref() != "" || zoe[2].ref() != "" || bob.ref() == "" {
				t.Error("the wrong ones have ended")
			}
			o.send("", url.Values{"end_user": {"zoë"}}).leads(o, "./sessions?ended=0").want(http.StatusOK, "No session has ended")
		})
	}
}

// TestPageHasPages walks through a list that is longer than a page. Ending leads back to the same
// page.
func TestPageHasPages(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, pageSite(t, "store bolt"))
	o := operator{t, c.URL}
	want := make(map[string]bool)
	for i := range 60 {
		want[visit(t, c.URL).login(fmt.Sprint("user", i))] = true
	}
	cell, next := regexp.MustCompile(`<code>([\w-]{43})</code>`), regexp.MustCompile(`href="(\./sessions\?after=[^"]+)">Next page`)
	query, last := "", ""
	for pages := 1; ; pages++ {
		page := o.send(query, nil).want(http.StatusOK)
		for _, ref := range cell.FindAllStringSubmatch(page.body, -1) {
			delete(want, ref[1])
			last = ref[1]
		}
		link := next.FindStringSubmatch(page.body)
		if link == nil {
			if pages != 2 {
				t.Errorf("%d pages", pages)
			}
			page.want(http.StatusOK, "continued", `name="after"`, "!there are more")
			break
		}
		page.want(http.StatusOK, "50 sessions on this page; there are more", "!continued")
		query = strings.TrimPrefix(link[1], "./sessions")
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
	after, err := url.QueryUnescape(strings.TrimPrefix(query, "?after="))
	if err != nil {
		t.Fatal(err)
	}
	o.send("", url.Values{"end": {last}, "after": {after}}).leads(o, "./sessions?after="+after+"&ended=1").want(http.StatusOK, "1 session has ended.", "9 sessions", "!"+last)
	o.send("?after=x", nil).want(http.StatusBadRequest, `role="alert"`, "begin the list anew", `<a href="./sessions">`)
}

// TestPageIsForOperatorsOnly asks for the page without an operator, and as a user of the session
// whom session itself has authenticated.
func TestPageIsForOperatorsOnly(t *testing.T) {
	t.Parallel()
	backend := harness.Backend(t, harness.Echo)
	hash := strings.Split(protect(t), "\n")[1]
	c := harness.Start(t, `
http://$ADDR {
	session {
		store memory page_operators
		user user authenticate
	}
	@both path /both
	basic_auth @both {
`+hash+`
	}
	vars /forwarded http.auth.user.id {http.request.header.X-Operator}
	@page path /open /both /forwarded
	session_admin @page
	handle {
		reverse_proxy `+backend+`
	}
}
`)
	v := visit(t, c.URL)
	v.login("operator")
	get := func(path string, change func(*http.Request)) (int, string) {
		r, err := http.NewRequest(http.MethodGet, c.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(r)
		}
		resp, err := v.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	if status, text := get("/open", nil); status != http.StatusForbidden || strings.Contains(text, "operator") {
		t.Errorf("a user of session is an operator: %d: %s", status, text)
	}
	if status, text := get("/both", func(r *http.Request) { r.SetBasicAuth("operator", "pass") }); status != http.StatusOK || !strings.Contains(text, "All sessions") {
		t.Errorf("an operator who is a user too: %d: %s", status, text)
	}
	v = visit(t, c.URL)
	if status, _ := get("/open", nil); status != http.StatusForbidden {
		t.Errorf("nobody is an operator: %d", status)
	}
	if status, _ := get("/forwarded", nil); status != http.StatusForbidden {
		t.Errorf("an empty name is an operator: %d", status)
	}
	if status, _ := get("/forwarded", func(r *http.Request) { r.Header.Set("X-Operator", "ada") }); status != http.StatusOK {
		t.Errorf("one whom vars names is no operator: %d", status)
	}
}

// TestPageRefusesOtherOrigins sends the form of a page from another site, with the credentials that
// the operator's browser adds.
func TestPageRefusesOtherOrigins(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, pageSite(t, "store memory page_origins"))
	o, v := operator{t, c.URL}, visit(t, c.URL)
	ref := v.login("zoë")
	for _, headers := range [][]string{
		{"Origin", "http://evil.example"}, {"Origin", "null"}, {"Origin", ""},
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "", "Sec-Fetch-Site", "cross-site"},
		{"Origin", strings.Replace(c.URL, "127.0.0.1", "localhost", 1)},
	} {
		for _, form := range []url.Values{{"end": {ref}}, {"end_user": {"zoë"}}, {"user": {"zoë"}}} {
			o.send("", form, headers...).want(http.StatusForbidden, "!"+ref)
		}
	}
	o.send("?end="+ref+"&end_user=zo%C3%AB", nil).want(http.StatusOK, ref) // a GET ends nothing
	if v.ref() != ref {
		t.Error("the session has ended")
	}
	o.send("?end="+ref, url.Values{}).want(http.StatusOK, ref) // nor do parameters in the URI
	o.send("", url.Values{"end": {ref}}, "Origin", "", "Sec-Fetch-Site", "same-origin").leads(o, "./sessions?ended=1")
	if status := o.send("", url.Values{"user": {strings.Repeat("x", 8<<10)}}).status; status != http.StatusBadRequest {
		t.Errorf("a long body: %d", status)
	}
	r, err := http.NewRequest(http.MethodDelete, c.URL+"/sessions", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("operator", "pass")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("DELETE: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
}

// TestPageEscapesWhatUsersChoose shows users and clients that chose their names to be markup.
func TestPageEscapesWhatUsersChoose(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, pageSite(t, "remember_client on\nstore memory page_xss"))
	o, v := operator{t, c.URL}, visit(t, c.URL)
	const name = `"><script>alert(1)</script>{{.}}&amp;'onfocus=`
	v.ask("X-Session-Update", `{"user":"\"><script>alert(1)</script>{{.}}&amp;'onfocus="}`)
	const escaped = "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;{{.}}&amp;amp;&#39;onfocus="
	for _, page := range []*answer{
		o.send("", nil), o.send("", url.Values{"user": {name}}), o.send("?ref="+v.ref(), nil),
	} {
		page.want(http.StatusOK, escaped, "!<script", "!"+name)
	}
	o.send("?ref="+url.QueryEscape(name), nil).want(http.StatusBadRequest, escaped, "!<script")
	o.send("?store="+url.QueryEscape(name), nil).want(http.StatusNotFound, "!<script")
	o.send("?ended="+url.QueryEscape(name), nil).want(http.StatusOK, "!<script", "!role=\"status\"")
	o.send("", url.Values{"user": {name}, "scope": {name}}).want(http.StatusNotFound, "!<script")
}

// TestPageNamesNoUserInURIs looks through the access log after all that the page can do.
func TestPageNamesNoUserInURIs(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, strings.Replace(pageSite(t, "store memory page_log"), "{\n", "{\nlog\n", 1))
	o, v := operator{t, c.URL}, visit(t, c.URL)
	v.ask("X-Session-Update", `{"user":"never-in-a-uri"}`)
	uris := func() (uris string) {
		for _, found := range regexp.MustCompile(`"uri":"/sessions[^"]*"`).FindAllString(c.Log(), -1) {
			uris += found + "\n"
		}
		return uris
	}
	o.send("", url.Values{"user": {"never-in-a-uri"}}).want(http.StatusOK, "1 session<")
	o.send("", url.Values{"end_user": {"never-in-a-uri"}}).leads(o, "./sessions?ended=1")
	if !c.WaitLog(`"uri":"/sessions?ended=1"`) || strings.Contains(uris(), "never") || strings.Count(uris(), "\n") != 3 {
		t.Errorf("the log has: %s", uris())
	}
}

// TestPageRefusesUnknownRefs asks for sessions that are not there.
func TestPageRefusesUnknownRefs(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, pageSite(t, "store memory page_refs"))
	o := operator{t, c.URL}
	for ref, status := range map[string]int{strings.Repeat("A", 43): http.StatusNotFound, "../stores": http.StatusBadRequest, "x": http.StatusBadRequest} {
		o.send("?ref="+url.QueryEscape(ref), nil).want(status, `role="alert"`, `autofocus`, "Find by ref")
		o.send("", url.Values{"end": {ref}}).want(status, `role="alert"`)
	}
}

// TestPageShowsItsSiteOnly has two sites of one server with one store, and a store that only
// another server uses.
func TestPageShowsItsSiteOnly(t *testing.T) {
	t.Parallel()
	_, port, _ := strings.Cut(harness.FreeAddr(t), ":")
	block := func(options, rest string) string {
		return fmt.Sprintf(" {\n\tsession {\n\t\tuser user\n%s\n\t}\n%s\treverse_proxy %s\n}\n", options, rest, harness.Backend(t, harness.Echo))
	}
	one, two := "http://127.0.0.1:"+port, "http://localhost:"+port
	c := harness.Start(t, one+block("store bolt", protect(t))+two+block("store bolt", "")+
		"http://$ADDR"+block("name other\nstore memory page_other", strings.Replace(protect(t), "basic_auth", "session {\nstore bolt\n}\nbasic_auth", 1)))
	o, zoe, bob := operator{t, one}, visit(t, one), visit(t, two)
	ref, elsewhere := zoe.login("zoë"), bob.login("bob")
	o.send("", nil).want(http.StatusOK, ref, "!"+elsewhere, "name |127.0.0.1", "!name |localhost", "!<select", "!page_other")
	o.send("?ref="+elsewhere, nil).want(http.StatusNotFound)
	o.send("", url.Values{"user": {"bob"}}).want(http.StatusOK, "There are none.")
	o.send("", url.Values{"user": {"bob"}, "scope": {"name |localhost"}}).want(http.StatusNotFound, "the scope belongs to another site")
	o.send("", url.Values{"end": {elsewhere}}).want(http.StatusNotFound)
	o.send("", url.Values{"end_user": {"bob"}}).leads(o, "./sessions?ended=0")
	o.send("", url.Values{"end_user": {"bob"}, "scope": {"name |localhost"}}).want(http.StatusNotFound)
	if bob.ref() != elsewhere {
		t.Error("a session of another site has ended")
	}

	// A site with two stores shows the one that is chosen.
	o = operator{t, c.URL}
	memory := regexp.MustCompile(`value="(memory-[0-9a-f]{8})"`).FindStringSubmatch(o.send("", nil).want(http.StatusOK, "<select", "page_other", ref).body)
	if memory == nil {
		t.Fatal("there is no store in memory")
	}
	other := visit(t, c.URL)
	other.ask("X-Session-other-Update", `{"user":"eve"}`)
	o.send("?store="+memory[1], nil).want(http.StatusOK, "eve", "!"+ref, `<option value="`+memory[1]+`" selected>`)
	o.send("", url.Values{"store": memory[1:], "user": {"eve"}}).want(http.StatusOK, "1 session<")
	o.send("", url.Values{"store": memory[1:], "end_user": {"eve"}}).leads(o, "./sessions?ended=1&store="+memory[1]).want(http.StatusOK, "There are none.")
	o.send("?store=redis", nil).want(http.StatusNotFound, "no store")
}

// TestPageOfOverlappingSites has a site for all hosts beside one for a host. Caddy asks the first
// that fits, so neither has the other's sessions.
func TestPageOfOverlappingSites(t *testing.T) {
	t.Parallel()
	backend := harness.Backend(t, harness.Echo)
	_, port, _ := strings.Cut(harness.FreeAddr(t), ":")
	block := func(address string) string {
		return fmt.Sprintf("%s {\n\tbind 127.0.0.1\n\tsession {\n\t\tuser user\n\t\tstore memory overlapping\n\t}\n%s\treverse_proxy %s\n}\n", address, protect(t), backend)
	}
	one, all := "http://127.0.0.1:"+port, "http://localhost:"+port
	harness.Start(t, "http://$ADDR {\n\trespond ok\n}\n"+block(one)+block("http://:"+port))
	zoe, bob := visit(t, one), visit(t, all)
	refs := map[string]string{one: zoe.login("zoë"), all: bob.login("bob")}
	for base, own := range refs {
		o, other := operator{t, base}, refs[map[string]string{one: all, all: one}[base]]
		o.send("", nil).want(http.StatusOK, own, "!"+other)
		o.send("?ref="+other, nil).want(http.StatusNotFound)
		o.send("", url.Values{"end": {other}}).want(http.StatusNotFound)
	}
	if zoe.ref() != refs[one] || bob.ref() != refs[all] {
		t.Error("a session of another site has ended")
	}
}

// TestPageOfAStoreThatCannotList finds and ends sessions in memcached, by ref and by user with the
// scope, which the form has already.
func TestPageOfAStoreThatCannotList(t *testing.T) {
	t.Parallel()
	server := memcachedtest.Start(t)
	c := harness.Start(t, pageSite(t, "store memcached "+server.Addr))
	o := operator{t, c.URL}
	zoe, bob := visit(t, c.URL), visit(t, c.URL)
	zoe.login("zoë")
	ref := bob.login("bob")
	o.send("", nil).want(http.StatusOK, "This store cannot list its sessions", `name="scope" value="name |127.0.0.1" required`)
	o.send("?ref="+ref, nil).want(http.StatusOK, "bob", "1 session<")
	o.send("", url.Values{"user": {"zoë"}}).want(http.StatusBadRequest, "name the scope: store memcached cannot list its sessions")
	o.send("", url.Values{"user": {"zoë"}, "scope": {"name |127.0.0.1"}}).want(http.StatusOK, "1 session<", zoe.ref())
	o.send("", url.Values{"end": {ref}}).leads(o, "./sessions?ended=1").want(http.StatusOK, "1 session has ended.")
	o.send("", url.Values{"end_user": {"zoë"}, "scope": {"name |127.0.0.1"}}).leads(o, "./sessions?ended=1")
	if zoe.ref() != "" || bob.ref() != "" {
		t.Error("the sessions have not ended")
	}
}

// TestPageWithTheStoreDown asks for the page while Redis is away.
func TestPageWithTheStoreDown(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	c := harness.Start(t, pageSite(t, "on_store_error anonymous\nstore redis "+server.Addr()))
	o, v := operator{t, c.URL}, visit(t, c.URL)
	ref := v.login("zoë")
	server.Kill()
	for _, page := range []*answer{
		o.send("", nil), o.send("?ref="+ref, nil), o.send("", url.Values{"user": {"zoë"}, "scope": {"name |127.0.0.1"}}), o.send("", url.Values{"end": {ref}}),
	} {
		page.want(http.StatusServiceUnavailable, `role="alert"`, "Find by user", "!There are none")
	}
}
