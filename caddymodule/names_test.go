package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestAttackSpellings shows that no client can send what the handler sets, however it
// is spelled, as header, as trailer or as token of Connection.
func TestAttackSpellings(t *testing.T) {
	h := mustProvision(t, inMemory(t, "inject X-Remote-User user"))
	for _, name := range h.names.guarded(h.Inject) {
		for _, spelling := range []string{
			name, strings.ToLower(name), strings.ToUpper(name),
			strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."), strings.Replace(name, "-", "_", 1),
		} {
			t.Run(spelling, func(t *testing.T) {
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body"))
				r.Header[spelling] = []string{"forged"}
				r.Header["Connection"] = []string{"keep-alive, " + spelling + ",Cookie", "upgrade"}
				r.Trailer = http.Header{spelling: nil}
				_, err := serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
					for _, values := range r.Header {
						if slices.Contains(values, "forged") {
							return fmt.Errorf("the backend gets %v", r.Header)
						}
					}
					if got := r.Header["Connection"]; !slices.Equal(got, []string{"keep-alive", "upgrade"}) {
						return fmt.Errorf("connection %q", got)
					}
					r.Trailer[spelling] = []string{"forged"} // as the server does at the end of the body
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

func TestHostOf(t *testing.T) {
	for host, want := range map[string]string{
		"example.com": "example.com", "example.com:8080": "example.com", "EXAMPLE.com.": "example.com", "Example.com.:80": "example.com",
		"[::1]": "::1", "[::1]:8080": "::1", "127.0.0.1:80": "127.0.0.1", "": "",
	} {
		if got := hostOf(host); got != want {
			t.Errorf("host of %q is %q, want %q", host, got, want)
		}
	}
}
