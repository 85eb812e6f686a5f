package http_test

import (
	"net"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// startHosts runs a Caddy for every host.
func startHosts(t *testing.T, text string) *browser {
	t.Helper()
	c := harness.StartWith(t, func(c *harness.Caddy) string {
		_, port, _ := net.SplitHostPort(c.Addr)
		return expand(globals("http_port "+port, "default_bind 127.0.0.1") + text)
	})
	return visit(t, c)
}

func TestAttackCookieOfAnotherHost(t *testing.T) {
	t.Parallel()
	b := startHosts(t, `
http:// {
	session {
		store memory
		secret $SECRET
	}
	reverse_proxy $BACKEND
}`)
	host := func(name string) *browser { return b.bare().with("Host", name) }
	for owner, others := range map[string]struct{ same, other []string }{
		"shop.example.com": {
			[]string{"shop.example.com:80", "shop.example.com:8443", "SHOP.Example.COM", "shop.example.com.", "Shop.example.com.:81"},
			[]string{"example.com", "xshop.example.com", "shop.example.com.evil.com", "shop.example.co", "hop.example.com", "shop-example.com", "a.shop.example.com", "127.0.0.1", "[::1]"},
		},
		"127.0.0.1": {
			[]string{"127.0.0.1:80", "127.0.0.1:9999"},
			[]string{"127.0.0.2", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"},
		},
		"[2001:db8::1]": {
			[]string{"[2001:db8::1]:80", "[2001:DB8::1]:8443", "[2001:db8::1]"},
			[]string{"[2001:db8::2]", "[2001:db8::2]:1", "[2001:db8::]:1", "[2001:db8]:1", "2001", "[::1]", "2001.db8.1"},
		},
		"localhost": {
			[]string{"localhost:1", "LOCALHOST"},
			[]string{"localhost.localdomain", "local", "[localhost-x]"},
		},
	} {
		t.Run(owner, func(t *testing.T) {
			c := host(owner).change("update", `{"a":1}`).issues()
			cookie := "caddy_session=" + c.Value
			for _, name := range others.same {
				host(name).with("Cookie", cookie).look().holds(`{"a":1}`)
			}
			for _, name := range others.other {
				r := host(name).with("Cookie", cookie).get("/")
				if r.StatusCode == 400 {
					continue // Caddy rejects such a name
				}
				if got := r.given("X-Session-Data"); got != "{}" {
					t.Errorf("%s gets the session of %s", name, owner)
					continue
				}
				r.keeps()
				// It cannot end or change the session from there either.
				host(name).with("Cookie", cookie).change("control", "destroy").expires()
				if c := host(name).with("Cookie", cookie).change("update", `{"evil":1}`).issues(); "caddy_session="+c.Value == cookie {
					t.Errorf("%s adopts the id", name)
				}
			}
			host(owner).with("Cookie", cookie).look().holds(`{"a":1}`)
		})
	}
}

func TestAttackCookieOfAnotherName(t *testing.T) {
	t.Parallel()
	b := startHosts(t, `
(session) {
	session {
		store memory
		secret $SECRET
		header_prefix X-Session-
		{block}
	}
	reverse_proxy $BACKEND
}
http://a.example.test, http://b.example.test {
	import session {
		cookie {
			name c
			domain example.test
		}
	}
}
http://c.example.test {
	import session {
		name c
		cookie {
			name c
			domain example.test
		}
	}
}
http://d.example.test, http://e.example.test {
	import session {
		cookie {
			name c
		}
	}
}
http://f.example.test {
	import session {
		scope one
		cookie {
			name c
		}
	}
}
http://g.other.test {
	import session {
		scope one
		name g
		cookie {
			name c
		}
	}
}
http://h.example.test {
	import session {
		scope two
		cookie {
			name c
		}
	}
}
http://i.example.test {
	import session {
		cookie {
			name c
			domain test
		}
	}
}`)
	sites := []string{"a.example.test", "b.example.test", "c.example.test", "d.example.test", "e.example.test", "f.example.test", "g.other.test", "h.example.test", "i.example.test"}
	shared := map[string]string{"a.example.test": "b.example.test", "b.example.test": "a.example.test", "f.example.test": "g.other.test", "g.other.test": "f.example.test"}
	host := func(name string) *browser { return b.bare().with("Host", name) }
	for _, owner := range sites {
		c := host(owner).change("update", `{"a":1}`).cookieNamed("c")
		if c == nil {
			t.Fatalf("%s sets no cookie", owner)
		}
		for _, name := range sites {
			r := host(name).with("Cookie", "c="+c.Value).look()
			want := "{}"
			if name == owner || shared[owner] == name {
				want = `{"a":1}`
			}
			if got := r.given("X-Session-Data"); got != want {
				t.Errorf("a cookie of %s, tried on %s: %s", owner, name, got)
			}
		}
	}
}
