package apps_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

// saltedPassword is a salt of 32 bytes and PBKDF2 of "password", in base64.
const saltedPassword = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWbbBL0CEobT6dRoX95JS5hOoW2ZikkCBl+r4lqsqsd07w=="

// recipeApps are the apps that have a page in docs/recipes: besides the app itself, how a user asks
// to be remembered, and the cookies that stay in the browser.
var recipeApps = []struct {
	page string
	app
	remember func(v visitor)
	stays    []string
}{
	{page: "wordpress", app: named("WordPress"), stays: []string{"wp-settings-time-1"}, remember: func(v visitor) {
		v.get("/wp-login.php")
		v.form("/wp-login.php", "log", "victim", "pwd", "password", "testcookie", "1", "redirect_to", "/", "rememberme", "forever")
	}},
	{page: "dokuwiki", app: named("DokuWiki"), remember: func(v visitor) {
		v.form("/doku.php?id=start", "do", "login", "u", "victim", "p", "password", "r", "1")
	}},
	{page: "phpmyadmin", app: named("phpMyAdmin"), stays: []string{"pma_lang"}},
	{page: "django-admin", app: named("Django's admin"), stays: []string{"csrftoken"}},
	{page: "mediawiki", app: app{name: "MediaWiki", start: runMediaWiki, user: userOfMediaWiki, login: func(v visitor) { logInToMediaWiki(v) }},
		remember: func(v visitor) { logInToMediaWiki(v, "wpRemember", "1") }},
	{page: "roundcube", app: app{name: "Roundcube", start: runRoundcube,
		login: func(v visitor) {
			_, page := v.status("/?_task=login")
			v.form("/?_task=login", "_task", "login", "_action", "login", "_timezone", "UTC", "_url", "", "_user", "victim", "_pass", "password",
				"_token", found(page, `name="_token" value="([^"]+)"`))
		},
		user: func(v visitor) string {
			_, page := v.status("/?_task=mail")
			return as("victim", found(page, `(_task=logout)`))
		}}},
	{page: "tomcat", app: app{name: "Tomcat", start: runTomcat,
		login: func(v visitor) {
			v.get("/examples/jsp/security/protected/index.jsp")
			v.form("/examples/jsp/security/protected/j_security_check", "j_username", "victim", "j_password", "password")
		},
		user: func(v visitor) string {
			_, page := v.status("/examples/jsp/security/protected/index.jsp")
			return found(page, `remote user\s+<b>(victim)</b>`)
		}}},
	{page: "calibre-web", app: app{name: "calibre-web", start: func(t *testing.T) string { return "reverse_proxy " + calibreWeb(t) },
		login: func(v visitor) { logInToCalibreWeb(v) },
		user:  func(v visitor) string { return as("victim", found(v.follow("/admin/dbconfig"), `(/logout)`)) }},
		remember: func(v visitor) { logInToCalibreWeb(v, "remember_me", "on") }},
	{page: "changedetection", app: app{name: "changedetection.io", start: runChangeDetection,
		login: func(v visitor) {
			v.form("/login", "password", "password", "csrf_token", found(v.get("/login"), `name="csrf_token" value="([^"]+)"`))
		},
		user: func(v visitor) string { return as("victim", found(v.follow("/"), `(/logout)`)) }}},
}

func named(name string) app {
	return loginApps[slices.IndexFunc(loginApps, func(a app) bool { return a.name == name })]
}

// as returns the name if something was found.
func as(name, found string) string {
	if found == "nobody" {
		return found
	}
	return name
}

// follow returns a page that may be a redirect to a login.
func (v visitor) follow(path string) string {
	v.t.Helper()
	_, page := v.status(path)
	return page
}

func logInToMediaWiki(v visitor, more ...string) {
	page := v.get("/index.php?title=Special:UserLogin")
	v.form("/index.php?title=Special:UserLogin", append(more, "wpName", "Victim", "wpPassword", "Victims-1st-word", "authAction", "login", "title", "Special:UserLogin",
		"wploginattempt", "Log in", "wpLoginToken", strings.ReplaceAll(found(page, `name="wpLoginToken"[^>]*value="([^"]+)"|value="([^"]+)" name="wpLoginToken"`), "&#43;", "+"))...)
}

func userOfMediaWiki(v visitor) string {
	return as("victim", found(v.get("/index.php?title=Main_Page"), `"wgUserName":"(Victim)"`))
}

func logInToCalibreWeb(v visitor, more ...string) {
	page := v.get("/login")
	v.form("/login", append(more, "username", "admin", "password", "Admin_123", "next", "/", "submit", "", "csrf_token", found(page, `name="csrf_token" value="([^"]+)"`))...)
}

