// Package php_test runs PHP scripts that know nothing of a proxy, without it and behind it, where
// clients/php/session.php keeps their sessions.
package php_test

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/clients/php"
	"github.com/caddy-session/caddy-session/test/harness"
)

const key = "a key for PHP that nobody may see"

// serve runs PHP with these settings, and returns its address and the file of its log.
func serve(t *testing.T, settings ...string) (addr, log string) {
	t.Helper()
	addr, log = harness.FreeAddr(t), filepath.Join(t.TempDir(), "php.log")
	args := []string{"-b", addr, "-d", "session.save_path=" + t.TempDir(), "-d", "error_log=" + log, "-d", "log_errors=1", "-d", "display_errors=0",
		"-d", "output_buffering=4096", "-d", "session.use_strict_mode=1"}
	for _, setting := range settings {
		args = append(args, "-d", setting)
	}
	cmd := exec.Command(harness.Program(t, "php-cgi"), args...)
	cmd.Env = append(os.Environ(), "PHP_FCGI_CHILDREN=4", "PHP_FCGI_MAX_REQUESTS=0", "CADDY_SESSION_KEY="+key)
	harness.Serve(t, "php-cgi", addr, cmd)
	return addr, log
}

func folder() string { return filepath.Join(harness.Root(), "test", "php") }

// site runs a Caddy in front of PHP.
func site(t *testing.T, session, addr string) *harness.Caddy {
	t.Helper()
	return harness.Start(t, caddyfile(session, addr))
}

func caddyfile(session, addr string) string {
	return fmt.Sprintf("http://$ADDR {\n%s\nroot %s\nrewrite * /app.php?{query}\nphp_fastcgi %s\n}", session, folder(), addr)
}

const session = "session {\n store memory\n store_timeout 30s\n max_size 60000\n }"

func prepended() string { return filepath.Join(harness.Root(), "clients", "php", "session.php") }

func prepend() string { return "auto_prepend_file=" + prepended() }

// visitor is a browser.
type visitor struct {
	t      *testing.T
	client *http.Client
	base   string
}

func visit(t *testing.T, c *harness.Caddy) visitor { return visitor{t, harness.Client(t), c.URL} }

