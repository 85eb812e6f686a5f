package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestInject(t *testing.T) {
	const data = `{"s":"zoe","empty":"","accent":"Zoë Müller","cjk":"日","percent":"zo%C3%AB","blank":" a b ","space":" ",` +
		`"lines":"a\r\nX-Evil: 1\u0000\u007f\t","n":12345678901234567890.50,"e":-1E+2,"t":true,"f":false,"null":null,` +
		`"list":[1,"é%",{"x":null}],"object":{"k":"100% é\n"},"braces":"{http.request.host}"}`
	for _, test := range []struct {
		name, inject, want string
		absent             bool
	}{
		{name: "a string", inject: "s", want: "zoe"},
		{name: "an empty string", inject: "empty"},
		{name: "beyond ASCII", inject: "accent", want: "Zo%C3%AB M%C3%BCller"},
		{name: "far beyond ASCII", inject: "cjk", want: "%E6%97%A5"},
		{name: "what looks encoded", inject: "percent", want: "zo%25C3%25AB"},
		{name: "blanks at the ends", inject: "blank", want: "%20a b%20"},
		{name: "a blank", inject: "space", want: "%20"},
		{name: "control characters", inject: "lines", want: "a%0D%0AX-Evil: 1%00%7F%09"},
		{name: "a number keeps its digits", inject: "n", want: "12345678901234567890.50"},
		{name: "a number keeps its form", inject: "e", want: "-1E+2"},
		{name: "true", inject: "t", want: "true"},
		{name: "false", inject: "f", want: "false"},
		{name: "null", inject: "null", absent: true},
		{name: "missing", inject: "nothing.at.all", absent: true},
		{name: "a list", inject: "list", want: `[1,"\u00e9%",{"x":null}]`},
		{name: "an object", inject: "object", want: `{"k":"100% \u00e9\n"}`},
		{name: "an item", inject: "list.1", want: "%C3%A9%25"},

		{name: "a template", inject: `{http.session.data.s}`, want: "zoe"},
		{name: "several fields", inject: `u={http.session.data.accent}; n={http.session.data.n} {http.session.data.t}`, want: "u=Zo%C3%AB M%C3%BCller; n=12345678901234567890.50 true"},
		{name: "JSON within", inject: `\{"l":{http.session.data.list}\}`, want: `{"l":[1,"\u00e9%",{"x":null}]}`},
		{name: "an empty field", inject: `[{http.session.data.empty}]`, want: "[]"},
		{name: "one field missing", inject: `{http.session.data.s} {http.session.data.nothing}`, absent: true},
		{name: "one field null", inject: `{http.session.data.null} {http.session.data.s}`, absent: true},
		{name: "no more than once", inject: `{http.session.data.braces}`, want: "{http.request.host}"},
		{name: "another placeholder", inject: `{http.session.data.s}@{http.request.host}`, want: "zoe@example.com"},
		{name: "another placeholder, encoded", inject: `{http.request.uri.query}`, want: "q=%25C3%25AB"},
		{name: "another placeholder, empty", inject: `{http.session.data.s} {http.request.header.X-None}`, absent: true},
		{name: "another placeholder, unknown", inject: `{http.session.data.s} {http.nonsense}`, absent: true},
		{name: "the header itself", inject: `{http.session.data.s} {http.request.header.X-Value}`, absent: true},
		{name: "what is known of the session", inject: `{http.session.exists}`, want: "true"},
		{name: "a text", inject: `\{a\}`, want: "{a}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := mustProvision(t, inMemory(t, "inject X-Value `"+test.inject+"`"))
			cookie := create(t, h, data)
			r := httptest.NewRequest(http.MethodGet, "/?q=%C3%AB", nil)
			r.AddCookie(cookie)
			r.Header.Set("X-Value", "forged")
			_, err := serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
				values := r.Header["X-Value"]
				switch {
				case test.absent && values != nil:
					t.Errorf("the app gets %q, and nothing was to be", values)
				case !test.absent && (len(values) != 1 || values[0] != test.want):
					t.Errorf("the app gets %q, want %q", values, test.want)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if r.Header["X-Value"] != nil && test.absent {
				t.Error("the client's header is left")
			}
		})
	}
}

// Without a session, a template may still have a value. A field has none.
func TestInjectForAnonymous(t *testing.T) {
	h := mustProvision(t, inMemory(t, "inject X-User user\ninject X-Name \"{http.session.data.name}\"\ninject X-Known \"{http.session.exists}\"\ninject X-Ref \"{http.session.ref}\""))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, name := range []string{"X-User", "X-Name", "X-Known", "X-Ref"} {
		r.Header[name] = []string{"forged"}
	}
	if _, err := serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
		if h := r.Header; h["X-User"] != nil || h["X-Name"] != nil || h["X-Ref"] != nil || h.Get("X-Known") != "false" {
			t.Errorf("the app gets %v", h)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// Injected headers are removed when the next handler has failed: error routes may use another app.
func TestInjectedHeadersAreRemovedAfterAFailure(t *testing.T) {
	h := mustProvision(t, inMemory(t, `inject X-Known "{http.session.exists}"`))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if _, err := serve(h, r, func(http.ResponseWriter, *http.Request) error { return http.ErrHandlerTimeout }); err == nil {
		t.Error("no error")
	}
	if got := r.Header["X-Known"]; got != nil {
		t.Errorf("the error routes get %q", got)
	}
}

// A page of the error routes of a subroute is still in the session before that.
func TestIncludeAfterTheFailureOfAnInnerSession(t *testing.T) {
	outer, inner := mustProvision(t, inMemory(t, "")), mustProvision(t, inMemory(t, "name shop"))
	w, err := serve(inner, httptest.NewRequest(http.MethodGet, "/", nil), func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("X-Session-Shop-Update", `{"cart":1}`)
		return nil
	})
	shop := w.Result().Cookies()
	if err != nil || len(shop) != 1 {
		t.Fatal(err, shop)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(create(t, outer, `{"user":"zoe"}`))
	r.AddCookie(shop[0])
	var data string
	_, err = serve(outer, r, func(w http.ResponseWriter, r *http.Request) error {
		err := inner.ServeHTTP(w, r, handlerFunc(func(http.ResponseWriter, *http.Request) error { return http.ErrHandlerTimeout }))
		if err == nil || r.Header["X-Session-Shop-Data"] != nil {
			t.Errorf("the inner session has not failed: %v, %v", err, r.Header)
		}
		include, _ := http.NewRequest(http.MethodGet, "/part", nil)
		include.Host, include.Header = r.Host, r.Header.Clone()
		include.Header.Set("Caddy-Templates-Include", "1")
		_, err = serve(outer, include, func(_ http.ResponseWriter, r *http.Request) error {
			data = r.Header.Get("X-Session-Data")
			return nil
		})
		return err
	})
	if err != nil || data != `{"user":"zoe"}` {
		t.Errorf("the part of the page gets %s, %v", data, err)
	}
}
