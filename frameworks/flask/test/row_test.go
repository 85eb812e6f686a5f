package flask_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/memcachedtest"
	"github.com/caddy-session/caddy-session/test/mongotest"
	"github.com/caddy-session/caddy-session/test/redistest"
	"github.com/caddy-session/caddy-session/test/sqltest"
)

// row is one configuration of Flask-Session.
type row struct {
	version string // as harness.FlaskSession expects it
	backend backend

	signer        bool
	serialization string // pickle if the version has no other
}

// backend is a kind of store and the client library of the app.
type backend struct{ kind, client string }

var (
	redis      = backend{"redis", "redis-py"}
	pylibmc    = backend{"memcached", "pylibmc"}
	memcache   = backend{"memcached", "python-memcached"}
	pymemcache = backend{"memcached", "pymemcache"}
	sqlite     = backend{"sqlalchemy", "sqlite"}
	postgres   = backend{"sqlalchemy", "postgresql"}
	mariadb    = backend{"sqlalchemy", "mysql"}
	mongodb    = backend{"mongodb", "pymongo"}
	filesystem = backend{"filesystem", "cachelib"}
	cachelib   = backend{"cachelib", "cachelib"}
	cookie     = backend{"cookie", "flask"} // without Flask-Session
)

// versions are the versions of Flask-Session, and what each is tested with.
var versions = []struct {
	name           string
	serializations []string
	backends       []backend
}{
	{"0.3.2-debian", []string{"pickle"}, []backend{redis, pylibmc, memcache, mongodb, sqlite, postgres, filesystem, cookie}},
	{"0.3.2", []string{"pickle"}, []backend{filesystem}}, // with an old cachelib
	{"0.5.0", []string{"pickle"}, []backend{redis, pylibmc, mongodb, sqlite, postgres, mariadb, filesystem}},
	{"0.6.0", []string{"pickle"}, []backend{redis, memcache, pymemcache, mongodb, sqlite, postgres, mariadb, filesystem}},
	{"0.8.0", []string{"msgpack", "json"}, []backend{redis, pylibmc, memcache, pymemcache, mongodb, sqlite, postgres, mariadb, filesystem, cachelib, cookie}},
}

// rows are all combinations that the versions support.
func rows() []row {
	var all []row
	for _, v := range versions {
		for _, b := range v.backends {
			serializations := v.serializations
			switch {
			case b.files():
				serializations = []string{"pickle"}
			case b == cookie:
				serializations = []string{"tagged"}
			}
			for _, s := range serializations {
				for _, signer := range b.signers() {
					all = append(all, row{v.name, b, signer, s})
				}
			}
		}
	}
	return all
}

// files reports whether cachelib keeps the sessions: it pickles in every version.
func (b backend) files() bool { return b == filesystem || b == cachelib }

// signers are the values of SESSION_USE_SIGNER: Flask's own cookie is always signed.
func (b backend) signers() []bool {
	if b == cookie {
		return []bool{true}
	}
	return []bool{false, true}
}

// String names the row, in URLs too.
func (r row) String() string {
	signed := "plain"
	if r.signer {
		signed = "signed"
	}
	return strings.Join([]string{r.version, r.backend.kind, r.backend.client, signed, r.serialization}, "-")
}

// permanentOnly reports whether the version cannot keep a non-permanent session: it stores no
// expiry for it, and then treats the record as expired or fails.
func (r row) permanentOnly() bool {
	return r.version != "0.8.0" && (r.backend.kind == "sqlalchemy" || r.backend == mongodb)
}

// servers are the addresses of the stores.
type servers struct {
	redis, memcached  string // host:port
	postgres, mongodb string // URLs
	mariadb           string // user@tcp(host:port)/database
	dir               string
}

// leavesExpiry reports whether the version relies on MongoDB's index to delete expired records and
// does not check the expiry itself: the test's server has no such index.
func (r row) leavesExpiry() bool { return r.version == "0.8.0" && r.backend == mongodb }

func startServers(t *testing.T) servers {
	t.Helper()
	return servers{
		redis:     redistest.Start(t, redistest.Options{}).Addr(),
		memcached: memcachedtest.Start(t).Addr,
		postgres:  sqltest.StartPostgres(t).DSN(),
		mongodb:   mongotest.Start(t).URI(),
		mariadb:   sqltest.StartMariaDB(t).DSN(),
		dir:       t.TempDir(),
	}
}

