package adminpage

import (
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/caddymodule/admin"
)

// The sessions of an app have no scope, and a request that names one is refused. So the form must
// not ask for it.
func TestNoScopeIsRequiredWhereSessionsHaveNone(t *testing.T) {
	for _, test := range []struct {
		store    admin.Store
		required bool
	}{
		{admin.Store{Dialect: "native", Lists: true, Scopes: []string{"name "}}, false},
		{admin.Store{Dialect: "native", Scopes: []string{"name "}}, true},
		{admin.Store{Dialect: "flask_session"}, false},
	} {
		var html strings.Builder
		if err := page.Execute(&html, &view{Stores: []admin.Store{test.store}, Store: test.store}); err != nil {
			t.Fatal(err)
		}
		if required := strings.Contains(html.String(), `name="scope" value="" required`); required != test.required || !strings.Contains(html.String(), `name="scope"`) {
			t.Errorf("%+v: required: %t", test.store, required)
		}
	}
}
