package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// TestScenarios plays logins, double clicks and logouts by two proxies on one store, with each of
// the store's operations failing, losing its answer, or being the last one of its proxy. Then the
// browser goes on, and what it finds must be what it was told.
func TestScenarios(t *testing.T) {
	for name, play := range map[string]func(s *scene){
		"login, use":                       func(s *scene) { s.login(); s.use() },
		"login, another under way, use":    func(s *scene) { under := s.load(); s.login(); s.change(under); s.use() },
		"login, use, another under way":    func(s *scene) { under := s.load(); s.login(); s.use(); s.change(under); s.use() },
		"double click, use":                func(s *scene) { second := s.load(); s.login(); s.loginBy(second); s.use() },
		"login, login again, use":          func(s *scene) { s.login(); s.login(); s.use() },
		"login, use, login again, use":     func(s *scene) { s.login(); s.use(); s.login(); s.use() },
		"login, logout":                    func(s *scene) { s.login(); s.logout(s.load()) },
		"login, use, logout":               func(s *scene) { s.login(); s.use(); s.logout(s.load()) },
		"login, logout under way":          func(s *scene) { under := s.load(); s.login(); s.logout(under) },
		"login, use, logout under way":     func(s *scene) { under := s.load(); s.login(); s.use(); s.logout(under) },
		"login, emptied under way":         func(s *scene) { under := s.load(); s.login(); s.empty(under) },
		"login, use, emptied under way":    func(s *scene) { under := s.load(); s.login(); s.use(); s.empty(under) },
		"lost login, logout under way":     func(s *scene) { under := s.load(); s.login(); s.cookie = s.planted; s.logout(under) },
		"lost login, emptied under way":    func(s *scene) { under := s.load(); s.login(); s.cookie = s.planted; s.empty(under) },
		"login, the planter changes, use":  func(s *scene) { s.login(); s.planter(update(`{"planter":1}`)); s.use() },
		"login, the planter logs in, use":  func(s *scene) { s.login(); s.planter(update(`{"planter":1}`), regenerate); s.use() },
		"login, the planter logs out, use": func(s *scene) { s.login(); s.planter(destroy); s.use() },
		"the planter logs in, login under way": func(s *scene) {
			under := s.load()
			s.planter(update(`{"planter":1}`), regenerate)
			s.loginBy(under)
			s.use()
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, fault := range []string{"fails", "is answered by nobody", "is never done, and the proxy is killed", "is the last one of its proxy"} {
				for n := int32(1); ; n++ {
					struck := false
					bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
						s := &scene{rig: r, fault: fault, at: n, what: fmt.Sprintf("operation %d %s", n, fault)}
						s.proxies[0], s.proxies[1] = s.proxy(), s.proxy()
						s.planted = r.begin(update(`{"n":0}`))
						s.cookie = s.planted
						play(s)
						s.check()
						struck = s.done.Load() >= n
						time.Sleep(time.Hour) // what is in doubt is settled
					})
					if !struck || t.Failed() {
						break
					}
				}
			}
		})
	}
}

// scene is a browser that somebody has planted an id in.
type scene struct {
	*rig
	fault, what string
	at          int32
	done        atomic.Int32
	turn        int
	proxies     [2]*rig

	planted, cookie string
	logins          int  // that were answered
	over            bool // the session was ended
	lost            bool // a request has ended with an error, so the browser knows less
	changes         int  // that were answered
}

// proxy is one whose operations are counted. What it does after it was killed, it does not do.
func (s *scene) proxy() *rig {
	p := s.another(sessionstore.Options{})
	var killed atomic.Bool
	strike := func(late bool) hook {
		return func(context.Context, call) error {
			n := s.done.Load()
			if !late {
				n = s.done.Add(1)
			}
			switch {
			case killed.Load():
				return errLost
			case n != s.at:
				return nil
			case s.fault == "fails" && !late, s.fault == "is answered by nobody" && late:
				return errLost
			case strings.Contains(s.fault, "killed") && !late, strings.Contains(s.fault, "last one") && late:
				killed.Store(true)
				return errLost
			}
			return nil
		}
	}
	for _, o := range []op{get, set, del, touch} {
		p.store.before(o, 0, strike(false))
		p.store.after(o, 0, strike(true))
	}
	return p
}

// by is the proxy whose turn it is.
func (s *scene) by() *rig {
	s.turn++
	return s.proxies[s.turn%2]
}