// does asks for a page, and returns its status and body.
func (v visitor) does(what string) (status int, body string, header http.Header) {
	v.t.Helper()
	what, parameters, _ := strings.Cut(what, "&")
	resp, err := v.client.Get(v.base + "/?do=" + url.QueryEscape(what) + "&" + parameters)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// doesAs asks for pages, and compares them with those that another browser gets without the proxy.
func (v visitor) doesAs(alone visitor, steps ...string) {
	v.t.Helper()
	for _, step := range steps {
		wantStatus, want, _ := alone.does(step)
		status, got, header := v.does(step)
		if got != want || status != wantStatus {
			v.t.Errorf("%v, %s: %d, %.2000q, alone %d, %.2000q", steps, step, status, got, wantStatus, want)
		}
		for _, line := range header["Set-Cookie"] {
			if strings.HasPrefix(line, "PHPSESSID") || strings.HasPrefix(line, "OTHER") {
				v.t.Errorf("%v, %s: the browser gets PHP's cookie: %s", steps, step, line)
			}
		}
	}
}

// scenarios are the ways in which a script uses its session: the pages that a visitor asks for.
var scenarios = map[string][]string{
	"types": {"types"}, "types, touched again": {"types", "nested", "types"}, "objects": {"objects", "buy", "buy"},
	"references": {"references", "use references"}, "nested": {"nested", "nested&value=y&key=a.b", "remove"},
	"order": {"order", "order", "order"}, "removed": {"types", "objects", "nested", "remove"}, "many": {"many", "nested"},
	"exit": {"exit"}, "redirect": {"redirect"}, "exception": {"exception"}, "fatal error": {"fatal"}, "time limit": {"time limit"}, "memory limit": {"memory limit"}, "one large block": {"nested", "one large block"},
	"objects that encode themselves in place": {"sleeper", "sleeper", "sleeper"}, "the same, with a page": {"sleeper&page=x", "sleeper&page=x"},
	"closed": {"close"}, "opened again": {"reopen"}, "read and closed": {"nested", "read and close"}, "aborted": {"nested", "abort"},
	"reset": {"nested", "reset"}, "unset": {"nested", "unset"}, "shutdown function": {"shutdown"}, "destructor": {"destructor"},
	"output callback": {"output callback"}, "own header callback": {"own header callback"}, "header_remove": {"nested", "no headers"},
	"large page": {"large page"}, "buffers": {"nested", "buffers"}, "early flush": {"early flush"}, "regenerated": {"nested", "regenerate", "nested"},
	"regenerated, the old one deleted": {"nested", "regenerate&delete=1", "nested&value=z"}, "the manual's pattern": {"nested", "manual", "nested"},
	"destroyed": {"nested", "destroy"}, "destroyed and started": {"nested", "destroy and start"}, "another name": {"nested", "another name", "another name"},
	"another name is destroyed": {"nested", "another name", "destroy another name", "another name"}, "two names": {"two names", "two names"},
	"encoded": {"types", "encode"}, "null": {"nested", "null"}, "exclamation marks": {"exclamation marks", "nested", "exclamation marks"}, "flush alone": {"flush alone"}, "flush while encoding": {"flush while encoding"}, "own header callback, closed": {"nested", "callback and close"}, "cookies": {"cookies", "cookies"}, "own cookies": {"own cookies"}, "no session": {"nothing"},
}

// odd are what few scripts do.
var odd = map[string][]string{
	"a string": {"nested", "no array&which=0"}, "a number": {"no array&which=1", "nested"}, "an object": {"nested", "no array&which=2"}, "false": {"nested", "no array&which=3"},
	"recursion":                 {"recursion", "nested", "recursion"},
	"another name for the same": {"another name for the same", "the same by another name", "another name for the same"},
	"through a reference":       {"nested", "through a reference", "nested&value=z"}, "handler after start": {"nested", "handler after start"},
	"generator": {"nested", "generator", "generator"}, "callback in parts": {"nested", "callback that closes"}, "large": {"large&of=x&size=50000", "nested"}, "large, of bytes": {"large&of=%ff&size=40000", "nested"}, "own names": {"own names", "own names", "nested"},
	"no variable": {"nested", "no variable"}, "no variable, with a page": {"nested", "no variable&page=x"}, "classes when needed": {"objects", "show&autoload=1", "buy&autoload=1", "show"},
	"objects and maps": {"objects and maps", "objects and maps"},
	"nested deep":      {"nested deep", "nested deep, changed", "nested"}, "closed, and destroyed": {"nested", "closed, and destroyed"},
}

// brief are those that apps use most.
var brief = map[string][]string{
	"regenerated": {"nested", "regenerate", "nested&value=z"}, "destroyed and started": {"nested", "destroy and start"}, "destroyed": {"nested", "destroy"},
	"references": {"references", "use references"}, "exit": {"exit"}, "redirect": {"redirect"}, "sleeper": {"sleeper", "sleeper&page=x"},
	"a page with much noise": {"noise"}, "flush alone": {"flush alone"},
}

// Every way in which a script uses its session leaves the same behind as with PHP's own store.
func TestSessionsOfScripts(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t)
	prepended, log := serve(t, prepend())
	alone, behind := site(t, "", plain), site(t, session, prepended)
	all := maps.Clone(scenarios)
	maps.Copy(all, odd)
	for name, steps := range all {
		t.Run(name, func(t *testing.T) {
			visit(t, behind).doesAs(visit(t, alone), append(slices.Clone(steps), "show", "show", "cookies")...)
		})
	}
	if text, _ := os.ReadFile(log); strings.Contains(string(text), "caddy-session:") {
		t.Errorf("the log says:\n%s", text)
	}
}

// The ways that apps use most work with whatever php.ini says.
func TestSessionsWithSettings(t *testing.T) {
	t.Parallel()
	for _, settings := range [][]string{
		{"session.auto_start=1"}, {"session.use_strict_mode=0"}, {"session.serialize_handler=php_serialize"}, {"output_buffering=0"}, {"disable_functions=putenv"},
		{"disable_functions=ini_set", "session.use_strict_mode=0"},
		{"zlib.output_compression=1"}, {"zlib.output_compression=1", "output_buffering=0"}, {"output_handler=ob_gzhandler"},
	} {
		t.Run(strings.Join(settings, ","), func(t *testing.T) {
			t.Parallel()
			plain, _ := serve(t, settings...)
			prepended, log := serve(t, append(settings, prepend())...)
			alone, behind := site(t, "", plain), site(t, session, prepended)
			for _, steps := range brief {
				v := visit(t, behind)
				site, _ := url.Parse(behind.URL)
				v.client.Jar.SetCookies(site, []*http.Cookie{{Name: "PHPSESSID", Value: "0123456789abcdef0123456789"}}) // of the time before
				v.doesAs(visit(t, alone), append(slices.Clone(steps), "show", "show")...)
			}
			if text, _ := os.ReadFile(log); strings.Contains(string(text), "caddy-session:") {
				t.Errorf("the log says:\n%s", text)
			}
		})
	}
}

