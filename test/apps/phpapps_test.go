package apps_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
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

// installMediaWiki makes Debian's MediaWiki ready, with SQLite.
func installMediaWiki(t *testing.T) phpApp {
	t.Helper()
	const program = "/usr/share/mediawiki"
	if _, err := os.Stat(program + "/index.php"); err != nil {
		harness.Missing(t, "mediawiki")
	}
	dir := t.TempDir()
	install := exec.Command(harness.Program(t, "php"), program+"/maintenance/install.php", "--dbtype", "sqlite", "--dbpath", dir, "--confpath", dir,
		"--server", "http://127.0.0.1", "--scriptpath", "", "--dbname", "my_wiki", "--skins", "Vector", "--pass", "Victims-1st-word", "Wiki", "Victim")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	settings := filepath.Join(dir, "LocalSettings.php")
	write(t, settings, string(read(t, settings))+"\n$wgServer = '//' . ($_SERVER['HTTP_HOST'] ?? 'localhost');\n$wgMainCacheType = CACHE_DB;\n")
	return phpApp{root: program, pool: []string{"env[MW_CONFIG_FILE] = " + settings, "env[TMPDIR] = " + dir}}
}

// installRoundcube makes Debian's Roundcube ready, with SQLite and an IMAP server. sessions is
// where it keeps its sessions: "db", as it does by itself, or "php".
func installRoundcube(t *testing.T, sessions string) phpApp {
	t.Helper()
	const program = "/var/lib/roundcube"
	if _, err := os.Stat(program + "/index.php"); err != nil {
		harness.Missing(t, "roundcube-core")
	}
	dir, imap := t.TempDir(), runDovecot(t)
	for _, name := range []string{"defaults.inc.php", "mimetypes.php"} {
		write(t, filepath.Join(dir, name), string(read(t, filepath.Join("/etc/roundcube", name))))
	}
	write(t, filepath.Join(dir, "config.inc.php"), fmt.Sprintf(`<?php
$config['db_dsnw'] = 'sqlite:///%[1]s/mail.db?mode=0600';
$config['imap_host'] = '%[2]s';
$config['des_key'] = 'a key with 24 bytes.....';
$config['plugins'] = [];
$config['session_storage'] = '%[3]s';
$config['log_dir'] = $config['temp_dir'] = '%[1]s';
`, dir, imap, sessions))
	return phpApp{root: program + "/public_html", pool: []string{"env[ROUNDCUBE_CONFIG_DIR] = " + dir}}
}

// installSymfony makes a small app of Debian's packages of Symfony ready.
func installSymfony(t *testing.T) phpApp {
	t.Helper()
	if _, err := os.Stat("/usr/share/php/Symfony/Bundle/SecurityBundle"); err != nil {
		harness.Missing(t, "php-symfony-security-bundle")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "index.php"), string(read(t, filepath.Join(folder("prepended"), "symfony.php"))))
	return phpApp{root: dir, pool: []string{"env[APP_DIR] = " + dir}}
}
