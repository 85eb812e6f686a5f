package operate

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/admin"
	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// An operator's weeks with two proxies on Redis and one on bolt, in front of an app with pages in
// PHP and a chat in Node.
func TestOperatorsStory(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	app := legacyApp(t)
	shared := func(store, secret string) string {
		return fmt.Sprintf("{\n\tadmin $ADMIN\n\tauto_https off\n\tskip_install_trust\n\tmetrics\n}\n"+
			"http://$ADDR {\n\tlog\n\tsession {\n\t\tstore %s\n\t\tsecret %s\n\t\tuser user authenticate\n\t\tremember_client on\n\t}\n%s\n}\n", store, secret, app)
	}
	onRedis := "redis " + server.Addr()
	east, west, branch := harness.Start(t, shared(onRedis, first)), harness.Start(t, shared(onRedis, first)), harness.Start(t, shared("bolt", first))

	t.Log("find a user's three sessions")
	phone, laptop, desk := arrives(t, east, "zoe"), arrives(t, east, "zoe"), arrives(t, west, "zoe")
	eve, away := arrives(t, west, "eve"), arrives(t, branch, "zoe")
	for _, c := range []*harness.Caddy{east, west} {
		if found := sessionsOf(t, c, "zoe"); len(found) != 3 {
			t.Fatalf("the user has %d sessions", len(found))
		}
	}
	if found := sessionsOf(t, branch, "zoe"); len(found) != 1 {
		t.Fatalf("the user has %d sessions in the branch", len(found))
	}

	t.Log("end one: its browser is out at the next click, and its chat closes")
	chats := map[string]*bufio.Reader{}
	for name, v := range map[string]*customer{"phone": phone, "laptop": laptop, "desk": desk} {
		chats[name] = v.chat()
	}
	says(t, west, []string{"end", desk.ref}, "1")
	closes(t, "desk", chats["desk"])
	desk.sees("stranger")
	phone.sees("zoe")

	t.Log("end the others from the app")
	laptop.posts("others", "1")
	closes(t, "phone", chats["phone"])
	phone.sees("stranger")
	phone.on(west).sees("stranger")
	laptop.on(west).sees("zoe")
	eve.sees("eve")
	away.sees("zoe")

	t.Log("move the branch's sessions to Redis")
	for _, hold := range []string{"hold", ""} {
		reload(t, branch, shared("moving {\n from bolt\n to redis "+server.Addr()+" {\n key_prefix branch:\n }\n "+hold+"\n }", first))
	}
	quiet := arrives(t, branch, "joe")
	away.sees("zoe")
	says(t, branch, []string{"stores"}, "bolt", "redis")
	reload(t, branch, shared("redis "+server.Addr()+" {\n key_prefix branch:\n }", first))
	away.sees("zoe")
	quiet.sees("joe")

	t.Log("rotate the key")
	for _, secret := range []string{second + " " + first, second} {
		for _, c := range []*harness.Caddy{east, west, branch} {
			reload(t, c, shared(map[bool]string{true: onRedis, false: onRedis + " {\n key_prefix branch:\n }"}[c != branch], secret))
		}
		laptop.sees("zoe")
		eve.sees("eve")
		away.sees("zoe")
	}

	t.Log("take a backup, lose everything, put it back")
	backup := filepath.Join(t.TempDir(), "sessions.json")
	says(t, east, []string{"export", backup})
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := server.Do("FLUSHALL"); err != nil {
		t.Fatal(err)
	}
	laptop.sees("stranger")
	says(t, west, []string{"import", backup})
	eve.sees("eve")
	if found := sessionsOf(t, east, "zoe"); len(found) != 1 || found[0].Ref == "" {
		t.Errorf("after the backup was put back: %+v", found)
	}

	readDashboard(t, east, west)
}

// first and second are the keys that sign the cookies, before and after the rotation.
const (
	first  = "the-first-key-of-the-story-0123456789"
	second = "the-second-key-of-the-story-012345678"
)

// legacyApp starts the app, and returns the lines of the Caddyfile that lead to it.
func legacyApp(t *testing.T) string {
	folder := filepath.Join(harness.Root(), "test", "operate", "story")
	pages, chat := harness.FreeAddr(t), harness.FreeAddr(t)
	php := exec.Command(harness.Program(t, "php"), "-S", pages, "index.php")
	php.Dir = folder
	harness.Serve(t, "php", pages, php)
	node := exec.Command(harness.Node(t), "chat.mjs")
	node.Dir = folder
	_, port, _ := net.SplitHostPort(chat)
	node.Env = append(os.Environ(), "PORT="+port)
	harness.Serve(t, "node", chat, node)
	return "\treverse_proxy /chat " + chat + "\n\treverse_proxy " + pages
}

// customer is a browser of a user of the app.
type customer struct {
	*visitor
	ref string
}

