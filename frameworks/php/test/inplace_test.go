package php_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// only returns the path of the only session.
func (p php) only(t *testing.T) string {
	t.Helper()
	paths := p.files(t)
	if len(paths) != 1 {
		t.Fatalf("there are %d sessions", len(paths))
	}
	return paths[0]
}

func inode(t *testing.T, path string) (uint64, fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino, info.Mode()
}

// A session goes from PHP to another backend and back in the same file, and so does one that begins
// at the proxy, under the same cookie.
func TestSameFileAndCookie(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(v visitor){
		"begun by PHP":       func(v visitor) { v.does("nested") },
		"begun at the proxy": func(v visitor) { v.updates(`{"a":1}`) },
	} {
		p := serve(t)
		v := visit(t, p.site(t, p.shared("", "")))
		begin(v)
		path, id := p.only(t), v.id()
		before, mode := inode(t, path)
		if filepath.Base(path) != "sess_"+id || mode != 0o600 || !regexp.MustCompile(`^[a-z0-9]{26,32}$`).MatchString(id) {
			t.Errorf("%s: %s, %v, the cookie is %q", name, filepath.Base(path), mode, id)
		}
		v.does("nested")
		v.updates(`{"b":"` + strings.Repeat("x", 5000) + `"}`)
		v.updates(`{"b":"x"}`)
		_, body := v.does("show")
		if !strings.Contains(body, `s:1:"b";s:1:"x"`) || !strings.Contains(body, `"deep"`) {
			t.Errorf("%s: PHP has %s", name, body)
		}
		if after, now := inode(t, p.only(t)); after != before || now != mode || v.id() != id {
			t.Errorf("%s: file %d, %v, before %d, %v; cookie %s, before %s", name, after, now, before, mode, v.id(), id)
		}
	}
}

