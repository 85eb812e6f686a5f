// Package addons lists the modules of this project that a build may lack, so that errors can say
// how to add them. It imports none of them.
package addons

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// packages maps each module to its package below [Root].
var packages = map[string]string{
	"http.session.stores.memcached": "/caddymodule/stores/memcached",
	"http.session.stores.mongodb":   "/caddymodule/stores/mongodb",
	sqlStore:                        "/caddymodule/stores/sql",

	"http.session.adopters.flask":         "/frameworks/flask",
	"http.session.dialects.flask":         "/frameworks/flask",
	"http.session.dialects.flask_session": "/frameworks/flask",
	"http.session.dialects.php":           "/frameworks/php",
}

// Root is the root package of this project, which makes up the usual build.
const Root = "github.com/caddy-session/caddy-session"

// sqlStore is the store whose databases are separate packages below its own.
const sqlStore = "http.session.stores.sql"

// Databases are the databases of the store sql.
var Databases = []string{"postgres", "mysql", "sqlite"}

// Hint says how to add a module to the build: "is not compiled in; build with it: …". args are the
// module's arguments in the Caddyfile. Hint returns "" if this project has no such module.
func Hint(id string, args ...string) string {
	pkg, ok := packages[id]
	if !ok {
		return ""
	}
	if id == sqlStore {
		database := "<" + strings.Join(Databases, ", ") + ">"
		if len(args) > 0 && slices.Contains(Databases, args[0]) {
			database = args[0]
		}
		pkg += "/" + database
	}
	return "is not compiled in; build with it: xcaddy build --with " + Root + pkg
}

// Explain improves the error of loading a module from JSON, whose name is under key: if the build
// lacks the module, the error says how to add it.
func Explain(err error, namespace, key string, config json.RawMessage) error {
	var fields map[string]json.RawMessage
	var name string
	if json.Unmarshal(config, &fields) != nil || json.Unmarshal(fields[key], &name) != nil {
		return err
	}
	id := namespace + "." + name
	if _, missing := caddy.GetModule(id); missing == nil || Hint(id) == "" {
		return err
	}
	return fmt.Errorf("%s %s", name, Hint(id))
}

// Known lists the modules in a namespace, compiled in or not.
func Known(namespace string) string {
	var names []string
	for _, module := range caddy.GetModules(namespace) {
		names = append(names, module.ID.Name())
	}
	for id := range packages {
		if name, ok := strings.CutPrefix(id, namespace+"."); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return "available: " + strings.Join(slices.Compact(names), ", ")
}