// Apps with a store of their own keep it, and their cookie, beside sessions that the proxy keeps.
func TestOwnHandler(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend())
	v := visit(t, site(t, session, addr))
	v.does("nested")
	_, before, _ := v.does("show")
	for i := range 3 {
		if _, body, _ := v.does("own handler"); body != fmt.Sprintf(`a:1:{s:3:"own";i:%d;}`, i+1) {
			t.Errorf("the app has %s", body)
		}
		if _, body, _ := v.does("show"); body != before {
			t.Errorf("the session is %s, before %s", body, before)
		}
	}
	v.does("login of an own handler")
	if _, body, _ := v.does("own handler"); !strings.Contains(body, `"zoe"`) {
		t.Errorf("after the login the app has %s", body)
	}
}

// Apps that give PHP six functions for a store of their own are asked to write by each page, and
// have no part in the proxy's session.
func TestOwnFunctions(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t)
	addr, _ := serve(t, prepend())
	alone, v := visit(t, site(t, "", plain)), visit(t, site(t, session, addr))
	same := func(steps ...string) {
		t.Helper()
		for _, step := range steps {
			_, want, _ := alone.does(step)
			_, got, header := v.does(step)
			if got != want || strings.Contains(strings.Join(header["Set-Cookie"], "\n"), "caddy_session") {
				t.Errorf("%s: %s, %v, alone %s", step, got, header["Set-Cookie"], want)
			}
		}
	}
	same("own functions", "own functions", "own functions&regenerate=1", "own functions")
	v.does("nested")
	_, before, _ := v.does("show")
	same("own functions", "own functions&regenerate=1", "own functions")
	if _, body, _ := v.does("show"); body != before {
		t.Errorf("the session is %s, before %s", body, before)
	}
}

// What is printed when objects are encoded does not tear the headers apart.
func TestNoisyObjects(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend())
	v := visit(t, site(t, session, addr))
	for _, step := range []string{"noisy", "noisy&flush=1"} {
		if status, body, _ := v.does(step); status != http.StatusOK || !strings.Contains(body, "page") || strings.Contains(body, "X-Session") {
			t.Errorf("%s: %d, %s", step, status, body)
		}
	}
}

// A warning that is the first output, while PHP encodes the session, leaves the session as it is.
func TestWarningWhileTheSessionIsEncoded(t *testing.T) {
	t.Parallel()
	data := regexp.MustCompile(`(?m)^a:.*`) // the warnings of show stand around it
	for _, serializer := range []string{"php", "php_serialize"} {
		settings := []string{"display_errors=1", "html_errors=0", "session.serialize_handler=" + serializer}
		plain, _ := serve(t, settings...)
		addr, log := serve(t, append(settings, prepend())...)
		alone, v := visit(t, site(t, "", plain)), visit(t, site(t, session, addr))
		_, want, _ := alone.does("warned")
		if _, got, _ := v.does("warned"); !strings.Contains(got, "another") || got != want {
			t.Errorf("%s: the page is %q, alone %q", serializer, got, want)
		}
		for range 2 {
			_, want, _ := alone.does("show")
			if _, got, _ := v.does("show"); data.FindString(got) == "" || data.FindString(got) != data.FindString(want) {
				t.Errorf("%s: the session is %s, alone %s", serializer, got, want)
			}
		}
		if text, _ := os.ReadFile(log); strings.Contains(string(text), "caddy-session:") {
			t.Errorf("%s: the log says:\n%s", serializer, text)
		}
		// PHP is just encoding this list, and does not do so twice at once.
		v.does("warned&deep=1")
		if _, body, _ := v.does("show"); !strings.Contains(body, `s:4:"deep";s:7:"not yet"`) || !strings.Contains(body, `s:5:"carts"`) {
			t.Errorf("%s: the session is %s", serializer, body)
		}
		if text, _ := os.ReadFile(log); !strings.Contains(string(text), "came after the headers") {
			t.Errorf("%s: the log says:\n%s", serializer, text)
		}
	}
}

// A user whose data name a class get no object of it.
func TestAttackNameOfAnIncompleteClass(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend())
	v := visit(t, site(t, session, addr))
	v.does("hostile")
	for range 2 {
		if _, body, _ := v.does("show"); !strings.Contains(body, `O:8:"stdClass"`) || strings.Contains(body, `O:5:"Saver"`) || strings.Contains(body, "destructor") {
			t.Errorf("the session is %s", body)
		}
	}
}

