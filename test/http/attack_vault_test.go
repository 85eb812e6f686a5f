package http_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/test/harness"
)

// Cookies that a client sends under a name of the vault do not reach the backend, with or without a
// session, in any spelling. Other cookies stay byte for byte.
func TestAttackVaultedNameFromTheClient(t *testing.T) {
	t.Parallel()
	b := vaultSite.browser(t)
	b.sets("/", []string{"sid=real; Path=/"})
	session := b.cookies()
	for sent, left := range map[string]string{
		"sid=x":                                "",
		"a=1; sid=x; b=2":                      "a=1; b=2",
		"a=1;sid=x;b=2":                        "a=1;b=2",
		" a = 1 ;; sid=x ;b":                   "a = 1 ;;b",
		"sid=x; sid=y; app_=z":                 "",
		"SID=x; Sid=y; App_x=z":                "",
		"sid":                                  "",
		"=sid=x":                               "",
		"a=1,sid=x; b=1":                       "b=1",
		"app.x=1; app x=1; app[x=1; app%5fx=1": "",
		"\u00a0sid=x; sid\u3000=x; \xa0sid\x85=x": "",
		"sid[0]=x; s%69d=x":                       "",
		"aid=x; sid2=x; a=sid; b=\"sid=x\"":       "aid=x; sid2=x; a=sid; b=\"sid=x\"",
	} {
		b.holding(sent).carries("/", left)
		want := "sid=real; " + left
		if left == "" {
			want = "sid=real"
		}
		b.holding(session+"; "+sent).carries("/", want)
		b.holding(sent+"; "+session).carries("/", want)
	}
	// In several lines, in a subfolder of the site, with a session that does not exist.
	r := b.bare().request(http.MethodGet, "/x", nil)
	r.Header["Cookie"] = []string{"a=1", "sid=x", "b=2; sid=y"}
	if got := b.bare().send(r).want(http.StatusOK).sent().Header["Cookie"]; strings.Join(got, "|") != "a=1|b=2" {
		t.Errorf("the backend got %q", got)
	}
}

// A Connection token would have the proxy remove the cookies that it added.
func TestAttackConnectionCookie(t *testing.T) {
	t.Parallel()
	b := vaultSite.browser(t)
	b.sets("/", []string{"sid=real; Path=/"})
	for _, header := range []string{"close, Cookie", "cookie", "COOKIE, x", "keep-alive,Cookie"} {
		got := b.raw("GET / HTTP/1.1\r\nHost: www.vault.test\r\nCookie: " + b.cookies() + "; a=1\r\nConnection: " + header + "\r\nConnection: close\r\n\r\n")
		if !strings.Contains(got, `"sid=real; a=1"`) {
			t.Errorf("Connection: %s: %s", header, got)
		}
	}
}

// The attacker plants their own session; the victim logs in to an app that does not know our
// headers and sets another cookie at the login.
func TestAttackVaultFixation(t *testing.T) {
	t.Parallel()
	attacker := vaultSite.browser(t)
	attacker.sets("/", []string{"sid=attacker; Path=/"})
	planted := attacker.cookies()
	slow := []*held{attacker.hold(), attacker.hold(setCookies("app_x=1; Path=/")...)}

	victim := vaultSite.browser(t)
	c := victim.holding(planted).sets("/login", []string{"sid=victim; Path=/"}).issues()
	if "caddy_session="+c.Value == planted {
		t.Fatal("the victim has the planted id")
	}
	for _, s := range slow {
		if got := s.release().keeps().given("Cookie"); strings.Contains(got, "victim") {
			t.Errorf("a running request got %s", got)
		}
	}
	attacker.holding(planted).carries("/", "sid=attacker").keeps()
	attacker.holding(planted).sets("/", []string{"app_y=2; Path=/"}).keeps()
	attacker.holding(planted).carries("/", "sid=attacker; app_y=2").keeps()
	victim.holding("caddy_session="+c.Value).carries("/", "sid=victim; app_x=1")
	attacker.holding(planted).carries("/", "").keeps()
}

