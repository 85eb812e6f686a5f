package caddymodule

import (
	"strings"
	"testing"
)

func TestCookieRules(t *testing.T) {
	tests := []struct{ name, options, want string }{
		{"default", "", ""},
		{"SameSite=None without Secure", "same_site none", "same_site"},
		{"SameSite=None", "same_site none\nsecure on", ""},
		{"partitioned without Secure", "partitioned on", "partitioned"},
		{"__Host- without Secure", "name __Host-s", "__Host-s"},
		{"__Host-", "name __Host-s\nsecure on", ""},
		{"__Host- with a domain", "name __Host-s\nsecure on\ndomain example.com", "__Host-s"},
		{"__Host- with a path", "name __Host-s\nsecure on\npath /app", "__Host-s"},
		{"__host- in lower case", "name __host-s", "__host-s"},
		{"__Secure- without Secure", "name __Secure-s", "__Secure-s"},
		{"__Secure-", "name __Secure-s\nsecure on\npath /app", ""},
		{"__Http-", "name __Http-s\nsecure on\npath /app\ndomain example.com", ""},
		{"__Http- without Secure", "name __Http-s", "__Http-s"},
		{"__Http- for scripts", "name __http-s\nsecure on\nhttp_only off", "http_only on"},
		{"__Host-Http-", "name __Host-Http-s\nsecure on", ""},
		{"__Host-Http- without Secure", "name __Host-Http-s\nsecure auto", "__Host-Http-s"},
		{"__Host-Http- for scripts", "name __HOST-HTTP-s\nsecure on\nhttp_only off", "http_only on"},
		{"__Host-Http- with a domain", "name __Host-Http-s\nsecure on\ndomain example.com", "without a domain"},
		{"__Host-Http- with a path", "name __Host-Http-s\nsecure on\npath /app", "with path /"},
		{"__Host- for scripts", "name __Host-s\nsecure on\nhttp_only off", ""},
		{"a name that no cookie can have", `name "a b"`, "name"},
		{"a path that is none", "path app", "path"},
		{"a path that adds an attribute", `path "/;domain=x"`, "path"},
		{"a domain that is none", `domain "a b"`, "domain"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := provision(t, inMemory(t, "cookie {\n"+test.options+"\n}"))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want one about %s", err, test.want)
			}
		})
	}
}
