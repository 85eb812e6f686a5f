package php_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// pools is a site with several FastCGI servers for one session: the pages of each are below its
// name, such as /one/.
func pools(t *testing.T, pools map[string]string) *harness.Caddy {
	t.Helper()
	var routes strings.Builder
	for name, addr := range pools {
		fmt.Fprintf(&routes, "handle /%s/* {\nroot %s\nrewrite * /app.php?{query}\nphp_fastcgi %s\n}\n", name, folder(), addr)
	}
	return harness.Start(t, "http://$ADDR {\n"+session+"\n"+routes.String()+"}")
}

// in returns the visitor at the pages of one of the pools.
func (v visitor) in(pool string) visitor {
	v.base += "/" + pool
	return v
}

// env is a FastCGI server with a variable of each request.
func env(addr, name, value string) string {
	return fmt.Sprintf("%s {\nenv %s \"%s\"\n}", addr, name, value)
}

// Pages without the key leave alone what other pages have signed, at every depth, and change the
// rest. So do those that have it as the former key only.
func TestPageWithoutTheKeyRemovesNoObject(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t)
	addr, log := serve(t, prepend())
	alone := visit(t, site(t, "", plain))
	v := visit(t, pools(t, map[string]string{"with": addr, "without": env(addr, "CADDY_SESSION_KEY", ""),
		"former": addr + " {\nenv CADDY_SESSION_KEY \"\"\nenv CADDY_SESSION_OLD_KEY \"" + key + "\"\n}"}))
	with := v.in("with")
	same := func(steps ...string) {
		t.Helper()
		for _, step := range append(steps, "show") {
			_, want, _ := alone.does(step)
			if _, got, _ := with.does(step); woken.ReplaceAllString(got, "") != woken.ReplaceAllString(want, "") {
				t.Errorf("%s: %.2000q, alone %.2000q", step, got, want)
			}
		}
	}
	same("objects", "object beside", "references", "nested deep")
	for _, step := range []string{"show", "nested&value=y", "order", "remove"} {
		for _, pool := range []string{"without", "former"} {
			alone.does(step)
			v.in(pool).does(step)
			same()
		}
	}
	same("objects", "buy", "use references", "nested deep, changed")
	if text, _ := os.ReadFile(log); strings.Contains(string(text), "caddy-session:") {
		t.Errorf("the log says:\n%s", text)
	}
}

// woken is how many pages have decoded a cart. Pages without the key do not.
var woken = regexp.MustCompile(`"woken";i:\d+`)

// A new key goes with the former one: no session loses an object.
func TestNewKey(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t)
	addr, _ := serve(t, prepend())
	const newKey = "a key that comes after the other"
	alone := visit(t, site(t, "", plain))
	v := visit(t, pools(t, map[string]string{
		"before": addr, "changed": addr + " {\nenv CADDY_SESSION_KEY \"" + newKey + "\"\nenv CADDY_SESSION_OLD_KEY \"" + key + "\"\n}",
		"after": env(addr, "CADDY_SESSION_KEY", newKey), "another": addr + " {\nenv CADDY_SESSION_KEY \"another\"\nenv CADDY_SESSION_OLD_KEY \"and another\"\n}",
	}))
	v.in("before").doesAs(alone, "objects", "references", "show")
	v.in("changed").doesAs(alone, "show", "use references", "buy", "show")
	v.in("changed").doesAs(alone, "objects", "buy", "show") // these are signed by the new key
	if _, body, _ := v.in("after").does("show"); !strings.Contains(body, `O:4:"Cart"`) {
		t.Errorf("with the new key alone, the session is %s", body)
	}
	if _, body, _ := v.in("another").does("show"); strings.Contains(body, "O:") {
		t.Errorf("with other keys, the session is %s", body)
	}
}

// An object that only its class can read is not kept. The rest of the session is, and goes on.
func TestSerializableObject(t *testing.T) {
	t.Parallel()
	for _, settings := range [][]string{{"display_errors=1"}, {"session.serialize_handler=php_serialize"}} {
		addr, log := serve(t, append(settings, prepend(), "error_reporting=8191")...) // without deprecations
		withoutSerializable(t, visit(t, site(t, session, addr)))
		text, _ := os.ReadFile(log)
		if strings.Count(string(text), `$_SESSION["old"] is not kept: an object in it implements Serializable`) != 1 || strings.Contains(string(text), "Warning") {
			t.Errorf("%v: the log says:\n%s", settings, text)
		}
	}
}