// The levels and the mode of PHP's save_path.
func TestLevelsAndMode(t *testing.T) {
	t.Parallel()
	p := serve(t, "session.save_path=\"2;0660;$DIR\"", "session.sid_bits_per_character=4")
	for i := range 256 {
		if err := os.MkdirAll(filepath.Join(p.dir, fmt.Sprintf("%x/%x", i/16, i%16)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	defer syscall.Umask(syscall.Umask(0))
	c := p.site(t, p.shared("mode 0660", "levels 2\nsid_length 40"))
	byPHP, byProxy := visit(t, c), visit(t, c)
	byPHP.does("nested")
	byProxy.updates(`{"deep":{"a":1}}`)
	if len(byProxy.id()) != 40 {
		t.Errorf("the id is %q", byProxy.id())
	}
	for _, v := range []visitor{byPHP, byProxy} {
		v.does("nested&key=one")
		v.updates(`{"deep":{"two":2}}`)
		if _, body := v.does("show"); !strings.Contains(body, `"one"`) || !strings.Contains(body, `"two"`) {
			t.Errorf("PHP has %s", body)
		}
		id := v.id()
		path := filepath.Join(p.dir, id[:1], id[1:2], "sess_"+id)
		if _, mode := inode(t, path); mode&0o600 != 0o600 || v == byProxy && mode != 0o660 {
			t.Errorf("the mode is %v", mode)
		}
	}
	out, err := c.Command("session", "list", "--address", c.Admin).CombinedOutput()
	if err != nil || strings.Count(string(out), "\n") < 2 {
		t.Errorf("%v, %s", err, out)
	}
}

// Login, logout and new ids, of PHP and of the other backend.
func TestNewIDsAndLogout(t *testing.T) {
	t.Parallel()
	p := serve(t)
	c := p.site(t, p.shared("", ""))
	v := visit(t, c)
	v.does("nested")
	first := v.id()
	v.asks(200, "X-Session-Update", `{"user":"zoe"}`, "X-Session-Control", "regenerate")
	second := v.id()
	if _, body := v.does("show"); second == first || v.id() != second || !strings.Contains(body, `"zoe"`) || !strings.Contains(body, `"deep"`) {
		t.Errorf("%q, then %q, PHP has %s", first, second, body)
	}
	if data := with(t, c, first).asks(200); data != "{}" {
		t.Errorf("with the former id: %s", data)
	}
	v.does("regenerate&delete=1")
	third := v.id()
	if data := v.asks(200); third == second || !strings.Contains(data, `"zoe"`) {
		t.Errorf("after PHP's new id: %q, %s", third, data)
	}
	if data := with(t, c, second).asks(200); data != "{}" {
		t.Errorf("with the id before PHP's: %s", data)
	}
	v.asks(200, "X-Session-Control", "destroy")
	if v.id() != "" || len(p.files(t)) != 0 {
		t.Errorf("after the logout: cookie %q, files %q", v.id(), p.files(t))
	}
	for _, id := range []string{first, second, third} {
		if _, body := with(t, c, id).does("show"); !strings.HasPrefix(body, "a:0:{}") {
			t.Errorf("PHP has %s", body)
		}
	}
	v = visit(t, c)
	v.updates(`{"user":"eve"}`)
	v.does("destroy")
	if data := v.asks(200); data != "{}" {
		t.Errorf("after PHP's logout: %s", data)
	}
}

// An id that nobody has given is not taken over, nor does a strange cookie lead anywhere.
func TestAttackPlantedIDs(t *testing.T) {
	t.Parallel()
	p := serve(t)
	c := p.site(t, p.shared("", ""))
	if err := os.WriteFile(filepath.Join(filepath.Dir(p.dir), "outside"), []byte("a|i:1;"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"0123456789abcdef0123456789abcdef", "..%2F..%2Foutside", "../outside", "%00", "a%2F..%2Fb", strings.Repeat("a", 300)} {
		v := with(t, c, id)
		if data := v.asks(200); data != "{}" {
			t.Errorf("%s: %s", id, data)
		}
		v.updates(`{"user":"zoe"}`)
		if v.id() == id || len(v.id()) != 32 {
			t.Errorf("%s: the cookie is %q", id, v.id())
		}
	}
	if strings.Contains(c.Log(), "outside") || strings.Contains(c.Log(), "0123456789abcdef") {
		t.Error("the id is in the log")
	}
	if !c.WaitLog("no record under its id") {
		t.Error("the log does not say that the folder may be another")
	}
}

// What is no session of PHP's is not read, and stays as it is: a link, a folder, a pipe, a session
// in another serializer, a damaged one.
func TestAttackForeignFiles(t *testing.T) {
	t.Parallel()
	p := serve(t)
	c := p.site(t, p.shared("", ""))
	target := filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(target, []byte("user|s:5:\"admin\";"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		put  func(path string) error
		says string
	}{
		"a symbolic link": {func(path string) error { return os.Symlink(target, path) }, "it is no regular file"},
		"a folder":        {func(path string) error { return os.Mkdir(path, 0o700) }, "it is no regular file"},
		"a pipe":          {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "it is no regular file"},
		"php_serialize":   {func(path string) error { return os.WriteFile(path, []byte(`a:1:{s:1:"a";i:1;}`), 0o600) }, "it looks like one of php_serialize"},
		"igbinary":        {func(path string) error { return os.WriteFile(path, []byte("\x00\x00\x00\x02\x14\x00"), 0o600) }, "igbinary, which is not supported"},
		"a cut one":       {func(path string) error { return os.WriteFile(path, []byte(`a|s:100:"not for the log`), 0o600) }, "PHP's encoding is damaged"},
		"50 MB":           {func(path string) error { return os.WriteFile(path, make([]byte, 50<<20), 0o600) }, "file is larger than"},
	} {
		id := fmt.Sprintf("%032x", len(name)*1000+len(test.says))
		path := filepath.Join(p.dir, "sess_"+id)
		if err := test.put(path); err != nil {
			t.Fatal(err)
		}
		before, mode := inode(t, path)
		v := with(t, c, id)
		v.asks(http.StatusServiceUnavailable)
		v.asks(http.StatusServiceUnavailable, "X-Session-Update", `{"a":1}`)
		v.asks(http.StatusServiceUnavailable, "X-Session-Control", "destroy")
		if after, now := inode(t, path); after != before || now != mode || v.id() != id {
			t.Errorf("%s: it was replaced, or the cookie is another", name)
		}
		if !c.WaitLog(test.says) {
			t.Errorf("%s: the log does not say %q", name, test.says)
		}
		if strings.Contains(c.Log(), id) || strings.Contains(c.Log(), "not for the log") {
			t.Errorf("%s: the id or the data are in the log", name)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(target); err != nil || string(text) != "user|s:5:\"admin\";" {
		t.Errorf("%q, %v", text, err)
	}
}

// A session whose time is over is none, and its file stays PHP's.
func TestExpiry(t *testing.T) {
	t.Parallel()
	p := serve(t)
	c := p.site(t, p.shared("", "lifetime 1h"))
	v := visit(t, c)
	v.does("nested")
	path := p.only(t)
	age := func(d time.Duration) {
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-d)); err != nil {
			t.Fatal(err)
		}
	}
	age(59 * time.Minute)
	if data := v.asks(200); !strings.Contains(data, "deep") {
		t.Errorf("a minute before its end: %s", data)
	}
	// That use is recorded in the background.
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) < time.Minute {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it was not touched")
		}
	}
	age(61 * time.Minute)
	if data := v.asks(200); data != "{}" {
		t.Errorf("after its end: %s", data)
	}
	if p.only(t) != path {
		t.Error("its file is gone")
	}
}

// held is a page that waits, with its session open, until the test lets it go.
func held(t *testing.T, p php, v visitor) (release func()) {
	t.Helper()
	let, opened := filepath.Join(p.dir, "let"), filepath.Join(p.dir, "opened")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = v.get("/hold?do=hold")
	}()
	await(t, opened)
	return sync.OnceFunc(func() {
		if err := os.WriteFile(let, nil, 0o600); err != nil {
			t.Error(err)
		}
		<-done
		_, _ = os.Remove(let), os.Remove(opened)
	})
}

func await(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	t.Fatalf("there is no %s", filepath.Base(path))
}

// holding is a site with the page of held.
func (p php) holding(t *testing.T, timeout string) *harness.Caddy {
	t.Helper()
	return harness.Start(t, fmt.Sprintf(`http://$ADDR {
	session {
		store_timeout %s
		store file %s
		dialect php
	}
	handle /other {
		reverse_proxy %s
	}
	handle {
		root %s
		rewrite * /hold.php?{query}
		php_fastcgi %s
	}
}`, timeout, p.dir, harness.Backend(t, harness.Echo), filepath.Join(harness.Root(), "frameworks", "php", "test"), p.addr))
}

// While a PHP script has its session open, others read what was saved before it. Their changes are
// a 503, and nothing of the script's is lost.
func TestScriptHoldsTheLock(t *testing.T) {
	t.Parallel()
	p := serve(t)
	c := p.holding(t, "300ms")
	v := visit(t, c)
	v.updates(`{"a":1}`)
	release := held(t, p, v)
	defer release()
	for range 5 {
		if data := v.asks(200); data != `{"a":1}` {
			t.Errorf("the data are %s", data)
		}
	}
	v.asks(http.StatusServiceUnavailable, "X-Session-Update", `{"b":2}`)
	v.asks(http.StatusServiceUnavailable, "X-Session-Control", "regenerate")
	v.asks(http.StatusServiceUnavailable, "X-Session-Control", "destroy")
	if !c.WaitLog("a PHP script holds the lock of the session") {
		t.Errorf("the log says\n%s", c.Log())
	}
	other := visit(t, c) // another visitor does not wait
	other.updates(`{"a":1}`)
	release()
	v.updates(`{"b":2}`)
	if data := v.asks(200); data != `{"a":1,"held":1,"b":2}` {
		t.Errorf("the data are %s", data)
	}
}

// A change waits for the script, and is made to what that has saved.
func TestChangeWaitsForTheScript(t *testing.T) {
	t.Parallel()
	p := serve(t)
	v := visit(t, p.holding(t, "30s"))
	v.updates(`{"a":1}`)
	release := held(t, p, v)
	var change sync.WaitGroup
	change.Go(func() { v.updates(`[{"op":"increment","path":"/held","value":10}]`) })
	release()
	change.Wait()
	if data := v.asks(200); data != `{"a":1,"held":11}` {
		t.Errorf("the data are %s", data)
	}
}

// A logout holds, whatever scripts are under way: they save into a file that is gone. A script that
// had found the file, and opens it just afterwards, begins an empty session, as it does when PHP
// itself has logged out.
func TestLogoutWhileScriptsWait(t *testing.T) {
	t.Parallel()
	p := serve(t)
	c := p.holding(t, "30s")
	v := visit(t, c)
	v.updates(`{"user":"zoe"}`)
	id := v.id()
	for range 20 {
		v := with(t, c, id)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { v.get("/count?do=count") })
		}
		all.Go(func() { v.asks(200, "X-Session-Control", "destroy") })
		all.Wait()
		if data := with(t, c, id).asks(200); strings.Contains(data, "user") {
			t.Fatalf("after the logout: %s", data)
		}
		v = visit(t, c)
		v.updates(`{"user":"zoe"}`)
		id = v.id()
	}
}

