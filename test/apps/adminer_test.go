package apps_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/sqltest"
)

// Debian's Adminer on a real database, with its cookies in the vault.
func TestAdminer(t *testing.T) {
	const adminer = "/etc/adminer"
	if _, err := os.Stat(adminer + "/conf.php"); err != nil {
		harness.Missing(t, "adminer")
	}
	php, addr, dir := harness.Program(t, "php-cgi"), harness.FreeAddr(t), t.TempDir()
	db := sqltest.StartMariaDB(t)
	cmd := exec.Command(php, "-b", addr, "-d", "session.save_path="+dir)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "PHP_FCGI_MAX_REQUESTS=0")
	harness.Serve(t, "php-cgi", addr, cmd)
	caddy := harness.Start(t, recipe(t, "adminer",
		"{$SITE:adminer.example.org}\n", "http://$ADDR {\n", "{$ADMINER:/etc/adminer}", adminer,
		"{$PHP:unix//run/php/php-fpm.sock} {\n\tindex conf.php\n}", addr+" {\n\tindex conf.php\n}\n}"))
	harness.Walk(t, "apps/adminer/walk.mjs", "URL="+caddy.URL,
		"SERVER="+db.Addr(), "DATABASE="+sqltest.Database, "USER="+sqltest.User, "PASSWORD="+sqltest.Password)
}
