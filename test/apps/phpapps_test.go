package apps_test

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/sqltest"
)

// phpApp is an installed PHP app: its folder, lines for its pool, and what its php_fastcgi has.
type phpApp struct {
	root    string
	pool    []string
	options string
}

// start runs PHP for the app, with further lines for its pool. It returns the part of a Caddyfile
// that serves the app, and the file of what it logs.
func (a phpApp) start(t *testing.T, pool ...string) (handler, log string) {
	t.Helper()
	fpm := harness.StartFPM(t, append(pool, a.pool...)...)
	return "root " + a.root + "\nphp_fastcgi " + fpm.Addr + " {\n" + a.options + "\n}\nfile_server", fpm.Log
}

// installDokuWiki makes Debian's DokuWiki ready, with data of its own.
func installDokuWiki(t *testing.T) phpApp {
	t.Helper()
	const program, settings = "/usr/share/dokuwiki", "/etc/dokuwiki"
	if _, err := os.Stat(program + "/doku.php"); err != nil {
		harness.Missing(t, "dokuwiki")
	}
	dir := t.TempDir()
	for from, to := range map[string]string{program + "/.": dir + "/wiki", settings: dir + "/conf"} {
		// Its files are spread over the system, and only its own user can read some.
		_ = exec.Command("cp", "-rL", from, to).Run()
	}
	for name, text := range map[string]string{
		"conf/local.php":       "<?php $conf['useacl'] = 1; $conf['savedir'] = '" + dir + "/data';",
		"conf/acl.auth.php":    "*\t@ALL\t1\n*\t@user\t8\n",
		"conf/users.auth.php":  "victim:5f4dcc3b5aa765d61d8327deb882cf99:Victim:victim@example.org:user\n",
		"wiki/inc/preload.php": "<?php define('DOKU_CONF', '" + dir + "/conf/');",
	} {
		_ = os.Remove(filepath.Join(dir, name))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"pages", "attic", "media", "media_attic", "media_meta", "meta", "cache", "index", "locks", "tmp", "log"} {
		if err := os.MkdirAll(filepath.Join(dir, "data", name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return phpApp{root: dir + "/wiki"}
}

// installPHPMyAdmin makes Debian's phpMyAdmin ready for a database.
func installPHPMyAdmin(t *testing.T, db *sqltest.Server) phpApp {
	t.Helper()
	dir := copied(t, "/usr/share/phpmyadmin")
	host, port, _ := net.SplitHostPort(db.Addr())
	places := filepath.Join(dir, "libraries", "vendor_config.php")
	text, err := os.ReadFile(places)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		places: strings.NewReplacer("/var/lib/phpmyadmin/tmp/", dir+"/tmp/", "/etc/phpmyadmin/", dir+"/").Replace(string(text)),
		filepath.Join(dir, "config.inc.php"): "<?php $cfg['blowfish_secret'] = 'a key for tests with 32 bytes...';\n" +
			"$cfg['Servers'][1] = ['auth_type' => 'cookie', 'host' => '" + host + "', 'port' => '" + port + "'];\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return phpApp{root: dir}
}

// installAdminer makes Debian's Adminer ready.
func installAdminer(t *testing.T) phpApp {
	t.Helper()
	const adminer = "/etc/adminer"
	if _, err := os.Stat(adminer + "/conf.php"); err != nil {
		harness.Missing(t, "adminer")
	}
	return phpApp{root: adminer, pool: []string{"env[TMPDIR] = " + t.TempDir()}, options: "index conf.php"}
}

// installMediaWiki makes Debian's MediaWiki ready, with a wiki of its own.
func installMediaWiki(t *testing.T) phpApp {
	t.Helper()
	const program = "/usr/share/mediawiki"
	if _, err := os.Stat(program + "/index.php"); err != nil {
		harness.Missing(t, "mediawiki")
	}
	dir := t.TempDir()
	out, err := exec.Command(harness.Program(t, "php"), program+"/maintenance/install.php", "--confpath="+dir, "--dbtype=sqlite", "--dbpath="+dir,
		"--dbname=wiki", "--scriptpath=", "--server=http://localhost", "--skins=Vector", "--pass=a password for tests", "Tea", "Victim").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	settings, err := os.OpenFile(filepath.Join(dir, "LocalSettings.php"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = settings.Close() }()
	if _, err := settings.WriteString("\n$wgServer = 'http://' . ($_SERVER['HTTP_HOST'] ?? 'localhost');\n$wgCacheDirectory = '" + dir + "';\n"); err != nil {
		t.Fatal(err)
	}
	return phpApp{root: program, pool: []string{"env[MW_CONFIG_FILE] = " + settings.Name()}}
}

// installRoundcube makes Debian's Roundcube ready, with a mail server. It keeps its sessions in
// this way.
func installRoundcube(t *testing.T, sessions string) phpApp {
	t.Helper()
	const settings = "/etc/roundcube"
	if _, err := os.Stat(settings + "/defaults.inc.php"); err != nil {
		harness.Missing(t, "roundcube-core")
	}
	dir := t.TempDir()
	for _, name := range []string{"defaults.inc.php", "mimetypes.php"} {
		if err := os.Symlink(filepath.Join(settings, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	text := "<?php\n$config = ['db_dsnw' => 'sqlite:///" + dir + "/db?mode=0600', 'imap_host' => '" + startIMAP(t) + "', 'des_key' => 'a key of 24 bytes, as is.',\n" +
		"'session_storage' => '" + sessions + "', 'log_dir' => '" + dir + "', 'temp_dir' => '" + dir + "'];\n"
	if err := os.WriteFile(filepath.Join(dir, "config.inc.php"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return phpApp{root: "/var/lib/roundcube/public_html", pool: []string{"env[ROUNDCUBE_CONFIG_DIR] = " + dir}}
}

// startIMAP runs Dovecot, where "victim" has a message, and returns its address.
func startIMAP(t *testing.T) (addr string) {
	t.Helper()
	program := harness.Program(t, "dovecot", "/usr/sbin/dovecot")
	dir, err := os.MkdirTemp("", "imap") // only root may enter a test's folder
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	self, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	names := strings.NewReplacer("$DIR", dir, "$LOGIN", self.Username, "$DOVECOT", self.Username, "$USER", self.Uid, "$GROUP", self.Gid)
	if self.Uid == "0" { // which Dovecot refuses
		names = strings.NewReplacer("$DIR", dir, "$LOGIN", "dovenull", "$DOVECOT", "dovecot", "$USER", "nobody", "$GROUP", "nogroup")
	}
	message := filepath.Join(dir, "victim", "new", "1.tea")
	for _, name := range []string{"new", "cur", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, "victim", name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(message, []byte("From: ada@example.org\r\nTo: victim@example.org\r\nSubject: Tea\r\n\r\nEarl Grey at five.\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if self.Uid == "0" {
		if out, err := exec.Command("sh", "-c", "chmod 755 "+dir+" && chown -R nobody "+dir+"/victim").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	addr = harness.FreeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	config := filepath.Join(dir, "dovecot.conf")
	if err := os.WriteFile(config, []byte(names.Replace(strings.ReplaceAll(dovecotConfig, "$PORT", port))), 0o644); err != nil {
		t.Fatal(err)
	}
	harness.Serve(t, "dovecot", addr, exec.Command(program, "-F", "-c", config))
	return addr
}

const dovecotConfig = `
base_dir = $DIR/run
log_path = /dev/stderr
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_login_user = $LOGIN
default_internal_user = $DOVECOT
first_valid_uid = 0
mail_location = maildir:$DIR/%u
passdb {
	driver = static
	args = password=password
}
userdb {
	driver = static
	args = uid=$USER gid=$GROUP home=$DIR/%u
}
service imap-login {
	chroot =
	inet_listener imap {
		port = $PORT
	}
	inet_listener imaps {
		port = 0
	}
}
service anvil {
	chroot =
}
`

// installSymfony makes a small app of Debian's packages of Symfony ready.
func installSymfony(t *testing.T) phpApp {
	t.Helper()
	if _, err := os.Stat("/usr/share/php/Symfony/Bundle/SecurityBundle"); err != nil {
		harness.Missing(t, "php-symfony-security-bundle")
	}
	dir := t.TempDir()
	if out, err := exec.Command("cp", filepath.Join(folder("prepended"), "symfony.php"), filepath.Join(dir, "index.php")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return phpApp{root: dir, pool: []string{"env[APP_DIR] = " + dir}}
}
