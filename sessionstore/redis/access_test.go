package redis_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// secretive checks that err wraps ErrUnavailable, gives the reason and contains no secret.
func secretive(t *testing.T, err error, reason string, secrets ...string) {
	t.Helper()
	unavailable(t, "with a bad secret", err)
	if err == nil || !strings.Contains(err.Error(), reason) {
		t.Errorf("got %v, want %q", err, reason)
		return
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	const right, wrong = `right "pass" word`, "not-the-password"
	server := redistest.Start(t, redistest.Options{Password: right})
	for name, set := range variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := redis.Options{Addrs: []string{server.Addr()}, Password: right}
			set(&o)
			if err := open(t, o).basics(t.Context()); err != nil {
				t.Error(err)
			}
			o.Password = wrong
			secretive(t, open(t, o).basics(t.Context()), "WRONGPASS", wrong, right)
			o.Password = ""
			secretive(t, open(t, o).basics(t.Context()), "NOAUTH", right)
			o.Username, o.Password = "nobody", wrong
			secretive(t, open(t, o).basics(t.Context()), "WRONGPASS", wrong, right, "nobody")
		})
	}
}

func TestPasswordOfSentinels(t *testing.T) {
	t.Parallel()
	opts := calm
	opts.Password, opts.SentinelPassword = "of the servers", "of the sentinels"
	set := redistest.StartSentinel(t, opts)
	o := redis.Options{Addrs: set.Addrs(), Master: set.MasterName, Password: opts.Password, SentinelPassword: opts.SentinelPassword}
	if err := open(t, o).basics(t.Context()); err != nil {
		t.Error(err)
	}
	o.SentinelPassword = "wrong-sentinels"
	secretive(t, open(t, o).basics(t.Context()), "", "wrong-sentinels", opts.SentinelPassword, opts.Password)
	o.SentinelPassword, o.Password = opts.SentinelPassword, "wrong-servers"
	secretive(t, open(t, o).basics(t.Context()), "WRONGPASS", "wrong-servers", opts.SentinelPassword, opts.Password)
	o.Password, o.Master = opts.Password, "another"
	secretive(t, open(t, o).basics(t.Context()), "", opts.Password, opts.SentinelPassword)
}

// listing is the use for which the documentation has the rights to walk.
const listing = "listing sessions"

// The ACL rules in the documentation are sufficient, and each right in them is needed.
func TestDocumentedACLUsers(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	lines := documentedUsers(t)
	one := redistest.Start(t, redistest.Options{})
	set := redistest.StartSentinel(t, calm)
	cluster := redistest.StartCluster(t, calm)
	for _, test := range []struct {
		name    string
		servers []*redistest.Server
		opts    redis.Options
		// needs are the rights in the rule for this use that the basic rule lacks.
		needs []string
		// unseen are rights that basics does not exercise.
		unseen []string
	}{
		{"one server", []*redistest.Server{one}, redis.Options{Addrs: []string{one.Addr()}}, nil, nil},
		{"near_cache", []*redistest.Server{one}, redis.Options{Addrs: []string{one.Addr()}, NearCache: new(redis.NearCache)}, []string{"near_cache"}, []string{"+client|tracking"}},
		{"db", []*redistest.Server{one}, redis.Options{Addrs: []string{one.Addr()}, DB: 1}, []string{"db"}, nil},
		{"listing", []*redistest.Server{one}, redis.Options{Addrs: []string{one.Addr()}}, []string{listing}, nil},
		{"sentinel", set.Servers, redis.Options{Addrs: set.Addrs(), Master: set.MasterName}, nil, nil},
		{"sentinel, wait_replicas", set.Servers, redis.Options{Addrs: set.Addrs(), Master: set.MasterName, WaitReplicas: 2}, []string{"wait_replicas"}, nil},
		{"cluster", cluster.Nodes, redis.Options{Addrs: cluster.Addrs()}, []string{"cluster"}, []string{"+asking"}},
		{"cluster, listing", cluster.Nodes, redis.Options{Addrs: cluster.Addrs()}, []string{"cluster", listing}, []string{"+asking"}},
		{"cluster, wait_replicas", cluster.Nodes, redis.Options{Addrs: cluster.Addrs(), WaitReplicas: 1}, []string{"cluster", "wait_replicas"}, []string{"+asking"}},
	} {
		rights := slices.Clone(lines[""])
		for _, use := range test.needs {
			if lines[use] == nil {
				t.Fatalf("the documentation has no line for %s", use)
			}
			rights = append(rights, lines[use]...)
		}
		for way, pipelining := range map[string]bool{"plain": false, "pipelining": true} {
			// Sequential: a script that one case loads into a server would hide that another case
			// lacks a right.
			t.Run(test.name+", "+way, func(t *testing.T) {
				o := test.opts
				o.Pipelining, o.KeyPrefix = pipelining, "session:"
				o.Username, o.Password = fmt.Sprint("user", last.Add(1)), "secret"
				for lacking := -1; lacking < len(rights); lacking++ {
					some := slices.Clone(rights)
					missing := "nothing"
					if lacking >= 0 {
						missing = rights[lacking]
						some = slices.Delete(some, lacking, lacking+1)
					}
					if !strings.HasPrefix(missing, "+") && missing != "nothing" || slices.Contains(test.unseen, missing) {
						continue
					}
					for _, server := range test.servers {
						args := []any{"ACL", "SETUSER", o.Username, "reset", "on", ">" + o.Password}
						for _, right := range some {
							args = append(args, right)
						}
						do(t, server, args...)
						do(t, server, "SCRIPT", "FLUSH")
					}
					s := open(t, o)
					var err error
					for range 12 { // in a Cluster a single attempt may fail
						ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
						if err = s.basics(ctx); err == nil && slices.Contains(test.needs, listing) {
							_, err = s.Walk(ctx, "", "", 10)
						}
						cancel()
						if err != nil {
							break
						}
					}
					if missing == "nothing" && err != nil {
						t.Errorf("with all rights: %v; %v", err, do(t, test.servers[0], "ACL", "LOG"))
					}
					if missing != "nothing" {
						if err == nil {
							t.Errorf("%s is not needed", missing)
						} else {
							secretive(t, err, "", o.Password)
						}
					}
				}
			})
		}
	}
}