// failed reports whether a request has failed, which must be the fault's doing. The browser tries
// again, by a healthy proxy.
func (s *scene) failed(err error) bool {
	s.Helper()
	if err == nil {
		return false
	}
	if !errors.Is(err, errLost) {
		s.Errorf("%s: %v", s.what, err)
	}
	s.lost = true
	s.proxies = [2]*rig{s.another(sessionstore.Options{}), s.another(sessionstore.Options{})}
	return true
}

// load is the beginning of a request of the browser's.
func (s *scene) load() *sessionstore.Session {
	s.Helper()
	for {
		loaded, err := s.by().Load(context.Background(), s.cookie, here)
		if s.failed(err) {
			continue
		}
		if !loaded.Exists() && !s.over {
			s.Errorf("%s: the browser is logged out", s.what)
		}
		return loaded
	}
}

func (s *scene) login() { s.loginBy(s.load()) }

func (s *scene) loginBy(loaded *sessionstore.Session) {
	s.Helper()
	out, err := s.by().try(loaded, update(`{"user":"u"}`), regenerate)
	if s.failed(err) {
		// The user tries again, with what the browser has.
		loaded = s.load()
		if out, err = s.by().try(loaded, update(`{"user":"u"}`), regenerate); err != nil {
			s.Fatalf("%s: again: %v", s.what, err)
		}
	}
	if out.Cookie != sessionstore.CookieSet {
		s.Errorf("%s: a login without a cookie: %+v", s.what, out)
		return
	}
	s.cookie = out.ID
	s.logins++
}

// use is a page. From then on nobody is in the session by the id that was planted.
func (s *scene) use() {
	s.Helper()
	loaded := s.load()
	if s.logins > 0 && !strings.Contains(loaded.Data(), `"user":"u"`) {
		s.Errorf("%s: the login is lost: %s", s.what, loaded.Data())
	}
	if strings.Contains(loaded.Data(), "planter") && s.logins > 0 {
		s.Errorf("%s: the planter's change is in it: %s", s.what, loaded.Data())
	}
	if s.cookie != s.planted {
		s.gone(s.planted)
	}
}

// change is that of a request under way.
func (s *scene) change(loaded *sessionstore.Session) {
	s.Helper()
	out, err := s.by().try(loaded, count)
	if s.failed(err) {
		s.changes = -1
		return
	}
	if out.Result != sessionstore.Saved || out.Cookie != sessionstore.CookieKept {
		s.Errorf("%s: a change under way: %+v", s.what, out)
	}
	s.changes++
}

func (s *scene) logout(loaded *sessionstore.Session) {
	s.Helper()
	if out := s.end(loaded, destroy); out.Cookie != sessionstore.CookieExpired {
		s.Errorf("%s: a logout: %+v", s.what, out)
	}
}

// empty is a logout by an app that removes all its fields.
func (s *scene) empty(loaded *sessionstore.Session) {
	s.Helper()
	s.end(loaded, update(`[{"op":"replace","path":"","value":{}}]`))
}

func (s *scene) end(loaded *sessionstore.Session, by part) sessionstore.Outcome {
	s.Helper()
	for {
		out, err := s.by().try(loaded, by)
		s.over = true // perhaps
		if !s.failed(err) {
			return out
		}
		loaded = s.load()
	}
}

// planter is somebody who has the planted id, and no answer of the browser's.
func (s *scene) planter(parts ...part) {
	s.Helper()
	p := s.another(sessionstore.Options{})
	p.do(p.load(s.planted), parts...)
}

// check looks at the store when the fault is over, and goes on later.
func (s *scene) check() {
	s.Helper()
	s.proxies = [2]*rig{s.another(sessionstore.Options{}), s.another(sessionstore.Options{})}
	if s.over {
		s.gone(s.cookie)
		s.gone(s.planted)
		return
	}
	for range 3 {
		loaded := s.load()
		n, _ := parse(loaded.Data()).Lookup(paths("n")[0])
		switch {
		case s.changes == 1 && !s.lost && n.String() != "1":
			s.Errorf("%s: the change under way is lost: %s", s.what, loaded.Data())
		case n.String() != "0" && n.String() != "1":
			s.Errorf("%s: counted twice: %s", s.what, loaded.Data())
		}
		time.Sleep(4 * time.Minute)
	}
	if s.cookie != s.planted {
		s.gone(s.planted)
	}
}
