package apps_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// appSecret is as short as an app may have it.
const appSecret = "dev"

// recipe returns the Caddyfile in an app's folder, with the placeholders of a site replaced.
func recipe(t *testing.T, app string, values ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder(app), "Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines > 15 {
		t.Errorf("the recipe has %d lines", lines)
	}
	filled := string(text)
	for i := 0; i < len(values); i += 2 {
		before, after, found := strings.Cut(filled, values[i])
		if !found {
			t.Fatalf("the recipe has no %s", values[i])
		}
		filled = before + values[i+1] + after
	}
	return harness.Patient(filled)
}

// startLegacy runs the app, and a Caddy in front of it with another backend that does not use
// Flask.
func startLegacy(t *testing.T) (proxied, alone string, caddy *harness.Caddy) {
	t.Helper()
	t.Setenv("APP_SECRET", appSecret)
	addr := harness.FreeAddr(t)
	cmd := exec.Command(harness.Python(t), "-m", "gunicorn", "--bind", addr, "--threads", "16", "app:app")
	serve(t, "legacy", addr, cmd)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.URL.Query() {
			for _, v := range values {
				w.Header().Add("X-Session-"+name, v)
			}
		}
		_, _ = io.WriteString(w, r.Header.Get("X-Session-Data")+r.Header.Get("X-Session-Flash"))
	}))
	t.Cleanup(other.Close)
	caddy = harness.Start(t, recipe(t, "legacy",
		"{$SITE:app.example.org}\n", "http://$ADDR {\n",
		"reverse_proxy {$APP:localhost:5000}\n",
		"handle /other {\nreverse_proxy "+other.Listener.Addr().String()+"\n}\nhandle {\nreverse_proxy "+addr+"\n}\n}\n"))
	return caddy.URL, "http://" + addr, caddy
}

// visitor is a client of the app.
type visitor struct {
	t      *testing.T
	client *http.Client
	url    string
}

func newVisitor(t *testing.T, url string) visitor { return visitor{t, harness.Client(t), url} }

func (v visitor) status(path string) (int, string) {
	v.t.Helper()
	resp, err := v.client.Get(v.url + path)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(body))
}

func (v visitor) get(path string) string {
	v.t.Helper()
	status, body := v.status(path)
	if status != http.StatusOK {
		v.t.Fatalf("%s: %d %s", path, status, body)
	}
	return body
}

func (v visitor) want(path, want string) {
	v.t.Helper()
	if got := v.get(path); got != want {
		v.t.Errorf("%s: %s, want %s", path, got, want)
	}
}

// other sends a request to the backend that does not use Flask; headers are alternating names and
// values of session headers.
func (v visitor) other(headers ...string) string {
	v.t.Helper()
	query := url.Values{}
	for i := 0; i < len(headers); i += 2 {
		query.Add(headers[i], headers[i+1])
	}
	return v.get("/other?" + query.Encode())
}

func (v visitor) cookies() (names []string) {
	u, _ := url.Parse(v.url)
	for _, c := range v.client.Jar.Cookies(u) {
		names = append(names, c.Name)
	}
	return names
}

