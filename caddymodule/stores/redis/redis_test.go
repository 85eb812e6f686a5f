package redis

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/test/redistest"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	got := mustProvision(t, "redis").opts
	got.OnState, got.OnNearCache = nil, nil
	want := redis.Options{Addrs: []string{"localhost:6379"}, KeyPrefix: "session:", Pipelining: true}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAddresses(t *testing.T) {
	t.Setenv("TEST_HOST", "from.env:1")
	for text, want := range map[string][]string{
		"redis localhost":                                {"localhost:6379"},
		"redis localhost:7000":                           {"localhost:7000"},
		"redis 10.0.0.1 10.0.0.2:7":                      {"10.0.0.1:6379", "10.0.0.2:7"},
		"redis ::1":                                      {"[::1]:6379"},
		"redis [::1]":                                    {"[::1]:6379"},
		"redis [::1]:7000":                               {"[::1]:7000"},
		"redis /run/redis.sock":                          {"/run/redis.sock"},
		"redis unix//run/redis.sock":                     {"/run/redis.sock"},
		"redis {env.TEST_HOST}":                          {"from.env:1"},
		"redis a b {\nmaster m\n}":                       {"a:26379", "b:26379"},
		"redis {\nmaster m\n}":                           {"localhost:26379"},
		"redis redis://example.org":                      {"example.org:6379"},
		"redis redis://example.org:1/2":                  {"example.org:1"},
		"redis rediss://example.org":                     {"example.org:6379"},
		"redis unix:///run/redis.sock":                   {"/run/redis.sock"},
		"redis redis://u:p@{env.TEST_HOST}/1":            {"from.env:1"},
		"redis redis://:p@h {\nusername u\n}":            {"h:6379"},
		"redis redis://h {\ndb 1\npassword p\n}":         {"h:6379"},
		"redis rediss://h {\ntls {\nserver_name x\n}\n}": {"h:6379"},
	} {
		if got := mustProvision(t, text).opts.Addrs; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	got := mustProvision(t, "redis rediss://alice:"+secret+"@example.org:1/3").opts
	if got.Username != "alice" || got.Password != secret || got.DB != 3 || got.TLS == nil || got.TLS.ServerName != "example.org" {
		t.Errorf("user %q, db %d, TLS %v", got.Username, got.DB, got.TLS)
	}
	for text, want := range map[string]string{
		"redis http://:" + secret + "@h":                              "not a valid redis://, rediss:// or unix:// URL",
		"redis redis://:" + secret + "@h/one":                         "not a valid redis://, rediss:// or unix:// URL",
		"redis redis://:" + secret + "@h:port":                        "not a valid redis://, rediss:// or unix:// URL",
		"redis \"redis://:" + secret + "%zz@h\"":                      "not a valid redis://, rediss:// or unix:// URL",
		"redis redis://:" + secret + "@h?unknown=1":                   "store redis: address: the URL has a query: set its options in the block of the store",
		"redis redis://:" + secret + "@h other":                       "a URL must be the only address",
		"redis other redis://:" + secret + "@h":                       "a URL must be the only address",
		"redis redis://:" + secret + "@h {\npassword x\n}":            "store redis: password: also set in the URL",
		"redis redis://u:" + secret + "@h {\nusername x\n}":           "store redis: username: also set in the URL",
		"redis redis://:" + secret + "@h/1 {\ndb 2\n}":                "store redis: db: also set in the URL",
		"redis alice:" + secret + "@h":                                "neither host:port nor a redis:// URL",
		"redis alice:" + secret + "@h:6379":                           "neither host:port nor a redis:// URL",
		"redis \"" + secret + " h\"":                                  "neither host:port nor a redis:// URL",
		"redis redis:" + secret + "@h":                                "neither host:port nor a redis:// URL",
		"redis {\npassword {env.TEST_MISSING}\n}":                     "password",
		"redis {\npassword {file./does/not/exist}\n}":                 "password",
		"redis {\nsentinel_password {env.TEST_MISSING}\nmaster m\n}":  "sentinel_password",
		"redis {env.TEST_MISSING}":                                    "address",
		"redis {\nkey_prefix \"a b\"\n}":                              "printable ASCII",
		"redis {\nkey_prefix {sess}:\n}":                              `key_prefix: unknown placeholder in braces; write literal braces as \{ and \}`,
		"redis {\npassword x{" + secret + "}\n}":                      "password: unknown placeholder in braces",
		"redis unix/run/" + secret + "@h":                             "neither host:port",
		"redis {\nkey_prefix é\n}":                                    "printable ASCII",
		"redis redis://u@h":                                           "redis: username: it needs a password",
		"redis {\nusername u\n}":                                      "redis: username: it needs a password",
		"redis {\nmaster m\nsentinel_username u\n}":                   "redis: sentinel_username: it needs sentinel_password",
		"redis a b {\nsentinel_password " + secret + "\n}":            "redis: sentinel_password: it needs master",
		"redis a b {\nnear_cache\n}":                                  "redis: near_cache does not work with a Cluster",
		"redis a {\ncluster\nnear_cache\n}":                           "redis: near_cache does not work with a Cluster",
		"redis a {\nmaster m\nnear_cache\n}":                          "redis: near_cache does not work with Sentinel (master)",
		"redis a {\ndb 1\nnear_cache\n}":                              "redis: near_cache works with db 0 only, not with 1",
		"redis redis://h/1 {\nnear_cache\n}":                          "redis: near_cache works with db 0 only, not with 1",
		"redis a {\ncluster\nmaster m\n}":                             "redis: use either master or cluster, not both",
		"redis a b {\ndb 1\n}":                                        "redis: db 1: a Cluster has database 0 only",
		"redis {\ntls {\nca /does/not/exist\n}\n}":                    "store redis: tls: ca:",
		"redis {\ntls {\ncertificate /does/not/exist /nor/this\n}\n}": "store redis: tls: certificate:",
	} {
		_, err := provision(t, text)
		if err == nil {
			t.Errorf("%s: no error", text)
			continue
		}
		fails(t, err, want)
	}
}

func TestPlaceholders(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "{file." + path + "}"
	}
	t.Setenv("TEST_PASSWORD", secret)
	t.Setenv("TEST_EMPTY", "")
	t.Setenv("TEST_URL", "redis://bob:"+secret+"@example.org/4")
	t.Setenv("TEST_BROKEN", "redis://bob:"+secret+"@example.org/four")
	for text, want := range map[string]string{
		"redis {\npassword {env.TEST_PASSWORD}\n}":              secret,
		"redis {\npassword " + file("one", secret) + "\n}":      secret,
		"redis {\npassword " + file("two", secret+"\n") + "\n}": secret,
		"redis {env.TEST_URL}":                                  secret,
		"redis " + file("url", "redis://:"+secret+"@h\n"):       secret,
		"redis redis://:{env.TEST_PASSWORD}@h":                  secret,
		"redis {\npassword x{env.TEST_PASSWORD}x\n}":            "x" + secret + "x",
	} {
		if got := mustProvision(t, text).opts.Password; got != want {
			t.Errorf("%s: %d bytes, want %q", text, len(got), want)
		}
	}
	if got := mustProvision(t, "redis {\nmaster m\nsentinel_password {env.TEST_PASSWORD}\n}").opts.SentinelPassword; got != secret {
		t.Errorf("sentinel_password: %d bytes", len(got))
	}
	for text, want := range map[string]string{
		"redis {\npassword {env.TEST_EMPTY}\n}":           "store redis: password:",
		"redis {\npassword " + file("none", "\n") + "\n}": "store redis: password:",
		"redis {\nusername " + file("none2", "") + "\n}":  "store redis: username:",
		"redis {env.TEST_EMPTY}":                          "store redis: address:",
		"redis {env.TEST_BROKEN}":                         "store redis: address: not a valid redis://",
		"redis {\nkey_prefix {env.TEST_EMPTY}\n}":         "store redis: key_prefix:",
		"redis {\nmaster {env.TEST_EMPTY}\n}":             "store redis: master:",
		"redis {\ntls {\nca {env.TEST_EMPTY}\n}\n}":       "ca:",
	} {
		if _, err := provision(t, text); err == nil {
			t.Errorf("%s: no error", text)
		} else {
			fails(t, err, want)
		}
	}
}

