package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/frameworks/flask/securecookie"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// visitor is a client of a handler. It keeps the session cookie, whatever its name is.
type visitor struct {
	*testing.T
	h      *Handler
	cookie string
}

// is sends a request, which the app answers with a status and headers. It reports whether the
// response gives the session a new id.
func (v *visitor) is(status int, headers ...string) (newID bool) {
	v.Helper()
	r := httptest.NewRequest(http.MethodGet, "https://example.com/", nil)
	if v.cookie != "" {
		r.Header.Set("Cookie", v.cookie)
	}
	w, err := serve(v.h, r, func(w http.ResponseWriter, _ *http.Request) error {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Add(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		return nil
	})
	if err != nil {
		v.Fatal(err)
	}
	cookies := w.Result().Cookies()
	if len(cookies) == 0 || cookies[0].Value == "" {
		return false // kept, or taken back
	}
	v.cookie = cookies[0].Name + "=" + cookies[0].Value
	return true
}

func TestAttackPlantedIDAndTheVault(t *testing.T) {
	const on, host = "cookie {\nname s\n}", "" // over TLS, the default name cannot be planted
	for name, tt := range map[string]struct {
		options string
		before  string
		status  int
		sets    []string
		newID   bool
	}{
		"a redirect adds a cookie":                  {on, "lang=en", 302, []string{"theme=dark"}, true},
		"it does so on another path":                {on, "lang=en", 302, []string{"lang=en; Path=/app"}, true},
		"a redirect replaces a cookie":              {on, "lang=en", 303, []string{"lang=fr"}, true},
		"a redirect sets the same":                  {on, "lang=en", 302, []string{"lang=en"}, false},
		"a redirect deletes":                        {on, "lang=en", 302, []string{"lang=; Max-Age=0"}, false},
		"a redirect without a method's change":      {on, "lang=en", 307, []string{"theme=dark"}, true},
		"a redirect that stays":                     {on, "lang=en", 308, []string{"theme=dark"}, true},
		"not modified":                              {on, "lang=en", 304, []string{"theme=dark"}, false},
		"an answer adds a harmless cookie":          {on, "lang=en", 200, []string{"theme=dark"}, false},
		"an answer replaces a harmless cookie":      {on, "lang=en", 200, []string{"lang=fr"}, false},
		"an answer adds an HttpOnly one":            {on, "lang=en", 200, []string{"x=1; HttpOnly"}, true},
		"an answer replaces an HttpOnly one":        {on, "x=1; HttpOnly", 200, []string{"x=2; HttpOnly"}, true},
		"PHPSESSID":                                 {on, "lang=en", 200, []string{"PHPSESSID=1"}, true},
		"connect.sid":                               {on, "lang=en", 200, []string{"connect.sid=1"}, true},
		"wordpress_logged_in":                       {on, "lang=en", 200, []string{"wordpress_Logged_in=1"}, false},
		"wordpress_logged_in, in a redirect":        {on, "lang=en", 302, []string{"wordpress_logged_in=1"}, true},
		"AUTH":                                      {on, "lang=en", 200, []string{"AUTH=1"}, true},
		"autologin":                                 {on, "lang=en", 200, []string{"autologin=1"}, true},
		"csrftoken":                                 {on, "lang=en", 200, []string{"csrftoken=1"}, true},
		"username":                                  {on, "lang=en", 200, []string{"UserName=1"}, true},
		"remember_me":                               {on, "lang=en", 200, []string{"remember_me=1"}, true},
		"PHPSESSID, deleted and set":                {on, "PHPSESSID=1", 200, []string{"PHPSESSID=; Max-Age=0", "PHPSESSID=2"}, true},
		"PHPSESSID, on another path":                {on, "PHPSESSID=1", 200, []string{"PHPSESSID=1; Path=/app"}, true},
		"an error replaces a session's cookie":      {on, "sid=1", 403, []string{"sid=2"}, true},
		"unplantable, a cookie is added":            {host, "lang=en", 200, []string{"x=1; HttpOnly"}, true},
		"nobody can plant it, PHPSESSID":            {host, "lang=en", 200, []string{"PHPSESSID=1"}, true},
		"unplantable, a cookie is replaced":         {host, "laravel_session=1; HttpOnly", 200, []string{"laravel_session=2; HttpOnly"}, false},
		"unplantable, in a redirect":                {host, "laravel_session=1; HttpOnly", 302, []string{"laravel_session=2; HttpOnly"}, true},
		"unplantable, a harmless cookie":            {host, "lang=en", 200, []string{"theme=dark"}, false},
		"regenerate_on vault, a harmless one":       {"regenerate_on vault", "lang=en", 200, []string{"theme=dark"}, true},
		"regenerate_on vault, a cookie is replaced": {"regenerate_on vault", "lang=en", 200, []string{"lang=fr"}, true},
		"regenerate_on vault, the same":             {"regenerate_on vault", "lang=en", 200, []string{"lang=en"}, false},
		"regenerate_on vault, a cookie is deleted":  {"regenerate_on vault", "lang=en", 200, []string{"lang=; Max-Age=0"}, false},
		"regenerate_on vault, unplantable":          {host + "\nregenerate_on role vault", "lang=en", 200, []string{"lang=fr"}, true},
		"regenerate_on a field, a harmless one":     {"regenerate_on role", "lang=en", 200, []string{"theme=dark"}, false},
		"regenerate_on a field, a login":            {"regenerate_on role", "lang=en", 200, []string{"sid=1"}, true},
		"one of several that are harmless":          {on, "lang=en", 200, []string{"theme=dark", "lang=fr", "auth=1"}, true},
		"a cookie that browsers refuse":             {on, "lang=en", 302, []string{"auth=1; Domain=example.org"}, false},
		"a cookie outside the vault, in a redirect": {"", "lang=en", 302, []string{"caddy_session=1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := &visitor{T: t, h: mustProvision(t, inMemory(t, "vault *\n"+tt.options))}
			if !v.is(http.StatusOK, "Set-Cookie", tt.before) {
				t.Fatal("no session begins")
			}
			headers := []string{}
			for _, line := range tt.sets {
				headers = append(headers, "Set-Cookie", line)
			}
			if got := v.is(tt.status, headers...); got != tt.newID {
				t.Errorf("a new id: %v, want %v", got, tt.newID)
			}
		})
	}
}

// PHP apps on some servers redirect with the header Refresh.
func TestRefreshIsARedirect(t *testing.T) {
	v := &visitor{T: t, h: mustProvision(t, inMemory(t, "vault *"))}
	v.is(http.StatusOK, "Set-Cookie", "lang=en")
	if !v.is(http.StatusOK, "Set-Cookie", "a=1", "Refresh", "0;url=/") {
		t.Error("a login that refreshes keeps the id")
	}
}

func TestAttackPlantedIDAndAnAdoptedSession(t *testing.T) {
	for name, tt := range map[string]struct {
		options       string
		before, after string
		status        int
		newID         bool
	}{
		"session['username']":                {"", `{"a":1}`, `{"a":1,"username":"zoe"}`, 200, true},
		"session['logged_in']":               {"", `{"a":1}`, `{"a":1,"logged_in":true}`, 200, true},
		"session['_user_id']":                {"", `{"a":1}`, `{"a":1,"_user_id":"7"}`, 200, true},
		"session['USER']":                    {"", `{"a":1}`, `{"a":1,"USER":"zoe"}`, 200, true},
		"session['uid']":                     {"", `{"a":1}`, `{"a":1,"uid":7}`, 200, true},
		"session['auth']":                    {"", `{"a":1}`, `{"a":1,"auth":{}}`, 200, true},
		"session['account']":                 {"", `{"a":1}`, `{"a":1,"account":7}`, 200, true},
		"session['email']":                   {"", `{"a":1}`, `{"a":1,"email":"zoe@example.org"}`, 200, true},
		"session['role']":                    {"", `{"a":1,"role":"guest"}`, `{"a":1,"role":"boss"}`, 200, true},
		"session['is_admin']":                {"", `{"a":1,"is_admin":false}`, `{"a":1,"is_admin":true}`, 200, true},
		"session['member']":                  {"", `{"a":1}`, `{"a":1,"member":1}`, 200, true},
		"something inside of it":             {"", `{"user":{"seen":1}}`, `{"user":{"seen":2}}`, 200, true},
		"another order of what is in it":     {"", `{"user":{"a":1,"b":2}}`, `{"user":{"b":2,"a":1}}`, 200, false},
		"another user":                       {"", `{"user_id":1}`, `{"user_id":2}`, 200, true},
		"logging out":                        {"", `{"a":1,"user_id":1}`, `{"a":1}`, 200, false},
		"another field is added":             {"", `{"a":1}`, `{"a":1,"cart":[1]}`, 200, false},
		"another field changes":              {"", `{"a":1}`, `{"a":2}`, 200, false},
		"a redirect adds a field":            {"", `{"a":1}`, `{"a":1,"who":"zoe"}`, 302, true},
		"a redirect changes a field":         {"", `{"a":1}`, `{"a":2}`, 302, false},
		"a redirect changes the user":        {"", `{"user":1}`, `{"user":2}`, 302, true},
		"a redirect adds inside a field":     {"", `{"a":{}}`, `{"a":{"user":1}}`, 302, false},
		"a redirect adds a CSRF token":       {"", `{"a":1}`, `{"a":1,"csrf_token":"x","_xsrf":"y"}`, 302, false},
		"a redirect adds a message":          {"", `{"a":1}`, `{"_flashes":[{" t":["info","x"]}],"a":1}`, 302, false},
		"a redirect makes it permanent":      {"", `{"a":1}`, `{"_permanent":true,"a":1}`, 302, false},
		"a redirect adds a token and a user": {"", `{"a":1}`, `{"a":1,"csrf_token":"x","who":"zoe"}`, 302, true},
		"regenerate_on adds to it":           {"regenerate_on cart", `{"a":1}`, `{"a":1,"cart":1}`, 200, true},
		"and leaves the defaults":            {"regenerate_on cart", `{"a":1}`, `{"a":1,"username":"zoe"}`, 200, true},
	} {
		t.Run(name, func(t *testing.T) {
			const secret = "dev"
			signer, err := securecookie.NewSigner(secret)
			if err != nil {
				t.Fatal(err)
			}
			cookie := func(data string) string {
				rec := sessionstore.Record{Data: []byte(data)}
				for _, own := range []string{`"_flashes":[{" t":["info","x"]}],`, `"_permanent":true,`} {
					if rest := strings.Replace(data, own, "", 1); rest != data {
						rec.Data = []byte(rest)
						rec.Permanent = strings.Contains(own, "permanent")
						if !rec.Permanent {
							rec.Flash = []byte(`[["info","x"]]`)
						}
					}
				}
				payload, err := securecookie.Codec{}.Encode(&rec)
				if err != nil {
					t.Fatal(err)
				}
				return "session=" + signer.Seal(payload, time.Now())
			}
			v := &visitor{T: t, h: mustProvision(t, inMemory(t, "adopt flask {\nsecret "+secret+"\n}\n"+tt.options))}
			if !v.is(http.StatusOK, "Set-Cookie", cookie(tt.before)) {
				t.Fatal("no session begins")
			}
			was := v.cookie
			v.is(tt.status, "Set-Cookie", cookie(tt.after))
			if got := v.cookie != was; got != tt.newID {
				t.Errorf("a new id: %v, want %v", got, tt.newID)
			}
		})
	}
}

func TestRegenerateOnOptions(t *testing.T) {
	h := mustProvision(t, inMemory(t, "capture X-Login user\nregenerate_on role"))
	if len(h.regenerateOn) != 2 {
		t.Errorf("%d fields, want those of capture and of regenerate_on", len(h.regenerateOn))
	}
	if _, err := provision(t, inMemory(t, "regenerate_on vault")); err == nil || !strings.Contains(err.Error(), "regenerate_on vault: needs the option vault") {
		t.Errorf("without a vault: %v", err)
	}
	if _, err := provision(t, inMemory(t, "regenerate_on a..b")); err == nil || !strings.Contains(err.Error(), "regenerate_on a..b") {
		t.Errorf("a field that is none: %v", err)
	}
}
