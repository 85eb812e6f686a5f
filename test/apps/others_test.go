package apps_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/sqltest"
)

// app is an app of test/apps/others: how to start it, how the user "victim" logs in, and how to
// find out who is logged in.
type app struct {
	name  string
	start func(t *testing.T) (handler string)
	login func(v visitor)
	user  func(v visitor) string
}

var loginApps = []app{
	{
		name: "WordPress", start: startWordPress,
		login: func(v visitor) {
			v.get("/wp-login.php")
			v.form("/wp-login.php", "log", "victim", "pwd", "password", "testcookie", "1", "redirect_to", "/")
		},
		user: func(v visitor) string { return found(v.get("/"), `<p id="user">(victim)</p>`) },
	},
	{
		name: "DokuWiki", start: startDokuWiki,
		login: func(v visitor) { v.form("/doku.php?id=start", "do", "login", "u", "victim", "p", "password") },
		user: func(v visitor) string {
			return strings.ToLower(found(v.get("/doku.php?id=start"), `<bdi>(Victim)</bdi>`))
		},
	},
	{
		name: "Django's admin", start: startDjango,
		login: func(v visitor) {
			token := found(v.get("/admin/login/"), `name="csrfmiddlewaretoken" value="(\w+)"`)
			v.form("/admin/login/?next=/admin/", "username", "victim", "password", "secret", "csrfmiddlewaretoken", token)
		},
		user: func(v visitor) string {
			_, body := v.status("/admin/")
			return found(body, `<strong>(victim)</strong>`)
		},
	},
	{
		name: "express-session", start: startExpress,
		login: func(v visitor) { v.form("/login", "user", "victim") },
		user:  func(v visitor) string { return v.get("/") },
	},
	{
		name: "express-session, without a redirect", start: startExpress,
		login: func(v visitor) { v.form("/api/login", "user", "victim") },
		user:  func(v visitor) string { return v.get("/") },
	},
	{
		name: "Rails", start: startRails,
		login: func(v visitor) {
			v.form("/login", "user", "victim", "authenticity_token", found(v.get("/"), `token=(\S+)`))
		},
		user: func(v visitor) string { return found(v.get("/"), `user=(victim)`) },
	},
	{
		name: "Laravel", start: startLaravel,
		login: func(v visitor) { v.form("/login", "user", "victim") },
		user:  func(v visitor) string { return v.get("/") },
	},
	{
		name: "phpMyAdmin", start: startPHPMyAdmin,
		login: func(v visitor) {
			page := v.get("/index.php")
			v.form("/index.php?route=/", "pma_username", sqltest.User, "pma_password", sqltest.Password, "server", "1",
				"token", found(page, `name="token" value="([^"]+)"`), "set_session", found(page, `name="set_session" value="([^"]+)"`))
		},
		user: func(v visitor) string {
			if found(v.get("/index.php?route=/"), `(route=/logout)`) == "nobody" {
				return "nobody"
			}
			return "victim"
		},
	},
}

// found returns the submatch of a pattern, or "nobody" if there is no match.
func found(text, pattern string) string {
	if m := regexp.MustCompile(pattern).FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return "nobody"
}

// form submits a form and fails the test if it is refused. It does not follow the redirect.
func (v visitor) form(path string, pairs ...string) {
	v.t.Helper()
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	resp, err := v.client.PostForm(v.url+path, values)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		v.t.Fatalf("%s: %s", path, resp.Status)
	}
}

// A page unknown to the app sets a cookie before the login. It gives an attacker a session, which
// they plant.
const planting = `
	handle /lang {
		header Set-Cookie "lang=en; Path=/"
		respond "en"
	}
	handle {
		%s
	}
}
`

// Apps that keep their login in cookies of their own, which are in the vault.
func TestVaultedApps(t *testing.T) {
	for _, app := range loginApps {
		t.Run(app.name, func(t *testing.T) {
			handler := app.start(t)
			t.Run("attack: planted id", func(t *testing.T) { attackPlantedID(t, app, handler) })
			t.Run("lost answers", func(t *testing.T) { loseAnswers(t, app, handler) })
		})
	}
}