// path is a file or folder that all rows of a version use.
func (s servers) path(r row) string {
	return filepath.Join(s.dir, r.version+"-"+r.backend.kind)
}

// server is the store's address in the app's configuration.
func (s servers) server(r row) string {
	switch r.backend {
	case redis:
		return s.redis
	case pylibmc, memcache, pymemcache:
		return s.memcached
	case mongodb:
		return s.mongodb
	case sqlite:
		return "sqlite:///" + s.path(r)
	case mariadb:
		return "mysql+pymysql://" + strings.NewReplacer("tcp(", "", ")", "").Replace(s.mariadb)
	case postgres:
		return strings.Replace(s.postgres, "postgres://", "postgresql+psycopg2://", 1)
	default:
		return s.path(r)
	}
}

// config is the app's configuration.
func (s servers) config(r row, lifetime int) map[string]any {
	if r.backend == cookie {
		return map[string]any{"SECRET_KEY": secret, "PERMANENT_SESSION_LIFETIME": lifetime}
	}
	c := map[string]any{
		"SECRET_KEY":                 secret,
		"SESSION_TYPE":               r.backend.kind,
		"SESSION_USE_SIGNER":         r.signer,
		"PERMANENT_SESSION_LIFETIME": lifetime,
		"SERVER":                     s.server(r),
	}
	if r.version == "0.8.0" && !r.backend.files() {
		c["SESSION_SERIALIZATION_FORMAT"] = r.serialization
	}
	switch r.backend.kind {
	case "memcached":
		c["MEMCACHED_CLIENT"] = r.backend.client
	case "sqlalchemy":
		c["SESSION_SQLALCHEMY_TABLE"] = r.table()
	case "mongodb":
		c["SESSION_MONGODB_COLLECT"] = r.collection() // without an index the whole collection is scanned
	}
	return c
}

// table is one per version: the definitions differ slightly.
func (r row) table() string {
	return "sessions_" + strings.NewReplacer(".", "_", "-", "_").Replace(r.version)
}

// collection is one per row.
func (r row) collection() string {
	return strings.NewReplacer(".", "_", "-", "_").Replace("r" + r.String())
}

// patience allows for a machine that is busy with other tests.
const patience = "timeout 10s\n dial_timeout 10s"

// store is the store directive of the proxy.
func (s servers) store(r row) string {
	switch r.backend {
	case redis:
		return "store redis " + s.redis + " {\n dial_timeout 10s\n read_timeout 10s\n write_timeout 10s\n }"
	case pylibmc, memcache, pymemcache:
		return "store memcached " + s.memcached + " {\n timeout 10s\n }"
	case mongodb:
		return fmt.Sprintf("store mongodb %s {\n collection %s\n %s\n }", s.mongodb, r.collection(), patience)
	case sqlite:
		return fmt.Sprintf("store sql sqlite %s {\n table %s\n %s\n }", s.path(r), r.table(), patience)
	case mariadb:
		return fmt.Sprintf("store sql mysql %s {\n table %s\n %s\n }", s.mariadb, r.table(), patience)
	case postgres:
		return fmt.Sprintf("store sql postgres %s {\n table %s\n %s\n }", s.postgres, r.table(), patience)
	default:
		return "store file " + s.path(r)
	}
}

// session is the session directive of the proxy. Rows without a signer let the proxy detect the
// serialization.
func (s servers) session(r row, lifetime int) string {
	if r.backend == cookie {
		return fmt.Sprintf("session {\n dialect flask {\n secret \"%s\"\n lifetime %ds\n }\n store_timeout 30s\n }", secret, lifetime)
	}
	options := fmt.Sprintf("lifetime %ds", lifetime)
	if r.signer {
		options += fmt.Sprintf("\n use_signer on\n secret \"%s\"\n serialization %s", secret, r.serialization)
	}
	return fmt.Sprintf("session {\n %s\n dialect flask_session {\n %s\n }\n store_timeout 30s\n }", s.store(r), options)
}
