// Package options lists the options of all modules, for tests. It is apart from the pages, which
// tests of the modules themselves read.
package options

import (
	"reflect"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	_ "github.com/caddy-session/caddy-session"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/memcached"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/mongodb"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql"
)

// All returns the options of all modules that people configure: handlers, stores, dialects and
// adopters. They have the same names in a Caddyfile and in JSON.
func All() map[caddy.ModuleID][]string {
	all := make(map[caddy.ModuleID][]string)
	for _, namespace := range []string{"http.handlers", "http.session.stores", "http.session.dialects", "http.session.adopters"} {
		for _, module := range caddy.GetModules(namespace) {
			id := string(module.ID)
			if (strings.HasPrefix(id, "http.session.") || strings.HasPrefix(id, "http.handlers.session")) && !strings.HasSuffix(id, "_clean") {
				all[module.ID] = optionsOf(reflect.TypeOf(module.New()).Elem())
			}
		}
	}
	return all
}

// optionsOf returns the JSON names of a struct's fields, including nested structs.
func optionsOf(of reflect.Type) (names []string) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Map {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of == reflect.TypeFor[caddyhttp.ResponseMatcher]() {
		return nil
	}
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		names = append(append(names, name), optionsOf(field.Type)...)
	}
	return names
}