// Caddy as root makes sessions that belong to the user that PHP runs as, and reads those only.
func TestOwner(t *testing.T) {
	t.Parallel()
	switch {
	case os.Geteuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatal("only root can give files away: run this as root")
	default:
		t.Skip("only root can give files away")
	}
	const uid = 4321
	p := serve(t)
	v := visit(t, p.site(t, p.shared("", "owner "+strconv.Itoa(uid))))
	v.updates(`{"a":1}`)
	path := p.only(t)
	owner := func() int {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Sys().(*syscall.Stat_t).Uid)
	}
	v.updates(`{"a":2}`)
	if owner() != uid {
		t.Errorf("it belongs to %d", owner())
	}
	if err := os.Chown(path, uid+1, -1); err != nil {
		t.Fatal(err)
	}
	v.asks(http.StatusServiceUnavailable)
}

// Messages of another backend are in $_SESSION, and those of a script go with the next page of the
// other backend. The command shows both.
func TestMessages(t *testing.T) {
	t.Parallel()
	p := serve(t)
	c := p.site(t, p.shared("", ""))
	v := visit(t, c)
	v.asks(200, "X-Session-Flash", `["info","Saved!"]`, "X-Session-Update", `{"a":1}`)
	const want = `s:11:"caddy_flash";a:1:{i:0;a:2:{i:0;s:4:"info";i:1;s:6:"Saved!";}}`
	if _, body := v.does("show"); !strings.Contains(body, want) {
		t.Errorf("PHP has %s", body)
	}
	file, err := os.Open(p.only(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	inspect := c.Command("session", "inspect", "--dialect", "php")
	inspect.Stdin = file
	if out, err := inspect.CombinedOutput(); err != nil || !strings.Contains(string(out), `messages: [["info","Saved!"]]`) || !strings.Contains(string(out), `data: {"a":1}`) {
		t.Errorf("%v, %s", err, out)
	}
	if _, body := v.get("/other"); !strings.Contains(body, `X-Session-Flash: [["info","Saved!"]]`) {
		t.Errorf("the other backend has %s", body)
	}
	v.asks(200, "X-Session-Control", "flash-seen")
	if _, body := v.does("show"); strings.Contains(body, "caddy_flash") {
		t.Errorf("PHP has %s", body)
	}
}

// A proxy that is killed while sessions are changed leaves sessions that PHP and the next proxy
// read.
func TestProxyIsKilled(t *testing.T) {
	t.Parallel()
	p := serve(t)
	c := p.site(t, p.shared("", ""))
	v := visit(t, c)
	v.updates(`{"n":0}`)
	at := v.base
	answered := 0
	for range 5 {
		var last sync.WaitGroup
		killed := make(chan struct{})
		last.Go(func() {
			for {
				resp, err := v.client.Get(at + "/other?X-Session-Update=" + url.QueryEscape(`[{"op":"increment","path":"/n","value":1}]`))
				if err != nil {
					<-killed
					return
				}
				_ = resp.Body.Close()
				if answered++; answered%10 == 0 {
					go func() { c.Kill(); close(killed) }()
				}
			}
		})
		last.Wait()
		c.Run()
		status, body := v.does("show")
		data := v.asks(200)
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(data, `{"n":`), "}"))
		if err != nil || n < answered || status != 200 || !strings.HasPrefix(body, fmt.Sprintf(`a:1:{s:1:"n";i:%d;}`, n)) {
			t.Fatalf("%d were answered: %s, PHP has %d, %s", answered, data, status, body)
		}
		answered = n
	}
}