// attackPlantedID checks that the cookie that an app sets at the login does not get into a session
// that an attacker has planted.
func attackPlantedID(t *testing.T, app app, handler string) {
	alone := newVisitor(t, harness.Start(t, "http://$ADDR {"+fmt.Sprintf(planting, handler)).URL)
	if user := app.user(alone); user != "nobody" {
		t.Fatalf("without a login, %s is logged in", user)
	}
	app.login(alone)
	if user := app.user(alone); user != "victim" {
		t.Fatalf("without the proxy, %s is logged in", user)
	}

	proxied := harness.Start(t, "http://$ADDR {\n\tsession {\n\t\tstore memory\n\t\tvault *\n\t}"+fmt.Sprintf(planting, handler)).URL
	attacker, victim := newVisitor(t, proxied), newVisitor(t, proxied)
	attacker.get("/lang")
	app.user(attacker)
	site, _ := url.Parse(proxied)
	planted := attacker.client.Jar.Cookies(site)
	victim.client.Jar.SetCookies(site, planted)
	if user := app.user(victim); user != "nobody" {
		t.Fatalf("before the login, %s is logged in", user)
	}
	app.login(victim)
	// Before the victim's browser has used the new id, and after.
	for range 2 {
		if user := app.user(attacker); user != "nobody" {
			t.Errorf("the attacker is logged in as %s", user)
		}
		if user := app.user(victim); user != "victim" {
			t.Errorf("%s is logged in", user)
		}
	}
	for _, c := range victim.client.Jar.Cookies(site) {
		if !strings.HasPrefix(c.Name, "caddy_session") || c.Value == planted[0].Value {
			t.Errorf("the victim has the cookie %s; planted: %v", c.Name, c.Value == planted[0].Value)
		}
	}
}

// startWordPress runs Debian's WordPress with a database of its own. Its theme shows who is logged
// in.
func startWordPress(t *testing.T) string {
	t.Helper()
	db, php, addr, dir := sqltest.StartMariaDB(t), harness.Program(t, "php-cgi"), harness.FreeAddr(t), copied(t, "/usr/share/wordpress")
	for from, to := range map[string]string{"wp-config.php": "wp-config.php", "theme": "wp-content/themes/theme"} {
		_ = os.Remove(filepath.Join(dir, to))
		if out, err := exec.Command("cp", "-r", filepath.Join(folder("others"), "wordpress", from), filepath.Join(dir, to)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	env := append(os.Environ(), "DB_NAME="+sqltest.Database, "DB_USER="+sqltest.User, "DB_PASSWORD="+sqltest.Password, "DB_HOST="+db.Addr())
	install := exec.Command(harness.Program(t, "php"), filepath.Join(folder("others"), "wordpress", "install.php"), dir)
	install.Env = env
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(php, "-b", addr)
	cmd.Env = append(env, "PHP_FCGI_CHILDREN=2", "PHP_FCGI_MAX_REQUESTS=0")
	harness.Serve(t, "php-cgi", addr, cmd)
	return "root " + dir + "\nphp_fastcgi " + addr
}

// copied returns a folder with a program of Debian's, whose files are spread over the system.
func copied(t *testing.T, program string) (dir string) {
	t.Helper()
	if _, err := os.Stat(program); err != nil {
		harness.Missing(t, filepath.Base(program))
	}
	dir = t.TempDir()
	if out, err := exec.Command("cp", "-rL", program+"/.", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

func startPHPMyAdmin(t *testing.T) string {
	t.Helper()
	handler, _ := installPHPMyAdmin(t, sqltest.StartMariaDB(t)).start(t)
	return handler
}

func startRails(t *testing.T) string {
	t.Helper()
	puma, addr := harness.Program(t, "puma"), harness.FreeAddr(t)
	serve(t, "others", addr, exec.Command(puma, "--bind", "tcp://"+addr, "--environment", "production", "--threads", "1:4", "rails.ru"))
	return "reverse_proxy " + addr
}

// startLaravel runs an app of Debian's packages of Laravel.
func startLaravel(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("/usr/share/php/Illuminate"); err != nil {
		harness.Missing(t, "php-laravel-framework")
	}
	php, addr := harness.Program(t, "php-cgi"), harness.FreeAddr(t)
	serve(t, "others", addr, exec.Command(php, "-b", addr))
	return "root " + folder("others") + "\nrewrite * /laravel.php\nphp_fastcgi " + addr
}

func startDokuWiki(t *testing.T) string {
	t.Helper()
	handler, _ := installDokuWiki(t).start(t)
	return handler
}

func startDjango(t *testing.T) string {
	t.Helper()
	python, addr := harness.Environment(t, "others"), harness.FreeAddr(t)
	cmd := exec.Command(python, "-m", "gunicorn", "--bind", addr, "--threads", "4", "--timeout", "120", "admin")
	cmd.Env = append(os.Environ(), "DIR="+t.TempDir())
	serve(t, "others", addr, cmd)
	return "reverse_proxy " + addr
}

func startExpress(t *testing.T) string {
	t.Helper()
	node, addr := harness.Node(t), harness.FreeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(node, "express.js")
	cmd.Env = append(os.Environ(), "PORT="+port)
	serve(t, "others", addr, cmd)
	return "reverse_proxy " + addr
}
