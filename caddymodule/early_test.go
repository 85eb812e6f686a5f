package caddymodule

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// A request in TLS early data may be a replay. It gets a 425 if it has a session cookie or an
// unsafe method.
func TestAttackEarlyData(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	cookie := create(t, h, `{"a":1}`)
	forged := &http.Cookie{Name: cookie.Name, Value: "forged"}
	other := &http.Cookie{Name: "other", Value: "1"}
	early, done := &tls.ConnectionState{}, &tls.ConnectionState{HandshakeComplete: true}
	for _, test := range []struct {
		name, method string
		tls          *tls.ConnectionState
		says         []string // Early-Data
		cookie       *http.Cookie
		refused      bool
	}{
		{"a session", "GET", early, nil, cookie, true},
		{"a cookie that does not verify", "GET", early, nil, forged, true},
		{"nobody", "GET", early, nil, nil, false},
		{"anonymous with another cookie", "HEAD", early, nil, other, false},
		{"anonymous, OPTIONS", "OPTIONS", early, nil, nil, false},
		{"anonymous, POST", "POST", early, nil, nil, true},
		{"anonymous, DELETE", "DELETE", early, nil, other, true},
		{"a WebSocket over HTTP/3", "CONNECT", early, nil, nil, true},
		{"a method of the app's own", "PURGE", early, nil, nil, true},
		{"after the handshake", "POST", done, nil, cookie, false},
		{"without TLS", "POST", nil, nil, cookie, false},
		{"by a proxy", "GET", nil, []string{"1"}, cookie, true},
		{"by a proxy over TLS", "POST", done, []string{"1"}, nil, true},
		{"by a proxy, anonymous", "GET", nil, []string{"1"}, nil, false},
		{"by a proxy that says something else", "GET", nil, []string{"0", "1"}, cookie, true},
	} {
		r := httptest.NewRequest(test.method, "/", nil)
		r.TLS = test.tls
		if test.says != nil {
			r.Header["Early-Data"] = test.says
		}
		if c := test.cookie; c != nil {
			name := c.Name
			if test.tls != nil && c != other {
				name = "__Host-" + name
			}
			r.AddCookie(&http.Cookie{Name: name, Value: c.Value})
		}
		asked := false
		_, err := serve(h, r, func(http.ResponseWriter, *http.Request) error {
			asked = true
			return nil
		})
		var status caddyhttp.HandlerError
		if errors.As(err, &status) != test.refused || test.refused && status.StatusCode != http.StatusTooEarly || asked == test.refused {
			t.Errorf("%s: %v, the app was asked: %t", test.name, err, asked)
		}
	}
}