// Handlers with the same options share connections; others never do.
func TestIdentity(t *testing.T) {
	certs, others := redistest.NewTLS(t), redistest.NewTLS(t)
	t.Setenv("TEST_PASSWORD", secret)
	seen := make(map[string]string)
	for _, text := range []string{
		"redis", "redis other", "redis localhost other", "redis {\nusername b\npassword " + secret + "\n}", "redis {\npassword " + secret + "\n}",
		"redis {\nusername a\npassword " + secret + "\n}", "redis {\npassword other\n}", "redis {\ndb 1\n}", "redis {\nmaster m\n}",
		"redis {\nmaster m\nsentinel_username a\nsentinel_password a\n}", "redis {\nmaster m\nsentinel_password a\n}", "redis {\ncluster\n}",
		"redis {\ntls\n}", "redis {\ntls {\nca " + certs.CA + "\n}\n}", "redis {\ntls {\nca " + others.CA + "\n}\n}",
		"redis {\ntls {\nserver_name a\n}\n}",
		"redis {\ntls {\ncertificate " + certs.ClientCert + " " + certs.ClientKey + "\n}\n}",
		"redis {\ntls {\ncertificate " + others.ClientCert + " " + others.ClientKey + "\n}\n}",
		"redis {\nkey_prefix a\n}", "redis {\nkey_prefix \"\"\n}", "redis {\npool_size 1\n}", "redis {\ndial_timeout 1s\n}",
		"redis {\nread_timeout 1s\n}", "redis {\nwrite_timeout 1s\n}", "redis {\npipelining off\n}", "redis {\nwait_replicas 1\n}",
		"redis {\nnear_cache\n}", "redis {\nnear_cache {\nmax_entries 1\n}\n}", "redis {\nnear_cache {\nmax_bytes 1\n}\n}",
		"redis rediss://h", "redis redis://h",
	} {
		one, again := mustProvision(t, text), mustProvision(t, text)
		if one.identity != again.identity {
			t.Errorf("%s: two different identities", text)
		}
		if other, taken := seen[one.identity.Resource]; taken {
			t.Errorf("%s and %s share", text, other)
		}
		seen[one.identity.Resource] = text
		if strings.Contains(one.identity.Resource, secret) {
			t.Errorf("%s: the identity holds the secret", text)
		}
	}
	same := []string{"redis localhost", "redis localhost:6379", "redis redis://localhost", "redis {\npipelining on\n}", "redis {\nkey_prefix session:\n}"}
	for _, text := range same {
		if got := seen[mustProvision(t, text).identity.Resource]; got != "redis" {
			t.Errorf("%s has another identity than redis: %q", text, got)
		}
	}
	if got := seen[mustProvision(t, "redis {\npassword {env.TEST_PASSWORD}\n}").identity.Resource]; !strings.Contains(got, "password "+secret) {
		t.Error("the same password from another source is another identity")
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	open := func(text string) (sessionstore.Store, func()) {
		store, release, err := mustProvision(t, text).Open()
		if err != nil {
			t.Fatal(err)
		}
		return store, release
	}
	one, releaseOne := open("redis share.invalid")
	two, releaseTwo := open("redis share.invalid:6379")
	other, releaseOther := open("redis share.invalid {\ndb 1\n}")
	if one != two || one == other {
		t.Error("the wrong stores are shared")
	}
	releaseOne()
	if three, release := open("redis share.invalid"); three != one {
		t.Error("the store was closed while in use")
	} else {
		release()
	}
	releaseTwo()
	releaseOther()
	if four, release := open("redis share.invalid"); four == one {
		t.Error("the last release did not close the store")
	} else {
		release()
	}
}

// A reload uses a renewed certificate.
func TestRenewedCertificates(t *testing.T) {
	t.Parallel()
	certs, renewed := redistest.NewTLS(t), redistest.NewTLS(t)
	text := "redis {\ntls {\nca " + certs.CA + "\n}\n}"
	before := mustProvision(t, text).identity
	pem, err := os.ReadFile(renewed.CA)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(certs.CA, pem, 0o600); err != nil {
		t.Fatal(err)
	}
	if mustProvision(t, text).identity == before {
		t.Error("the old certificates are still used")
	}
	if err := os.WriteFile(certs.CA, bytes.Repeat([]byte("x"), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := provision(t, text); err == nil || !strings.Contains(err.Error(), "contains no PEM certificate") {
		t.Errorf("a corrupt file: %v", err)
	}
}

// A certificate that was without its intermediate one gets it.
func TestCompletedCertificates(t *testing.T) {
	t.Parallel()
	certs := redistest.NewTLS(t)
	text := "redis {\ntls {\ncertificate " + certs.ClientCert + " " + certs.ClientKey + "\n}\n}"
	before := mustProvision(t, text).identity
	var chain []byte
	for _, path := range []string{certs.ClientCert, certs.CA} {
		pem, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, pem...)
	}
	if err := os.WriteFile(certs.ClientCert, chain, 0o600); err != nil {
		t.Fatal(err)
	}
	if mustProvision(t, text).identity == before {
		t.Error("the incomplete certificate is still used")
	}
}

// Neither provisioning nor opening the store connects.
func TestNothingIsConnected(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var connections atomic.Int32
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_ = conn.Close()
		}
	}()
	addr := l.Addr().String()
	var stores []sessionstore.Store
	for _, text := range []string{
		"redis " + addr, "redis " + addr + " {\nnear_cache\n}", "redis " + addr + " {\nmaster m\n}", "redis " + addr + " {\ncluster\nwait_replicas 1\n}",
	} {
		store, release, err := mustProvision(t, text).Open()
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		stores = append(stores, store)
	}
	time.Sleep(200 * time.Millisecond)
	if n := connections.Load(); n > 0 {
		t.Errorf("%d connections", n)
	}
	// Check that the listener does see connections.
	for _, store := range stores {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, _ = store.Get(ctx, "k")
		cancel()
	}
	if n := connections.Load(); n == 0 {
		t.Error("no connection was seen at all")
	}
}

var _ caddy.Module = (*Module)(nil)