func TestAdoptFlask(t *testing.T) {
	proxied, alone, caddy := startLegacy(t)

	t.Run("the browser sees only our cookie", func(t *testing.T) {
		v := newVisitor(t, proxied)
		v.get("/set/a")
		if got := v.cookies(); !slices.Equal(got, []string{"caddy_session"}) {
			t.Errorf("its cookies are %v", got)
		}
		v.want("/session", `{"a":"set"}`)
	})

	t.Run("the other backend sees and changes the session", func(t *testing.T) {
		v := newVisitor(t, proxied)
		v.get("/set/a")
		if got := v.other("Update", `{"b":{"c":[1]}}`); got != `{"a":"set"}` {
			t.Errorf("it got %s", got)
		}
		v.want("/session", `{"a":"set","b":{"c":[1]}}`)
		v.get("/pop/b")
		if got := v.other(); got != `{"a":"set"}` {
			t.Errorf("it got %s", got)
		}
	})

	t.Run("types stay", func(t *testing.T) {
		v := newVisitor(t, proxied)
		v.get("/types")
		v.other("Update", `{"b":2}`)
		v.get("/set/c")
		var same map[string]bool
		if err := json.Unmarshal([]byte(v.get("/same")), &same); err != nil || len(same) != 7 {
			t.Fatalf("%v, %v", same, err)
		}
		for name, ok := range same {
			if !ok {
				t.Errorf("%s is another", name)
			}
		}
		if got := v.other(); !strings.Contains(got, `"null":null`) || !strings.Contains(got, `"tuple":{" t":[1,{" t":["two"]}]}`) {
			t.Errorf("the other backend got %s", got)
		}
	})

	t.Run("messages go both ways", func(t *testing.T) {
		v := newVisitor(t, proxied)
		v.get("/flash/one?markup")
		v.other("Flash", `["error","two"]`)
		if got := v.other(); got != `{}[["info","<i>one</i>"],["error","two"]]` {
			t.Errorf("the other backend got %s", got)
		}
		v.want("/messages", `[["info","<i>one</i>","Markup"],["error","two","str"]]`)
		v.want("/messages", `[]`)
		v.get("/flash/three")
		v.other("Control", "flash-seen")
		v.want("/messages", `[]`)
	})

	t.Run("a null is a value", func(t *testing.T) {
		v := newVisitor(t, proxied)
		v.get("/nothing/x")
		v.want("/session", `{"x":null}`)
		if got := v.other(); got != `{"x":null}` {
			t.Errorf("the other backend got %s", got)
		}
	})

	t.Run("a permanent session", func(t *testing.T) {
		v := newVisitor(t, proxied)
		resp, err := v.client.Get(proxied + "/login/ada?remember")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if cookies := resp.Cookies(); len(cookies) != 1 || cookies[0].MaxAge <= 0 {
			t.Errorf("the cookies are %v", cookies)
		}
		v.want("/session", `{"_permanent":true,"user_id":"ada"}`)
		if got := v.other("Control", "permanent=?0"); got != `{"user_id":"ada"}` {
			t.Errorf("the other backend got %s", got)
		}
		v.want("/session", `{"user_id":"ada"}`)
	})

	t.Run("logging out", func(t *testing.T) {
		v := newVisitor(t, proxied)
		v.get("/login/ada")
		v.get("/logout")
		if got := v.cookies(); len(got) != 0 {
			t.Errorf("the cookies are %v", got)
		}
		v.get("/login/ada")
		v.other("Control", "destroy")
		v.want("/session", `{}`)
	})

	t.Run("more than fits into a cookie", func(t *testing.T) {
		v := newVisitor(t, proxied)
		var value strings.Builder
		for i := range 800 { // gunicorn accepts 8190 bytes for a header
			fmt.Fprintf(&value, "%x.", i*i*7919)
		}
		v.other("Update", fmt.Sprintf(`{"big":%q}`, value.String()))
		v.get("/set/a")
		v.want("/session", fmt.Sprintf(`{"a":"set","big":%q}`, value.String()))
	})

	t.Run("parallel requests lose nothing", func(t *testing.T) {
		const requests = 200
		survivors := map[string]int{}
		for _, u := range []string{alone, proxied} {
			v := newVisitor(t, u)
			v.get("/set/first")
			var all sync.WaitGroup
			for i := range requests {
				all.Go(func() {
					resp, err := v.client.Get(fmt.Sprintf("%s/set/k%d", u, i))
					if err != nil {
						t.Error(err)
						return
					}
					_ = resp.Body.Close()
					if resp.StatusCode != http.StatusOK {
						t.Errorf("%s: key %d: status %d", u, i, resp.StatusCode)
					}
				})
			}
			all.Wait()
			var session map[string]any
			if err := json.Unmarshal([]byte(v.get("/session")), &session); err != nil {
				t.Fatal(err)
			}
			survivors[u] = len(session) - 1
		}
		t.Logf("of %d keys set in parallel, %d remain without the proxy, %d behind it", requests, survivors[alone], survivors[proxied])
		if survivors[proxied] != requests {
			t.Errorf("%d of %d keys remain", survivors[proxied], requests)
		}
	})

	t.Run("parallel messages and list items are kept", func(t *testing.T) {
		v := newVisitor(t, proxied)
		v.get("/append/first")
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				for _, path := range []string{"flash", "append"} {
					resp, err := v.client.Get(fmt.Sprintf("%s/%s/%d", proxied, path, i))
					if err != nil {
						t.Error(err)
						return
					}
					_ = resp.Body.Close()
				}
			})
		}
		all.Wait()
		var messages []any
		if err := json.Unmarshal([]byte(v.get("/messages")), &messages); err != nil || len(messages) != 20 {
			t.Errorf("%d messages remain, %v", len(messages), err)
		}
		var session struct{ List []string }
		if err := json.Unmarshal([]byte(v.get("/session")), &session); err != nil || len(session.List) != 21 {
			t.Errorf("%d items remain, %v", len(session.List), err)
		}
	})

	t.Run("data that the app could not read is refused", func(t *testing.T) {
		v := newVisitor(t, proxied)
		v.get("/set/a")
		if status, _ := v.status("/other?Update=" + url.QueryEscape(`{"x":{" t":1}}`)); status != http.StatusBadGateway {
			t.Errorf("answered %d", status)
		}
		v.want("/session", `{"a":"set"}`)
	})
	if log := caddy.Log(); strings.Contains(log, "value of") {
		t.Error("session data is in the log")
	}
}

