package apps_test

import (
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/sqltest"
)

// Debian's Adminer on a real database, with its cookies in the vault.
func TestAdminer(t *testing.T) {
	adminer := installAdminer(t)
	fpm := harness.StartFPM(t, adminer.pool...)
	db := sqltest.StartMariaDB(t)
	caddy := harness.Start(t, recipe(t, "adminer",
		"{$SITE:adminer.example.org}\n", "http://$ADDR {\n", "{$ADMINER:/etc/adminer}", adminer.root,
		"{$PHP:unix//run/php/php-fpm.sock} {\n\tindex conf.php\n}", fpm.Addr+" {\n\tindex conf.php\n}\n}"))
	harness.Walk(t, "apps/adminer/walk.mjs", "URL="+caddy.URL,
		"SERVER="+db.Addr(), "DATABASE="+sqltest.Database, "USER="+sqltest.User, "PASSWORD="+sqltest.Password)
}
