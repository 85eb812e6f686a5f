package vault

import (
	"strings"
	"testing"
)

func TestRefusal(t *testing.T) {
	plain, secure := Request{Host: "www.example.org", Path: "/"}, Request{Host: "www.example.org", Path: "/", Secure: true}
	for _, test := range []struct {
		line string
		req  Request
		want string
	}{
		{"a=b", plain, ""},
		{"a=b; Domain=example.org", plain, ""},
		{"a=b; Domain=.www.example.org", plain, ""},
		{"a=b; Domain=example.com", plain, "its domain is not the host's"},
		{"a=b; Domain=shop.example.org", plain, "its domain is not the host's"},
		{"a=b; Domain=org", plain, "its domain is not the host's"},
		{"a=b; Domain=example.org", Request{Host: "203.0.113.5", Path: "/"}, "its domain is not the host's"},
		{"a=b; Secure", plain, "it is Secure, and the request came over plain HTTP"},
		{"a=b; Secure", secure, ""},
		{"a=b; SameSite=None", secure, "it is SameSite=None and not Secure"},
		{"a=b; SameSite=None; Secure", secure, ""},
		{"__Host-a=b; Secure", secure, "it breaks the rules for the prefix of its name"},
		{"__Host-a=b; Secure; Path=/", secure, ""},
		{"a=" + strings.Repeat("b", maxPair-1), plain, ""},
		{"a=" + strings.Repeat("b", maxPair), plain, "it is longer than 4096 bytes, or has a control character"},
	} {
		if got := Refusal(test.line, test.req); got != test.want {
			t.Errorf("%.60s at %s: %q, want %q", test.line, test.req.Host, got, test.want)
		}
	}
}
