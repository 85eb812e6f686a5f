package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// With store none, every request is anonymous. A change succeeds and sets a cookie that leads to no
// session, and destroy expires that cookie.
func TestStoreNone(t *testing.T) {
	h := mustProvision(t, "secret "+testSecret+"\nstore none")
	cookie := create(t, h, `{"a":1}`)
	ask := func(header, value string) (data string, cookies []*http.Cookie) {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(cookie)
		w, err := serve(h, r, func(w http.ResponseWriter, r *http.Request) error {
			data = r.Header.Get("X-Session-Data")
			if header != "" {
				w.Header().Set(header, value)
			}
			return nil
		})
		if err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %s: %d, %v", header, value, w.Code, err)
		}
		return data, w.Result().Cookies()
	}
	for _, test := range []struct {
		header, value string
		cookies       int
	}{
		{"", "", 0},
		{"X-Session-Update", `{"a":2}`, 1},
		{"X-Session-Update", `[{"op":"increment","path":"/n","value":1}]`, 1},
		{"X-Session-Flash", `"hello"`, 1},
		{"X-Session-Control", "regenerate", 0},
		{"X-Session-Control", "flash-seen", 0},
		{"X-Session-Control", "destroy", 1},
	} {
		data, cookies := ask(test.header, test.value)
		if data != "{}" || len(cookies) != test.cookies {
			t.Errorf("%s: %s: data %s, cookies %v", test.header, test.value, data, cookies)
		}
		if test.value == "destroy" && len(cookies) == 1 && cookies[0].MaxAge >= 0 {
			t.Errorf("destroy leaves the cookie: %v", cookies)
		}
	}
}
