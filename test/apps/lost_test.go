package apps_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// again returns the same browser, which loses all that it gets from now on.
func (v visitor) again() visitor {
	site, err := url.Parse(v.url)
	if err != nil {
		v.t.Fatal(err)
	}
	jar, _ := cookiejar.New(nil)
	jar.SetCookies(site, v.client.Jar.Cookies(site))
	return visitor{v.t, &http.Client{Jar: jar, CheckRedirect: v.client.CheckRedirect, Timeout: v.client.Timeout, Transport: v.client.Transport}, v.url}
}

// loseAnswers checks that an app that writes its cookies anew in each answer keeps who is logged in
// when answers are lost, and when pages are asked for at once, as it does without the proxy.
func loseAnswers(t *testing.T, app app, handler string) {
	for _, way := range []struct{ name, session string }{
		{"alone", ""}, {"behind the proxy", "session {\n store memory\n vault *\n }"},
	} {
		v := newVisitor(t, harness.Start(t, fmt.Sprintf("http://$ADDR {\n %s\n route {\n %s\n }\n}", way.session, handler)).URL)
		app.login(v)
		known := func(v visitor, when string) {
			if user := app.user(v); user != "victim" {
				t.Errorf("%s, %s: %s is logged in", way.name, when, user)
			}
		}
		known(v, "after the login")
		for range 4 {
			known(v.again(), "in an answer that is lost")
		}
		known(v, "after answers were lost")
		var pages sync.WaitGroup
		for range 6 {
			pages.Go(func() { known(v, "in a page of several at once") })
		}
		pages.Wait()
		known(v, "at the end")
	}
}