func withoutSerializable(t *testing.T, v visitor) {
	t.Helper()
	if status, body, _ := v.does("serializable"); status != http.StatusOK || strings.Contains(body, "Warning") {
		t.Errorf("%d, %s", status, body)
	}
	for range 2 {
		_, body, _ := v.does("show")
		if !strings.Contains(body, `s:2:"by";s:12:"serializable"`) || !strings.Contains(body, `s:5:"owner"`) && strings.Count(body, `O:4:"Cart"`) != 2 || strings.Contains(body, "Old") {
			t.Errorf("the session is %s", body)
		}
	}
}

// With an encoding that the file does not know, PHP's own sessions are an error in place of an end,
// and those of apps with a store of their own stay.
func TestSerializerThatIsNotKnown(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t, "session.serialize_handler=php_binary")
	known, _ := serve(t, prepend())
	unknown, log := serve(t, "session.serialize_handler=php_binary", prepend())
	v := visit(t, pools(t, map[string]string{"known": known, "unknown": unknown}))
	v.in("known").does("types")
	_, before, _ := v.in("known").does("show")
	for _, step := range []string{"show", "nested", "regenerate", "destroy"} {
		if status, body, header := v.in("unknown").does(step); status != http.StatusInternalServerError || len(header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %d, %s, %v", step, status, body, header["Set-Cookie"])
		}
		if _, body, _ := v.in("known").does("show"); body != before {
			t.Errorf("after %s, the session is %s, before %s", step, body, before)
		}
	}
	if text, _ := os.ReadFile(log); !strings.Contains(string(text), "session.serialize_handler is php_binary; set it to php_serialize") {
		t.Errorf("the log says:\n%s", text)
	}
	v.in("unknown").doesAs(visit(t, site(t, "", plain)), "own handler", "own handler", "own handler")
}

// A stream begins at once, as without the proxy, if its script calls flush() only and php.ini has
// no buffer. The page stays in one piece otherwise.
func TestStreamWithoutBuffers(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t, "output_buffering=0")
	prepended, _ := serve(t, "output_buffering=0", prepend())
	for name, c := range map[string]*harness.Caddy{"alone": site(t, "", plain), "behind": site(t, session, prepended)} {
		v := visit(t, c)
		resp, err := v.client.Get(c.URL + "/?do=stream")
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(resp.Body)
		if first, err := lines.ReadString('\n'); first != "data: first\n" || err != nil {
			t.Errorf("%s: %q, %v", name, first, err)
		}
		v.does("got it")
		rest, _ := io.ReadAll(lines)
		_ = resp.Body.Close()
		if string(rest) != "\ndata: last\n\n" {
			t.Errorf("%s: the rest is %q", name, rest)
		}
		if _, body, _ := v.does("show"); !strings.Contains(body, `s:6:"stream"`) {
			t.Errorf("%s: the session is %s", name, body)
		}
	}
}

// Requests by HEAD change the session as others.
func TestHead(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t)
	prepended, _ := serve(t, prepend())
	alone, behind := visit(t, site(t, "", plain)), visit(t, site(t, session, prepended))
	for _, step := range []string{"shutdown", "nested", "large+page", "regenerate", "destroy"} {
		for _, v := range []visitor{alone, behind} {
			resp, err := v.client.Head(v.base + "/?do=" + step)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %d", step, resp.StatusCode)
			}
		}
		behind.doesAs(alone, "show")
	}
}

// A script that has no memory left loses its change if PHP shows the error, as the headers leave
// before anybody can say so. With late it is kept.
func TestMemoryLimitThatIsShown(t *testing.T) {
	t.Parallel()
	addr, log := serve(t, prepend(), "display_errors=1")
	for options, kept := range map[string]bool{session: false, lateSession: true} {
		_ = os.Truncate(log, 0)
		v := visit(t, site(t, options, addr))
		v.does("nested")
		v.does("memory limit")
		_, body, _ := v.does("show")
		text, _ := os.ReadFile(log)
		said := strings.Contains(string(text), "the proxy gave no X-Session-Late")
		if !strings.Contains(body, "deep") || strings.Contains(body, "memory limit") != kept || said == kept {
			t.Errorf("with late: %t: the session is %s, and the log says:\n%s", kept, body, text)
		}
	}
}

// PHP puts no id of a session into links, whatever php.ini says.
func TestIDsInLinks(t *testing.T) {
	t.Parallel()
	settings := []string{"session.use_only_cookies=0", "session.use_trans_sid=1"}
	plain, _ := serve(t, settings...)
	prepended, _ := serve(t, append(settings, prepend())...)
	if _, body, _ := visit(t, site(t, "", plain)).does("link"); !strings.Contains(body, "PHPSESSID=") {
		t.Errorf("without the file, the page is %s", body)
	}
	v := visit(t, site(t, session, prepended))
	for range 2 {
		if _, body, _ := v.does("link"); body != `<a href="/next">next</a>` {
			t.Errorf("the page is %s", body)
		}
	}
}

