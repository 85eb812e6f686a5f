package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestForwardedProto shows which of several values says that the client came over TLS.
func TestForwardedProto(t *testing.T) {
	for _, test := range []struct {
		name    string
		lines   []string
		trusted bool
		want    bool
	}{
		{"nothing", nil, true, false},
		{"https", []string{"https"}, true, true},
		{"in another case", []string{"HTTPS"}, true, true},
		{"http", []string{"http"}, true, false},
		{"from nobody we trust", []string{"https"}, false, false},
		{"a list, which each proxy adds to", []string{"https, http"}, true, true},
		{"a list with blanks", []string{" https ,http,http"}, true, true},
		{"a list of a client without TLS", []string{"http, https"}, true, false},
		{"two lines: reverse_proxy believes the last", []string{"http", "https"}, true, true},
		{"two lines the other way round", []string{"https", "http"}, true, false},
		{"a list in the last line", []string{"http", "https, http"}, true, true},
		{"an empty last line", []string{"https", ""}, true, false},
		{"something else", []string{"httpsx"}, true, false},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["X-Forwarded-Proto"] = test.lines
		r = prepare(w, r)
		caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, test.trusted)
		if got := cameOverTLS(r); got != test.want {
			t.Errorf("%s: %q: over TLS: %t", test.name, test.lines, got)
		}
	}
}
