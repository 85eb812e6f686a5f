package apps_test

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

func runMediaWiki(t *testing.T) string {
	t.Helper()
	handler, _ := installMediaWiki(t).start(t)
	return handler
}

func runRoundcube(t *testing.T) string {
	t.Helper()
	handler, _ := installRoundcube(t, "db").start(t)
	return handler
}

// runDovecot runs an IMAP server for users with the password "password". "victim" has a message.
func runDovecot(t *testing.T) (addr string) {
	t.Helper()
	dovecot, dir := harness.Program(t, "dovecot", "/usr/sbin/dovecot"), t.TempDir()
	addr = harness.FreeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	who := []string{"%INTERNAL%", me.Username, "%GROUP%", group.Name, "%LOGIN%", me.Username, "%MAIL%", me.Username, "%MAILGROUP%", group.Name}
	if me.Uid == "0" { // whom Dovecot does not let do this
		who = []string{"%INTERNAL%", "dovecot", "%GROUP%", "dovecot", "%LOGIN%", "dovenull", "%MAIL%", "nobody", "%MAILGROUP%", "nogroup"}
	}
	box := filepath.Join(dir, "mail", "victim")
	for _, open := range []string{dir, filepath.Dir(dir), filepath.Dir(box), box, box + "/cur", box + "/new", box + "/tmp"} {
		_ = os.Mkdir(open, 0o700)
		if err := os.Chmod(open, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	message := filepath.Join(box, "new", "1.tea")
	write(t, message, "From: ada@example.org\r\nTo: victim@example.org\r\nSubject: Tea\r\n\r\nEarl Grey at five.\r\n")
	if err := os.Chmod(message, 0o644); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(append(who, "%DIR%", dir, "%PORT%", port, "%%u", "%u")...).Replace(string(read(t, filepath.Join(folder("recipes"), "dovecot.conf"))))
	write(t, filepath.Join(dir, "dovecot.conf"), text)
	harness.Serve(t, "dovecot", addr, exec.Command(dovecot, "-F", "-c", filepath.Join(dir, "dovecot.conf")))
	return addr
}

// runTomcat runs Debian's Tomcat with its example apps.
func runTomcat(t *testing.T) string {
	t.Helper()
	const program = "/usr/share/tomcat10"
	for _, needed := range []string{program + "/bin/bootstrap.jar", "/usr/share/tomcat10-examples/examples/index.html"} {
		if _, err := os.Stat(needed); err != nil {
			harness.Missing(t, "tomcat10-examples")
		}
	}
	java, dir, addr := harness.Program(t, "java"), t.TempDir(), harness.FreeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	for _, name := range []string{"conf", "logs", "temp", "webapps", "work"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "conf/server.xml"), strings.ReplaceAll(string(read(t, filepath.Join(folder("recipes"), "server.xml"))), "%PORT%", port))
	write(t, filepath.Join(dir, "conf/users.xml"), `<tomcat-users><user username="victim" password="password" roles="tomcat" /></tomcat-users>`)
	write(t, filepath.Join(dir, "conf/catalina.properties"), string(read(t, filepath.Join(program, "etc/catalina.properties"))))
	// The page has what replaces this element of Tomcat's web.xml.
	settings := regexp.MustCompile(`(?s)<session-config>.*?</session-config>\n`)
	web, ours := string(read(t, filepath.Join(program, "etc/web.xml"))), settings.FindString(docs.Named(t, "docs/recipes/tomcat.md"))
	if ours == "" || !settings.MatchString(web) {
		t.Fatal("no session-config")
	}
	write(t, filepath.Join(dir, "conf/web.xml"), settings.ReplaceAllLiteralString(web, ours))
	cmd := exec.Command(java, "-cp", program+"/bin/bootstrap.jar:"+program+"/bin/tomcat-juli.jar", "-Dcatalina.home="+program, "-Dcatalina.base="+dir,
		"-Djava.io.tmpdir="+dir+"/temp", "org.apache.catalina.startup.Bootstrap", "start")
	harness.Serve(t, "tomcat", addr, cmd)
	return "reverse_proxy " + addr
}

// runChangeDetection runs changedetection.io, if its command is in SESSION_TEST_CHANGEDETECTION: it
// comes with 700 MB of libraries.
func runChangeDetection(t *testing.T) string {
	t.Helper()
	command := os.Getenv("SESSION_TEST_CHANGEDETECTION")
	if command == "" {
		t.Skip("SESSION_TEST_CHANGEDETECTION is not set")
	}
	addr := harness.FreeAddr(t)
	host, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(command, "-d", t.TempDir(), "-C", "-h", host, "-p", port)
	cmd.Env = append(os.Environ(), "SALTED_PASS="+saltedPassword)
	harness.Serve(t, "changedetection.io", addr, cmd)
	return "reverse_proxy " + addr
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