// A login adds a cookie after the app has set another one: the attacker whose session was planted
// must not get it.
func TestAttackVaultFixationByAdding(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status      string
		sets        []string
		victim, who string
	}{
		"by a redirect":                {"302", []string{"app_x=victim; Path=/"}, "app_lang=en; app_x=victim", "/"},
		"by its name":                  {"200", []string{"app_auth=victim; Path=/"}, "app_lang=en; app_auth=victim", "/"},
		"by HttpOnly":                  {"200", []string{"app_x=victim; Path=/; HttpOnly"}, "app_lang=en; app_x=victim", "/"},
		"deleting and adding":          {"302", []string{"app_lang=; Path=/; Max-Age=0", "app_lang=victim; Path=/"}, "app_lang=victim", "/"},
		"deleting and adding, its own": {"200", []string{"app_auth=; Path=/; Max-Age=0", "app_auth=victim; Path=/"}, "app_lang=en; app_auth=victim", "/"},
		"on another path":              {"302", []string{"app_lang=victim; Path=/app"}, "app_lang=victim; app_lang=en", "/app/x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attacker := vaultSite.browser(t)
			attacker.sets("/", []string{"app_lang=en; Path=/"})
			planted := attacker.cookies()
			victim := vaultSite.browser(t).holding(planted)
			r := victim.get(ask("/login", append(setCookies(tt.sets...), "status", tt.status, "Location", "/")...))
			now := "caddy_session=" + r.issues().Value
			if now == planted {
				t.Fatal("the victim has the planted id")
			}
			attacker.holding(planted).carries("/app/x", "app_lang=en").keeps()
			victim = vaultSite.browser(t).holding(now)
			victim.carries(tt.who, tt.victim)
			if got := attacker.holding(planted).get("/app/x").want(http.StatusOK).given("Cookie"); strings.Contains(got, "victim") {
				t.Errorf("the attacker's browser sends %s", got)
			}
		})
	}
}

// An app that sets its session cookie to a new value in every response, like Laravel and Rails,
// costs no more over TLS than one that does not.
func TestVaultedCookieThatAlwaysChanges(t *testing.T) {
	t.Parallel()
	const pages = 20
	operations := func(t *testing.T, config string, value func(n int) string) (perPage float64, newIDs int) {
		c := start(t, config)
		b := newBrowser(t, c.Addr, strings.Replace(c.URL, "http:", "https:", 1))
		b.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		n := 0
		b = b.via(func(w http.ResponseWriter, r *http.Request) {
			n++
			w.Header().Add("Set-Cookie", "XSRF-TOKEN="+value(n)+"; Path=/; Max-Age=7200; SameSite=Lax")
			w.Header().Add("Set-Cookie", "laravel_session="+value(n)+"; Path=/; Max-Age=7200; HttpOnly; SameSite=Lax")
			echo(w, r)
		})
		eventually(t, "the certificate is there", func() bool {
			r, err := b.try(b.request(http.MethodGet, "/", nil))
			return err == nil && r.StatusCode == http.StatusOK
		})
		b.get("/").want(http.StatusOK)
		_, before := scrape(t, c)
		for range pages {
			if r := b.get("/").want(http.StatusOK); r.Header["Set-Cookie"] != nil {
				newIDs++
			}
		}
		_, after := scrape(t, c)
		for name := range after {
			if strings.HasPrefix(name, "caddy_session_store_operations_total{") {
				perPage += (after[name] - before[name]) / pages
			}
		}
		return perPage, newIDs
	}
	config := tlsOptions + "https://$ADDR {\n\ttls internal\n\tsession {\n\t\tstore memory\n\t\tvault *\n\t}\n\treverse_proxy $BACKEND\n}\n"
	changing := func(n int) string { return fmt.Sprint("v", n) }
	same, none := operations(t, config, func(int) string { return "v" })
	anew, some := operations(t, config, changing)
	t.Logf("operations of the store for a page: %v with a cookie that changes, %v with one that stays", anew, same)
	if anew > same || same == 0 || none+some > 0 {
		t.Errorf("operations for a page: %v with a cookie that changes, %v with one that stays; new ids: %d and %d", anew, same, some, none)
	}
	// If somebody could plant the id, each page gets a new one.
	if _, all := operations(t, strings.Replace(config, "vault *", "vault *\n\t\tcookie {\n\t\t\tname s\n\t\t}", 1), changing); all != pages {
		t.Errorf("%d of %d pages have a new id", all, pages)
	}
}

// A backend that sets too much: the response is refused and nothing changes.
func TestAttackVaultTooMuch(t *testing.T) {
	t.Parallel()
	lines := func(n, size int, attributes string) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("app_%d=%s%s", i, strings.Repeat("x", size), strings.ReplaceAll(attributes, "#", fmt.Sprint(i))))
		}
		return list
	}
	for name, set := range map[string][]string{
		"10,000 cookies":      lines(10000, 1, "; Path=/"),
		"101 cookies":         lines(101, 1, "; Path=/"),
		"64 KiB":              lines(17, 4000, "; Path=/#"),
		"16 KiB in a request": lines(5, 4000, "; Path=/"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := vaultSite.browser(t)
			b.sets("/", []string{"sid=before; Path=/"})
			answer := func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Set-Cookie"] = set
				w.Header().Set("X-Session-Update", `{"a":1}`)
				w.Header().Set("Etag", `"x"`)
				echo(w, r)
			}
			for _, client := range []*browser{b, b.bare()} {
				r := client.via(answer).get("/").want(http.StatusBadGateway).keeps().hides()
				if len(r.body) > 0 || r.Header["Etag"] != nil || r.Header["Set-Cookie"] != nil {
					t.Errorf("from a refused response, the client got %v %.100q", r.Header, r.body)
				}
			}
			b.carries("/", "sid=before").holds("{}")
		})
	}
}

