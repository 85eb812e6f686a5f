package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// No client can send what the handler sets, in any spelling, as a header, as a trailer or as a
// token of Connection.
func TestAttackSpellings(t *testing.T) {
	h := mustProvision(t, inMemory(t, "inject X-Remote-User user"))
	for _, name := range h.names.guarded(h.Inject) {
		spellings := []string{name, strings.ToLower(name), strings.ToUpper(name), strings.Replace(name, "-", "_", 1)}
		for c := range strings.SplitSeq("!#$%&'*+.^_`|~", "") { // what names may have besides letters and digits
			spellings = append(spellings, strings.ReplaceAll(name, "-", c))
		}
		for _, spelling := range spellings {
			t.Run(spelling, func(t *testing.T) {
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body"))
				r.Header[spelling] = []string{"forged"}
				r.Header["Connection"] = []string{"keep-alive, " + spelling + ",Cookie", "upgrade"}
				r.Trailer = http.Header{spelling: nil, "Cookie": nil}
				_, err := serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
					for _, values := range r.Header {
						if slices.Contains(values, "forged") {
							return fmt.Errorf("the app gets %v", r.Header)
						}
					}
					if got := r.Header["Connection"]; !slices.Equal(got, []string{"keep-alive", "upgrade"}) {
						return fmt.Errorf("connection %q", got)
					}
					r.Trailer[spelling] = []string{"forged"} // as net/http does after the body
					r.Trailer["cookie"] = []string{"caddy_session=forged"}
					r.Trailer["Expires"] = []string{"kept"}
					if _, err := io.Copy(io.Discard, r.Body); err != nil {
						return err
					}
					if len(r.Trailer) != 1 || r.Trailer["Expires"] == nil {
						return fmt.Errorf("trailers %v", r.Trailer)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestNeighboursStay(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	want := http.Header{"X-Session": {"1"}, "X-Session-Data-2": {"2"}, "X-Sessions-Data": {"3"}, "Connection": {"Upgrade"}}
	r.Header = want.Clone()
	_, err := serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
		for name := range want {
			if !slices.Equal(r.Header[name], want[name]) {
				t.Errorf("%s is %q", name, r.Header[name])
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// The app gets no request for a tunnel, in which nothing is cleaned.
func TestAttackTunnel(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	for _, test := range []struct{ given, want http.Header }{
		{http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABk"}}, http.Header{"Connection": {"Upgrade"}}},
		{http.Header{"Connection": {"http2_settings"}, "Upgrade": {"H2C , foo"}, "Http2.settings": {"AAMAAABk"}}, http.Header{"Upgrade": {"foo"}}},
		{http.Header{"Connection": {"Upgrade"}, "Upgrade": {"TLS/1.2, HTTP/2.0", "websocket,h2c", "h2c-14, H2C-17,h2"}}, http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}},
		{http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}},
		{http.Header{"Upgrade": {"h2c2, xh2c, IRC/6.9, RTA/x11"}}, http.Header{"Upgrade": {"h2c2, xh2c, IRC/6.9, RTA/x11"}}},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header = test.given.Clone()
		_, err := serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
			for name := range r.Header {
				if strings.HasPrefix(name, "X-Session-") || name == markHeader {
					delete(r.Header, name)
				}
			}
			if !maps.EqualFunc(r.Header, test.want, slices.Equal) {
				return fmt.Errorf("of %v the app gets %v, want %v", test.given, r.Header, test.want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// The app gets no TRACE: its answer would show the session headers to the client.
func TestAttackTrace(t *testing.T) {
	cleaner := &Clean{Headers: []string{"X-Session-Data"}}
	if err := cleaner.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]caddyhttp.MiddlewareHandler{"session": mustProvision(t, inMemory(t, "")), "session_clean": cleaner} {
		for method, refused := range map[string]bool{"TRACE": true, "trace": true, "Trace": true, "TRACES": false, "OPTIONS": false} {
			r := httptest.NewRequest(method, "/", nil)
			r.Header.Set("X-Session-Data", "forged")
			w := httptest.NewRecorder()
			r = prepare(w, r)
			asked := false
			err := h.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
				asked = true
				return nil
			}))
			var status caddyhttp.HandlerError
			if errors.As(err, &status) != refused || refused && status.StatusCode != http.StatusMethodNotAllowed || asked == refused {
				t.Errorf("%s, %s: %v, the app was asked: %t", name, method, err, asked)
			}
			if allow := w.Header().Get("Allow"); refused != strings.Contains(allow, "GET, HEAD") || strings.Contains(allow, "TRACE") {
				t.Errorf("%s, %s: Allow: %q", name, method, allow)
			}
			if refused && r.Header["X-Session-Data"] != nil {
				t.Errorf("%s, %s: error routes get %v", name, method, r.Header)
			}
		}
	}
}

func TestHostOf(t *testing.T) {
	for host, want := range map[string]string{
		"example.com": "example.com", "example.com:8080": "example.com", "EXAMPLE.com.": "example.com", "Example.com.:80": "example.com",
		"[::1]": "::1", "[::1]:8080": "::1", "::1": "::1", "2001:db8::7": "2001:db8::7", "127.0.0.1:80": "127.0.0.1", "": "",
	} {
		if got := hostOf(host); got != want {
			t.Errorf("host of %q is %q, want %q", host, got, want)
		}
	}
}