// The file can be named by a .user.ini beside the scripts.
func TestUserINI(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	scripts(t, dir)
	if err := os.WriteFile(filepath.Join(dir, ".user.ini"), []byte("auto_prepend_file = "+prepended()+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	plain, _ := serve(t)
	addr, log := serve(t)
	behind := harness.Start(t, fmt.Sprintf("http://$ADDR {\n%s\nroot %s\nrewrite * /app.php?{query}\nphp_fastcgi %s\n}", session, dir, addr))
	for _, steps := range brief {
		visit(t, behind).doesAs(visit(t, site(t, "", plain)), append(slices.Clone(steps), "show", "cookies")...)
	}
	if text, _ := os.ReadFile(log); strings.Contains(string(text), "caddy-session:") {
		t.Errorf("the log says:\n%s", text)
	}
}

// scripts copies the app to another folder.
func scripts(t *testing.T, to string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(folder(), "*.php"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(file)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Pages of one session at once make random changes, each in a lane of its own, at the top and
// deeper. Each finds what its former one has left, to the digit.
func TestRandomPagesOfOneSessionAtOnce(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t)
	prepended, log := serve(t, prepend())
	one, other := visit(t, site(t, "", plain)), visit(t, site(t, session, prepended))
	one.does("lanes")
	other.does("lanes")
	const lanes = 4
	var visitors sync.WaitGroup
	for lane := range lanes {
		visitors.Go(func() {
			for seed := 0; seed < *seeds; seed += lanes * 10 {
				step := fmt.Sprintf("random lane&lane=%c&seed=%d", 'a'+lane, seed+lane)
				_, want, _ := one.does(step)
				if status, got, _ := other.does(step); got != want {
					t.Errorf("before seed %d: %d\n%q, alone\n%q", seed+lane, status, got, want)
					return
				}
			}
		})
	}
	visitors.Wait()
	if text, _ := os.ReadFile(log); len(text) > 0 {
		t.Errorf("the log says:\n%s", text)
	}
}

// Paths that a matcher leaves out have PHP's own sessions, whose ids their clients send. A client's
// own header gives it no other session there.
func TestPathsWithPHPsOwnSessions(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend(), "session.use_strict_mode=0")
	v := visit(t, harness.Start(t, fmt.Sprintf("http://$ADDR {\n@app not path /rest/*\n%s\nhandle {\nroot %s\nrewrite * /app.php?{query}\nphp_fastcgi %s\n}\n}",
		strings.Replace(session, "session {", "session @app {", 1), folder(), addr)))
	v.does("nested")
	rest := v.in("rest")
	for i := range 3 {
		if _, body, _ := rest.does("id of the client&session=abcdefghij0123456789"); body != fmt.Sprint(i+1) {
			t.Errorf("call %d is call %s of its session", i+1, body)
		}
	}
	r, err := http.NewRequest(http.MethodGet, rest.base+"/?do=id+of+the+client&session=abcdefghij0123456789", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Session-Data", `{"calls":70}`)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if string(body) != "4" {
		t.Errorf("with a header of the client, call 4 is call %s", body)
	}
	if _, body, _ := v.does("show"); !strings.Contains(body, "deep") || strings.Contains(body, "calls") {
		t.Errorf("the session of the others is %s", body)
	}
}

// PHP's progress of uploads is no trouble as php.ini comes. Where PHP lets no script keep sessions
// with it, that is an error which says so.
func TestUploadProgress(t *testing.T) {
	t.Parallel()
	for _, settings := range [][]string{nil, {"session.upload_progress.enabled=1"}} {
		plain, _ := serve(t, settings...)
		addr, log := serve(t, append(settings, prepend())...)
		_, has, _ := visit(t, site(t, "", plain)).does("upload progress")
		v := visit(t, site(t, session, addr))
		status, _, _ := v.does("nested")
		_, body, _ := v.does("show")
		text, _ := os.ReadFile(log)
		said := strings.Contains(string(text), "caddy-session: Session ini settings cannot be changed at runtime when session.upload_progress.enabled is On")
		switch {
		case has == "on, fixed" && settings != nil:
			if status != http.StatusInternalServerError || !said {
				t.Errorf("%v: %d, and the log says:\n%s", settings, status, text)
			}
		case has != "on" && (has != "off" || settings != nil):
			t.Errorf("%v: alone, it is %s", settings, has)
		case status != http.StatusOK || said || !strings.Contains(body, "deep"):
			t.Errorf("%v: %d, the session is %s, and the log says:\n%s", settings, status, body, text)
		}
	}
}