// Only Set-Cookie in the head of a final response counts. Elsewhere it reaches neither the client
// nor the vault.
func TestAttackVaultSmuggledSetCookie(t *testing.T) {
	t.Parallel()
	b := vaultSite.browser(t)
	b.sets("/", []string{"sid=before; Path=/"})
	session := b.cookies()
	const smuggled = "Set-Cookie: sid=smuggled; Path=/\r\nset-cookie: APP=1\r\nSet-Cookie: app_x=smuggled; Path=/\r\n"
	for name, text := range map[string]string{
		"103":      "HTTP/1.1 103 Early Hints\r\n" + smuggled + "Link: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
		"trailers": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n" + smuggled + "\r\n",
		"announced trailers": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie, X-Ok\r\n\r\n4\r\nbody\r\n0\r\n" +
			smuggled + "X-Ok: 1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			text := b.holding(session).via(rawText(text)).rawGet("/raw")
			if strings.Contains(text, "smuggled") || !strings.Contains(text, "body") {
				t.Errorf("the client got %q", text)
			}
			b.holding(session).carries("/", "sid=before")
		})
	}
	text := b.holding(session).via(rawText("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie\r\nSet-Cookie: app_x=1; Path=/\r\nSet-Cookie: o=1\r\n\r\n" +
		"4\r\nbody\r\n0\r\n" + smuggled + "\r\n")).rawGet("/raw")
	if strings.Contains(text, "smuggled") || strings.Contains(text, "app_x") || !strings.Contains(text, "o=1") {
		t.Errorf("the client got %q", text)
	}
	b.holding(session).carries("/", "sid=before; app_x=1")
}

// A logout for an app without one: destroy deletes its cookies, also for running requests.
func TestVaultLogout(t *testing.T) {
	t.Parallel()
	b := vaultSite.browser(t)
	b.sets("/", []string{"sid=secret; Path=/"})
	old := b.cookies()
	slow := b.hold(setCookies("sid=again; Path=/", "app_x=1; Path=/")...)
	b.change("control", "destroy").expires()
	r := slow.release().keeps()
	if r.Header["Set-Cookie"] != nil {
		t.Errorf("the client got %q", r.Header["Set-Cookie"])
	}
	b.holding(old).carries("/", "").keeps()
	b.carries("/", "").keeps()
}

// Users with a cookie each send only their own, under load and while configurations change.
func TestAttackVaultsMixed(t *testing.T) {
	t.Parallel()
	const users = 64
	length := 8 * time.Second
	if !longtest.All() {
		length = time.Second
	}
	// The app shows the user's name, and sometimes sets a new cookie.
	app := harness.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		user, name := r.URL.Query().Get("user"), ""
		if c, err := r.Cookie("sid"); err == nil {
			name, _, _ = strings.Cut(c.Value, "-")
		}
		if set := r.URL.Query().Get("set"); set != "" {
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: user + "-" + set, Path: "/"})
		}
		fmt.Fprint(w, name)
	})
	config := func(n int) string {
		return fmt.Sprintf("{\n\tadmin $ADMIN\n\tauto_https off\n\tskip_install_trust\n}\nhttp://$ADDR {\n\tsession {\n\t\tstore memory\n\t\tvault sid\n\t\tmax_size %d\n\t}\n\treverse_proxy %s\n}\n", 4000+n, app)
	}
	c := start(t, config(0))
	end := time.Now().Add(length)
	var wg sync.WaitGroup
	var asked atomic.Int64
	for i := range users {
		client, user := harness.Client(t), fmt.Sprint("u", i)
		wg.Go(func() {
			last := ""
			for n := 0; time.Now().Before(end); n++ {
				url := fmt.Sprintf("%s/?user=%s", c.URL, user)
				if n%20 == 0 {
					url += fmt.Sprint("&set=", n)
				}
				resp, err := client.Get(url)
				if err != nil {
					continue // a reload closed the connection
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				got := string(body)
				if err != nil || resp.StatusCode != http.StatusOK || got != last {
					t.Errorf("%s is logged in as %q, status %d", user, got, resp.StatusCode)
					return
				}
				last = user
				asked.Add(1)
			}
		})
	}
	for n := 1; time.Now().Before(end); n++ {
		time.Sleep(300 * time.Millisecond)
		if err := c.Reload(config(n)); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if asked.Load() < users*5 { // even on a machine that is busy with other tests
		t.Errorf("%d requests only", asked.Load())
	}
}