// documentedUsers returns the rights in the documentation by use; "" is what every user needs.
func documentedUsers(t *testing.T) map[string][]string {
	t.Helper()
	lines := make(map[string][]string)
	for line := range strings.Lines(docs.Text(t)) {
		rest, found := strings.CutPrefix(strings.TrimSpace(line), "ACL SETUSER caddy ")
		if !found {
			continue
		}
		rest, use, _ := strings.Cut(rest, "#")
		var rights []string
		for right := range strings.FieldsSeq(rest) {
			if right != "on" && !strings.HasPrefix(right, ">") && right != "reset" {
				rights = append(rights, right)
			}
		}
		lines[strings.TrimSpace(use)] = rights
	}
	if len(lines[""]) == 0 {
		t.Fatal("the documentation has no ACL SETUSER line")
	}
	return lines
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{ClientCert: true, Password: "secret"})
	stranger := redistest.NewTLS(t)
	for name, test := range map[string]struct {
		change func(c *tls.Config)
		reason string // "" means that it works
	}{
		"all right":                          {func(*tls.Config) {}, ""},
		"another name":                       {func(c *tls.Config) { c.ServerName = "localhost" }, ""},
		"the name of the address":            {func(c *tls.Config) { c.ServerName = "" }, ""},
		"a name that it does not have":       {func(c *tls.Config) { c.ServerName = "redis.example.org" }, "redis.example.org"},
		"another authority":                  {func(c *tls.Config) { c.RootCAs = stranger.Config().RootCAs }, "unknown authority"},
		"no client certificate":              {func(c *tls.Config) { c.Certificates = nil }, ""},
		"a client certificate of a stranger": {func(c *tls.Config) { c.Certificates = stranger.Config().Certificates }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, set := range variants {
				config := server.TLS.Config()
				test.change(config)
				o := redis.Options{Addrs: []string{server.Addr()}, Password: "secret", TLS: config}
				set(&o)
				err := open(t, o).basics(t.Context())
				refused := strings.Contains(name, "client certificate")
				if test.reason == "" && !refused {
					if err != nil {
						t.Error(err)
					}
					continue
				}
				secretive(t, err, test.reason, "secret")
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		secretive(t, open(t, redis.Options{Addrs: []string{server.Addr()}, Password: "secret"}).basics(t.Context()), "", "secret")
	})
}

func TestTLSInAClusterAndBehindSentinel(t *testing.T) {
	t.Parallel()
	opts := calm
	opts.ClientCert = true
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		cluster := redistest.StartCluster(t, opts)
		eachWay(t, func(t *testing.T, o redis.Options) {
			o.TLS = cluster.TLS.Config()
			s := open(t, at(o, cluster.Addrs()...))
			for range 10 {
				if err := s.basics(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		set := redistest.StartSentinel(t, opts)
		s := open(t, redis.Options{Addrs: set.Addrs(), Master: set.MasterName, TLS: set.TLS.Config(), Pipelining: true})
		if err := s.basics(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