func arrives(t *testing.T, c *harness.Caddy, user string) *customer {
	t.Helper()
	v := &customer{visitor: visit(t, c.URL)}
	before := map[string]bool{}
	for _, s := range sessionsOf(t, c, user) {
		before[s.Ref] = true
	}
	v.sees("stranger")
	v.posts("name", user)
	v.sees(user)
	for _, s := range sessionsOf(t, c, user) {
		if !before[s.Ref] {
			v.ref = s.Ref
		}
	}
	return v
}

// on returns the same browser at another proxy.
func (v *customer) on(c *harness.Caddy) *customer {
	return &customer{&visitor{v.t, v.client, c.URL}, v.ref}
}

// sees checks whom the pages and the chat greet.
func (v *customer) sees(user string) {
	v.t.Helper()
	for path, want := range map[string]string{"/": "Hello, " + user + ".", "/chat": "Chat of " + user + "\n"} {
		resp, err := v.client.Get(v.base + path)
		if err != nil {
			v.t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			v.t.Errorf("%s: %s: %q, want %q", path, resp.Status, body, want)
		}
	}
}

func (v *customer) posts(name, value string) {
	v.t.Helper()
	resp, err := v.client.PostForm(v.base, url.Values{name: {value}})
	if err != nil {
		v.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		v.t.Errorf("%s: %s", name, resp.Status)
	}
}

// chat opens the chat's WebSocket, and returns what the app sends after its welcome.
func (v *customer) chat() *bufio.Reader {
	v.t.Helper()
	r, err := http.NewRequest(http.MethodGet, v.base+"/chat", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		r.Header.Set(name, value)
	}
	resp, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = resp.Body.Close() })
	in, welcome := bufio.NewReader(resp.Body), "Welcome, zoe"
	got := make([]byte, 2+len(welcome))
	if _, err := io.ReadFull(in, got); err != nil || string(got[2:]) != welcome {
		v.t.Fatalf("%s: %q, %v", resp.Status, got, err)
	}
	return in
}

// closes checks that a WebSocket ends.
func closes(t *testing.T, whose string, in *bufio.Reader) {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		_, err := in.ReadByte()
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil {
			t.Errorf("the chat of the %s goes on", whose)
		}
	case <-time.After(20 * time.Second):
		t.Errorf("the chat of the %s stays open", whose)
	}
}

// sessionsOf asks for the sessions of a user as an operator does.
func sessionsOf(t *testing.T, c *harness.Caddy, user string) (found []admin.Session) {
	t.Helper()
	for line := range strings.Lines(says(t, c, []string{"list", "--json", "--user", user})) {
		var s admin.Session
		if err := json.Unmarshal([]byte(line), &s); err != nil || s.User != user || s.Last == (sessionstore.Client{}) {
			t.Errorf("%v: %s", err, line)
		}
		found = append(found, s)
	}
	return found
}

func reload(t *testing.T, c *harness.Caddy, caddyfile string) {
	t.Helper()
	if err := c.Reload(caddyfile); err != nil {
		t.Fatal(err)
	}
}

// readDashboard has a real Prometheus read the metrics of the proxies, and asks it what each panel
// of the dashboard asks.
func readDashboard(t *testing.T, proxies ...*harness.Caddy) {
	t.Helper()
	dir, addr := t.TempDir(), harness.FreeAddr(t)
	var targets []string
	for _, c := range proxies {
		targets = append(targets, c.Admin)
	}
	list, _ := json.Marshal(targets)
	config := "global:\n  scrape_interval: 500ms\n  scrape_timeout: 500ms\nscrape_configs:\n- job_name: caddy\n  static_configs:\n  - targets: " + string(list) + "\n"
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	harness.Serve(t, "prometheus", addr, exec.Command(harness.Program(t, "prometheus"), "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--log.level=warn"))

	text, err := os.ReadFile(filepath.Join(harness.Root(), "docs", "grafana-dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	laptop := arrives(t, proxies[0], "zoe")
	for _, panel := range board.Panels {
		switch panel.Title {
		case "Operations of the stores that failed", "Session file", "Records":
			continue // none has failed, and Redis has no file and counts nothing
		}
		for _, target := range panel.Targets {
			expr := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*").Replace(target.Expr)
			var shown string
			for end := time.Now().Add(30 * time.Second); shown == "" && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
				laptop.sees("zoe")
				shown = value(t, addr, expr)
			}
			if shown == "" {
				t.Errorf("%s: the dashboard shows nothing: %s", panel.Title, expr)
			}
		}
	}
	if got := value(t, addr, `sum(caddy_session_ended_total{cause="revoked"})`); got == "" || got == "0" {
		t.Errorf("sessions that the operator ended: %q", got)
	}
}

// value returns a value of the answer to a query of Prometheus, or nothing.
func value(t *testing.T, addr, expr string) string {
	t.Helper()
	resp, err := http.PostForm("http://"+addr+"/api/v1/query", url.Values{"query": {expr}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []struct{ Value [2]any } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s: %v, %s", expr, err, answer.Error)
	}
	for _, series := range answer.Data.Result {
		if text, _ := series.Value[1].(string); text != "" && text != "NaN" {
			return text
		}
	}
	return ""
}
