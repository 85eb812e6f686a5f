package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// validate reads a Caddyfile, as caddy validate does.
func validate(t *testing.T, config string) error {
	t.Helper()
	out, _, err := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}.Adapt([]byte(config), nil)
	if err != nil {
		t.Fatal(err)
	}
	var cfg caddy.Config
	if err := caddy.StrictUnmarshalJSON(out, &cfg); err != nil {
		t.Fatal(err)
	}
	return caddy.Validate(&cfg)
}

// A configuration that could never answer a request is refused.
func TestTwoSessionsInOneBlock(t *testing.T) {
	const one, shop = "session {\nstore memory\n}\n", "session {\nname shop\nstore memory\n}\n"
	for _, test := range []struct{ name, site, want string }{
		{"one", one, ""},
		{"two", one + one, "give one of them another name"},
		{"two of one name", shop + shop, "give one of them another name"},
		{"two names", one + shop, ""},
		{"two and one", one + shop + one, "give one of them another name"},
		{"two names, one prefix", shop + "session {\nheader_prefix X-Session-Shop-\nstore memory\n}\n", "another header_prefix"},
		{"two names, one cookie", shop + "session {\nstore memory\ncookie {\nname caddy_session_shop\n}\n}\n", "another cookie name"},
		{"a matcher", one + "session /a/* {\nstore memory\n}\n", ""},
		{"two in a route", "route {\n" + one + one + "}\n", "give one of them another name"},
		{"two in a handle", "handle /a {\n" + one + one + "}\n", "give one of them another name"},
		{"two blocks", "handle /a {\n" + one + "}\nhandle {\n" + one + "}\n", ""},
		{"one for errors", one + "handle_errors {\n" + one + "}\n", ""},
	} {
		for _, address := range []string{":80", "a.test:80"} {
			config := "{\nadmin off\nauto_https off\nlog {\noutput discard\n}\n}\n" + address + " {\n" + test.site + "respond ok\n}\n" + "b.test:80 {\n" + one + "}\n"
			if address == ":80" {
				config = strings.Replace(config, "b.test:80", ":81", 1)
			}
			err := validate(t, config)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%s at %s: error %v, want %q", test.name, address, err, test.want)
			}
		}
	}
}