// recipeOf returns the Caddyfile of a page, with the address of the site and the app put in.
func recipeOf(t *testing.T, page, handler string) string {
	t.Helper()
	for _, example := range docs.Examples(t, "caddyfile") {
		if example.Page.Path != "docs/recipes/"+page+".md" {
			continue
		}
		_, rest, _ := strings.Cut(example.Text, "\n") // after the name of the site
		text := "http://$ADDR {\n" + rest + "}\n"
		for _, directive := range []string{"root", "php_fastcgi", "reverse_proxy"} {
			address := regexp.MustCompile(directive + ` \S+`)
			if with := address.FindString(handler); with != "" {
				if !address.MatchString(text) {
					t.Fatalf("%s has no %s", example.Page.Path, directive)
				}
				text = address.ReplaceAllString(text, with)
			}
		}
		return harness.Patient(text)
	}
	t.Fatalf("no page for %s", page)
	return ""
}

// inURL is an id of a session in a link.
var inURL = regexp.MustCompile(`(?i)[;?&](?:phpsessid|jsessionid|sid)=`)

// TestRecipes runs each app of docs/recipes alone and behind the Caddyfile that its page shows. The
// browser holds no cookie of the app's but those that the page leaves there; whoever plants a
// session is not logged in with its user; what outlives the browser, "remember me" too, is what
// does without the proxy.
func TestRecipes(t *testing.T) {
	for _, r := range recipeApps {
		t.Run(r.page, func(t *testing.T) {
			handler := r.start(t)
			alone := newBrowserOf(t, harness.Start(t, "http://$ADDR {\n"+handler+"\n}\n").URL)
			if user := r.user(alone.visitor); user != "nobody" {
				t.Fatalf("alone, before the login: %s", user)
			}
			r.login(alone.visitor)
			if user := r.user(alone.visitor); user != "victim" {
				t.Fatalf("alone: %s is logged in", user)
			}
			t.Logf("alone it sets %v", alone.set())
			alone.close()
			closed := r.user(alone.visitor)

			site := harness.Start(t, recipeOf(t, r.page, handler)).URL
			attacker, victim := newBrowserOf(t, site), newBrowserOf(t, site)
			r.user(attacker.visitor)
			victim.client.Jar.SetCookies(victim.site, attacker.client.Jar.Cookies(victim.site))
			if user := r.user(victim.visitor); user != "nobody" {
				t.Fatalf("before the login: %s", user)
			}
			r.login(victim.visitor)
			for range 2 {
				if user := r.user(attacker.visitor); user != "nobody" {
					t.Errorf("the attacker is logged in as %s", user)
				}
				if user := r.user(victim.visitor); user != "victim" {
					t.Errorf("%s is logged in", user)
				}
			}
			for name := range victim.set() {
				if !strings.HasPrefix(name, "caddy_session") && !slices.Contains(r.stays, name) {
					t.Errorf("the browser gets the cookie %s", name)
				}
			}
			victim.close()
			if user := r.user(victim.visitor); user != closed {
				t.Errorf("after the browser was closed, %s is logged in; alone, %s", user, closed)
			}
			for _, page := range append(attacker.ids, victim.ids...) {
				t.Errorf("%s has an id in a link", page)
			}
			if r.remember != nil {
				remembered := newBrowserOf(t, site)
				r.remember(remembered.visitor)
				remembered.close()
				if user := r.user(remembered.visitor); user != "victim" {
					t.Errorf("remembered, %s is logged in", user)
				}
			}
		})
	}
}

// closing is a visitor whose browser can be closed. It notes what cookies it is sent, and which
// pages have an id of a session in a link.
type closing struct {
	visitor
	site *url.URL
	http.RoundTripper

	mu    sync.Mutex
	noted map[string]*http.Cookie
	ids   []string // the pages that have an id of a session in a link
}

func newBrowserOf(t *testing.T, site string) *closing {
	t.Helper()
	u, err := url.Parse(site)
	if err != nil {
		t.Fatal(err)
	}
	c := &closing{visitor: newVisitor(t, site), site: u, noted: make(map[string]*http.Cookie)}
	c.RoundTripper = c.client.Transport
	if c.RoundTripper == nil {
		c.RoundTripper = http.DefaultTransport
	}
	c.client.Transport = c
	return c
}

// RoundTrip implements http.RoundTripper.
func (c *closing) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cookie := range resp.Cookies() {
		c.noted[cookie.Name] = cookie
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if inURL.Match(body) || inURL.MatchString(resp.Header.Get("Location")) {
		c.ids = append(c.ids, r.URL.String())
	}
	return resp, err
}

// set returns the names of the cookies that the browser was sent, and whether they outlive it.
func (c *closing) set() map[string]bool {
	lasting := make(map[string]bool)
	for name, cookie := range c.noted {
		lasting[name] = cookie.MaxAge > 0 || !cookie.Expires.IsZero()
	}
	return lasting
}

// close closes the browser and opens it again: only the cookies that outlive it are still there.
func (c *closing) close() {
	c.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	present := c.client.Jar.Cookies(c.site)
	for _, cookie := range c.noted {
		if c.set()[cookie.Name] && slices.ContainsFunc(present, func(p *http.Cookie) bool { return p.Name == cookie.Name }) {
			jar.SetCookies(c.site, []*http.Cookie{cookie})
		}
	}
	c.client.Jar = jar
}
