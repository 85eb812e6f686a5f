package caddysession

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/addons"
)

const root = addons.Root

// pkg is a package of this module, without its tests.
type pkg struct {
	ImportPath, Dir string
	GoFiles         []string

	// Deps are those that it imports, directly or not.
	Imports, Deps []string
}

// name is its path below the root.
func (p pkg) name() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, root), "/") }

// packages returns all packages of this module but those of the tests.
func packages(t *testing.T) []pkg {
	t.Helper()
	// The tags are those of Caddy's releases: without them Caddy's own imports are more.
	out, err := exec.CommandContext(t.Context(), "go", "list", "-tags=nobadger,nomysql,nopgx", "-json=ImportPath,Dir,GoFiles,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for list := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := list.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains("/"+p.name()+"/", "/test/") {
			all = append(all, p)
		}
	}
}

// standard are the packages of Go's library.
var standard = regexp.MustCompile(`^[^./]+(/|$)`)

// rules say what packages may not depend on, directly or not. All are regular expressions of whole
// paths; those of this module begin at its root.
var rules = []struct{ name, who, not string }{
	{"signer uses the standard library only", `signer(/.*)?`, `.*\..*|sessionstore.*|caddymodule.*|internal.*|frameworks.*`},
	{"sessionstore is for any Go program", `sessionstore(/.*)?`, `github\.com/caddyserver/.*|go\.uber\.org/zap.*|caddymodule.*|frameworks.*`},
	{"the core knows no framework", `(signer|sessionstore|caddymodule|internal)(/.*)?`, `|frameworks.*`},
	{"a store knows the interface of stores only", `caddymodule/stores(/.*)?`, `caddymodule(/(adopters|command|dialects|gate|keep|parts|session)(/.*)?)?`},
	{"parts know neither stores nor keepers", `caddymodule/parts`, `caddymodule(/(command|gate|keep|stores)(/.*)?)?`},
	{"keepers know neither store modules nor parts", `caddymodule/keep`, `caddymodule(/(adopters|command|gate|parts|stores)(/.*)?)?`},
	{"the admin API knows keepers only", `caddymodule/admin`, `caddymodule(/(adminpage|adopters|command|gate|parts|session|stores)(/.*)?)?`},
	{"the gate and the devices know the session of a request only", `caddymodule/(gate|devices)`, `caddymodule(/(adopters|command|dialects|keep|parts|stores)(/.*)?)?`},
	{"what explains requests knows neither handlers nor stores", `caddymodule/explain`, `caddymodule(/(admin|adminpage|adopters|command|devices|gate|keep|parts|session|stores)(/.*)?)?`},
	{"what takes late changes knows neither handlers nor keepers", `caddymodule/late`, `sessionstore.*|caddymodule(/(admin|adminpage|adopters|command|devices|dialects|explain|gate|keep|parts|session|stores)(/.*)?)?`},
	{"the page for operators knows the admin API and keepers only", `caddymodule/adminpage`, `caddymodule(/(command|gate|parts|stores)(/.*)?)?`},
	{"a framework knows the interfaces and not the handler", `frameworks/.*`, `|caddymodule`},
	{"a framework brings no store", `frameworks/.*`, `caddymodule/stores/.*|sessionstore/(bolt|file|memory|memcached|mongodb|redis|sql)(/.*)?`},
	{"what Python frameworks have in common is for any Go program", `frameworks/python(/.*)?`, `github\.com/caddyserver/.*|go\.uber\.org/zap.*|caddymodule.*`},
	{"a usual build brings no opt-in driver", `|caddymodule`, optIn},
}

const (
	memcached = `github\.com/bradfitz/gomemcache/.*`
	mongodb   = `go\.mongodb\.org/mongo-driver/.*`
	postgres  = `github\.com/jackc/pgx/.*`
	mysql     = `github\.com/go-sql-driver/mysql.*`
	sqlite    = `modernc\.org/sqlite.*`
	optIn     = memcached + "|" + mongodb + "|" + postgres + "|" + mysql + "|" + sqlite
)

// drivers are imported by the packages of their stores only.
var drivers = map[string]string{
	`go\.etcd\.io/bbolt.*`:         `sessionstore/bolt`,
	`github\.com/redis/go-redis.*`: `sessionstore/redis|caddymodule/stores/redis`,
	memcached:                      `sessionstore/memcached`,
	mongodb:                        `sessionstore/mongodb`,
	postgres:                       `sessionstore/sql/postgres`,
	mysql:                          `sessionstore/sql/mysql`,
	sqlite:                         `sessionstore/sql/sqlite`,
}

// folder is the one below frameworks that a package is in, or nothing.
func folder(path string) string {
	_, below, _ := strings.Cut(path, root+"/frameworks/")
	name, _, _ := strings.Cut(below, "/")
	return name
}

// isWing reports whether a folder below frameworks has Caddy modules: others are what the
// frameworks of a language share.
func isWing(all []pkg, name string) bool {
	return slices.ContainsFunc(all, func(p pkg) bool {
		return folder(p.ImportPath) == name && slices.Contains(p.Imports, "github.com/caddyserver/caddy/v2")
	})
}

func whole(pattern string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + pattern + `)$`) }

// TestLayers holds the rules of what may import what.
func TestLayers(t *testing.T) {
	all := packages(t)
	for _, rule := range rules {
		who, not, applied := whole(rule.who), whole(rule.not), false
		for _, p := range all {
			if !who.MatchString(p.name()) {
				continue
			}
			applied = true
			for _, dep := range p.Deps {
				if name := (pkg{ImportPath: dep}).name(); not.MatchString(name) && (dep != name || !standard.MatchString(dep)) {
					t.Errorf("%s: %s depends on %s", rule.name, p.ImportPath, dep)
				}
			}
		}
		if !applied {
			t.Errorf("%s: there is no such package", rule.name)
		}
	}
	for _, p := range all {
		for _, dep := range p.Deps {
			if other := folder(dep); other != "" && folder(p.ImportPath) != "" && other != folder(p.ImportPath) && isWing(all, other) {
				t.Errorf("%s depends on another wing: %s", p.ImportPath, dep)
			}
		}
	}
	for driver, stores := range drivers {
		driver, stores := whole(driver), whole(stores)
		for _, p := range all {
			if slices.ContainsFunc(p.Imports, driver.MatchString) && !stores.MatchString(p.name()) {
				t.Errorf("%s imports the driver %s", p.ImportPath, driver)
			}
		}
	}
}