// What a script does not touch stays as another backend has written it, also what PHP writes in
// another way, or has no word for.
func TestDataOfOtherBackends(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend())
	const data = `"t":{"m":{"0":{"o":{}}%s},"a":{},"n":{"0":"x"},"\u0000k":1,"v":"\u0000\"\u0000x","big":12345678901234567890,"b":`
	backend := harness.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("write") {
			w.Header().Set("X-Session-Update", "{"+fmt.Sprintf(data, "")+"1}}")
		}
		_, _ = io.WriteString(w, r.Header.Get("X-Session-Data"))
	})
	c := harness.Start(t, planting(session, backend, addr))
	v := visit(t, c)
	visitOther := func(query string) string {
		resp, err := v.client.Get(c.URL + "/plant" + query)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	visitOther("?write")
	if status, body, _ := v.does("touch"); status != http.StatusOK {
		t.Errorf("%d, %s", status, body)
	}
	if got := visitOther(""); !strings.Contains(got, fmt.Sprintf(data, `,"x":1`)+`2,"copy":"\u0000\"\u0000x"}`) {
		t.Errorf("the data are %s", got)
	}
}

// A session that an app destroys under a name of its own ends, if there is nothing else in it.
func TestDestroyUnderAnotherName(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend())
	v := visit(t, site(t, session, addr))
	v.does("another name")
	if _, _, header := v.does("destroy another name"); !strings.Contains(strings.Join(header["Set-Cookie"], "\n"), "Max-Age=0") {
		t.Errorf("the cookies are %v", header["Set-Cookie"])
	}
}

