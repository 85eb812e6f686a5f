package httpsession_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/httpsession"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
	"github.com/caddy-session/caddy-session/signer"
)

// app is an app with a login and a counter of visits.
func app(sessions func(http.Handler) http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		s := httpsession.From(r.Context())
		if err := s.Edit(sessionstore.Increment("visits", 1)); err != nil {
			http.Error(w, "the session is damaged", http.StatusInternalServerError)
			return
		}
		user, _ := s.Get("user.name").(string)
		fmt.Fprintf(w, "user %q, visit %v\n", user, s.Get("visits"))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s := httpsession.From(r.Context())
		err := s.Set("user", map[string]any{"name": r.FormValue("name"), "roles": []string{"editor"}})
		if err != nil {
			http.Error(w, "the name is not valid", http.StatusBadRequest)
			return
		}
		s.Change.Regenerate = true // whoever knows the old id is not logged in
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		httpsession.From(r.Context()).Change.Destroy = true
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	return sessions(mux)
}

// newSessions keeps sessions in the memory of this process.
func newSessions(key []byte) (func(http.Handler) http.Handler, error) {
	if len(key) < 16 {
		return nil, errors.New("the key is too short")
	}
	sign, err := signer.New(signer.Options{Keys: [][]byte{key}, Salt: "my-app"})
	if err != nil {
		return nil, err
	}
	manager := sessionstore.NewManager(memory.New(memory.Options{}), sessionstore.Options{})
	return httpsession.Middleware(httpsession.Options{Manager: manager, Signer: sign}), nil
}

func Example() {
	sessions, err := newSessions([]byte("32 random bytes, kept in secret!"))
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(app(sessions))
	defer server.Close()

	jar, _ := cookiejar.New(nil)
	browser := http.Client{Jar: jar}
	show := func(resp *http.Response, err error) {
		if err != nil {
			fmt.Println(err)
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		fmt.Print(string(body))
	}
	show(browser.Get(server.URL))
	show(browser.PostForm(server.URL+"/login", map[string][]string{"name": {"Ada"}}))
	show(browser.PostForm(server.URL+"/logout", nil))
	// Output:
	// user "", visit 1
	// user "Ada", visit 2
	// user "", visit 1
}