// Cookies that the app would accept, sent by a client.
func TestAttackAdoptedCookieSentByTheClient(t *testing.T) {
	proxied, alone, _ := startLegacy(t)
	victim := newVisitor(t, alone)
	victim.get("/login/victim")
	u, _ := url.Parse(alone)
	stolen := victim.client.Jar.Cookies(u)[0].String()
	if !strings.HasPrefix(stolen, "session=") {
		t.Fatalf("the app's cookie is %s", stolen)
	}
	for _, header := range []string{stolen, "a=b; " + stolen, stolen + "; a=b", " Session" + strings.TrimPrefix(stolen, "session")} {
		v := newVisitor(t, proxied)
		v.get("/set/mine")
		v.client.Transport = withCookie{v.client.Transport, header}
		if got := v.get("/session"); got != `{"mine":"set"}` {
			t.Errorf("%s: the app sees %s", header[:12], got)
		}
		v.client.Jar = nil
		if got := v.get("/session"); got != `{}` {
			t.Errorf("%s: without a session of ours the app sees %s", header[:12], got)
		}
	}
}

// withCookie adds a line to the Cookie header.
type withCookie struct {
	http.RoundTripper
	line string
}

func (c withCookie) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header["Cookie"] = append([]string{c.line}, r.Header["Cookie"]...)
	next := c.RoundTripper
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(r)
}

func TestAttackPlantedIDAtAdoptedLogin(t *testing.T) {
	proxied, _, _ := startLegacy(t)
	// What Flask-Login stores, and what tutorials store.
	for path, session := range map[string]string{
		"/login/victim":                `{"a":"set","user_id":"victim"}`,
		"/set/username?value=victim":   `{"a":"set","username":"victim"}`,
		"/set/logged_in?value=victim":  `{"a":"set","logged_in":"victim"}`,
		"/set/user_email?value=victim": `{"a":"set","user_email":"victim"}`,
	} {
		t.Run(path, func(t *testing.T) {
			thief := newVisitor(t, proxied)
			thief.get("/set/a")
			u, _ := url.Parse(proxied)
			planted := thief.client.Jar.Cookies(u)
			victim := newVisitor(t, proxied)
			victim.client.Jar.SetCookies(u, planted)
			victim.get(path)
			thief.want("/session", `{"a":"set"}`)
			victim.want("/session", session)
			if got := victim.client.Jar.Cookies(u); got[0].Value == planted[0].Value {
				t.Error("the login did not change the id")
			}
			thief.want("/session", `{}`) // the new id must be used once
		})
	}
}

// With another secret than the app's every change would be lost: the log must say so at once.
func TestAdoptedCookieOfAnotherSecret(t *testing.T) {
	proxied, _, caddy := startLegacy(t)
	v := newVisitor(t, proxied)
	t.Setenv("APP_SECRET", "another")
	text, err := os.ReadFile(caddy.Config())
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Reload(strings.Replace(string(text), "{env.APP_SECRET}", "another", 1)); err != nil {
		t.Fatal(err)
	}
	if status, _ := v.status("/set/a"); status != http.StatusBadGateway {
		t.Errorf("answered %d", status)
	}
	if got := v.cookies(); len(got) != 0 {
		t.Errorf("the cookies are %v", got)
	}
	if !caddy.WaitLog("the secret of adopt must be the app's") {
		t.Error("the log does not say why")
	}
}