// Random sessions are the same after each request, to the digit, the byte and the order.
func TestRandomSessions(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t)
	prepended, log := serve(t, prepend())
	alone, behind := site(t, "", plain), site(t, session, prepended)
	// Each page changes as many sessions, as a request is what takes time.
	const sessions, pages = 8, 25
	var visitors sync.WaitGroup
	for first := 0; first < *seeds; first += sessions * pages {
		visitors.Go(func() {
			one, other := visit(t, alone), visit(t, behind)
			for seed := first; seed < first+sessions*pages; seed += sessions {
				step := fmt.Sprintf("random sessions&sessions=%d&seed=%d", sessions, seed)
				_, want, _ := one.does(step)
				if status, got, _ := other.does(step); got != want {
					t.Errorf("before seed %d: %d\n%q, alone\n%q", seed, status, got, want)
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

var seeds = flag.Int("seeds", 4000, "how many random changes of PHP sessions are made")

// Requests at once keep what each has put into the session, at the top and deeper, also in arrays
// that they all make, behind objects.
func TestPagesAtOnce(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t)
	prepended, _ := serve(t, prepend())
	for name, c := range map[string]*harness.Caddy{"alone": site(t, "", plain), "behind": site(t, session, prepended)} {
		v := visit(t, c)
		v.does("nested")
		var pages sync.WaitGroup
		for i := range 20 {
			pages.Go(func() { v.does(fmt.Sprintf("slow&key=page%d", i)) })
		}
		pages.Wait()
		_, body, _ := v.does("show")
		for i := range 20 {
			if n := strings.Count(body, fmt.Sprintf(`"page%d"`, i)); n != 3 {
				t.Errorf("%s: page%d is %d times in %s", name, i, n, body)
			}
		}
	}
}

// With serialize_requests, scripts that count on PHP's lock lose nothing: a counter, a list.
func TestPagesOneAfterTheOther(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t)
	prepended, _ := serve(t, prepend())
	serialized := strings.Replace(session, "store memory", "store memory\n serialize_requests on", 1)
	for name, c := range map[string]*harness.Caddy{"alone": site(t, "", plain), "behind": site(t, serialized, prepended)} {
		v := visit(t, c)
		v.does("nested")
		var pages sync.WaitGroup
		for range 10 {
			pages.Go(func() { v.does("count") })
		}
		pages.Wait()
		if _, body, _ := v.does("show"); !strings.Contains(body, `s:1:"n";i:10;s:4:"list";a:10:{i:0;i:0;i:1;i:1;`) {
			t.Errorf("%s: the session is %s", name, body)
		}
	}
}

// The command prints the file.
func TestPHPHandlerCommand(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(harness.Binary(t), "session", "php-handler").Output()
	if err != nil || string(out) != php.Session {
		t.Errorf("%v, %.100s", err, out)
	}
}

// What cannot be kept is said in the log.
func TestWhatIsNotKept(t *testing.T) {
	t.Parallel()
	addr, log := serve(t, prepend())
	v := visit(t, site(t, session, addr))
	v.does("nested")
	_, before, _ := v.does("show")
	for step, says := range map[string]string{
		"late, exit":        "came after the headers",
		"closure":           "PHP cannot encode it: Exception",
		"generator is kept": "PHP cannot encode it: Exception",
		"shared id":         "whose id the script has chosen",
		"odd names":         "a key of $_SESSION is not kept",
	} {
		if err := os.Truncate(log, 0); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		v.does(step)
		if _, got, _ := v.does("show"); got != before {
			t.Errorf("%s: %s, before %s", step, got, before)
		}
		if text, _ := os.ReadFile(log); !strings.Contains(string(text), says) || strings.Contains(string(text), "in "+prepended()) {
			t.Errorf("%s: the log says:\n%s", step, text)
		}
	}
}

// A page that shows the whole environment has no key.
func TestAttackDumpShowsTheKey(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend())
	plain, _ := serve(t)
	const other = "a key that Caddy hands on"
	if _, body, _ := visit(t, site(t, session, plain+" {\nenv CADDY_SESSION_KEY \""+other+"\"\n}")).does("dump"); !strings.Contains(body, key) || !strings.Contains(body, other) {
		t.Error("the page does not show all")
	}
	for name, addr := range map[string]string{
		"of the process": addr, "of the request": addr + " {\nenv CADDY_SESSION_KEY \"" + other + "\"\n}",
		"the former one": addr + " {\nenv CADDY_SESSION_OLD_KEY \"" + other + "\"\n}",
	} {
		v := visit(t, site(t, session, addr))
		_, body, _ := v.does("dump")
		if at := strings.Index(body, other); !strings.Contains(body, "HTTP_X_SESSION_DATA") || strings.Contains(body, key) || at >= 0 {
			t.Errorf("%s: %d bytes, with a key: %t, %.300q", name, len(body), strings.Contains(body, key), body[max(at-200, 0):])
		}
		v.does("objects")
		if _, body, _ := v.does("show"); !strings.Contains(body, `O:4:"Cart"`) {
			t.Errorf("%s: the session is %s", name, body)
		}
	}
}

// planting is a site with PHP, and with another backend at /plant.
func planting(session, backend, addr string) string {
	return fmt.Sprintf("http://$ADDR {\n%s\nhandle /plant {\nreverse_proxy %s\n}\nhandle {\nroot %s\nrewrite * /app.php?{query}\nphp_fastcgi %s\n}\n}", session, backend, folder(), addr)
}

// Data of another backend make PHP no object, whatever they say.
func TestAttackForgedMarker(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend())
	const marker = `{" p":"AAAAAAAAAAAAAAAAAAAAAA.Tzo0OiJDYXJ0IjowOnt9"}`
	backend := harness.Backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Session-Update", `{"cart":`+marker+`}`)
	})
	c := harness.Start(t, planting(session, backend, addr))
	v := visit(t, c)
	resp, err := v.client.Get(c.URL + "/plant")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for range 2 {
		v.does("nested")
		if _, body, _ := v.does("show"); !strings.Contains(body, `s:4:"cart";a:1:{s:2:" p"`) {
			t.Errorf("the session is %s", body)
		}
	}
}

// A session that FastCGI cuts is an error, and never an empty session.
func TestAttackCutSession(t *testing.T) {
	t.Parallel()
	addr, log := serve(t, prepend())
	backend := harness.Backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Session-Update", `{"large":"`+strings.Repeat("x", 70000)+`"}`)
	})
	c := harness.Start(t, planting(strings.Replace(session, "60000", "100000", 1), backend, addr))
	v := visit(t, c)
	resp, err := v.client.Get(c.URL + "/plant")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if status, body, _ := v.does("show"); status != http.StatusInternalServerError || strings.Contains(body, "a:0") {
		t.Errorf("%d, %s", status, body)
	}
	if text, _ := os.ReadFile(log); !regexp.MustCompile(`X-Session-Data is not whole: \d+ bytes arrived; lower max_size`).Match(text) {
		t.Errorf("the log says:\n%s", text)
	}
}

// Without the proxy the file changes nothing.
func TestWithoutTheProxy(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend())
	v := visit(t, site(t, "", addr))
	v.does("objects")
	if _, body, _ := v.does("show"); !strings.Contains(body, `O:4:"Cart"`) {
		t.Errorf("the session is %s", body)
	}
}
