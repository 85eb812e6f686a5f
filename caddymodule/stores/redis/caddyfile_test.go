package redis

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/redistest"
)

const everything = `redis one:6379 two {
	username          alice
	password          {env.PASSWORD}
	db                0
	master            main
	sentinel_username bob
	sentinel_password {file./run/secrets/sentinel}
	tls {
		ca          /etc/ca.pem
		certificate /etc/client.pem /etc/client.key
		server_name redis.example.org
	}
	key_prefix    shop:
	pool_size     30
	dial_timeout  200ms
	read_timeout  1s
	write_timeout 1d
	pipelining    off
	wait_replicas 1
	near_cache {
		max_entries 5000
		max_bytes   16MiB
	}
}`

func TestCaddyfile(t *testing.T) {
	t.Parallel()
	prefix, off := "shop:", false
	want := &Module{
		Addresses: []string{"one:6379", "two"}, Username: "alice", Password: "{env.PASSWORD}", Master: "main",
		SentinelUsername: "bob", SentinelPassword: "{file./run/secrets/sentinel}",
		TLS:       &TLS{CA: "/etc/ca.pem", Certificate: "/etc/client.pem", Key: "/etc/client.key", ServerName: "redis.example.org"},
		KeyPrefix: &prefix, PoolSize: 30,
		DialTimeout: caddy.Duration(200 * time.Millisecond), ReadTimeout: caddy.Duration(time.Second), WriteTimeout: caddy.Duration(24 * time.Hour),
		Pipelining: &off, WaitReplicas: 1, NearCache: &NearCache{MaxEntries: 5000, MaxBytes: 16 << 20},
	}
	if got := mustParse(t, everything); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for text, want := range map[string]*Module{
		"redis":                              {},
		"redis {\n}":                         {},
		"redis localhost":                    {Addresses: []string{"localhost"}},
		"redis one {\ncluster\n}":            {Addresses: []string{"one"}, Cluster: true},
		"redis {\ndb 3\n}":                   {DB: 3},
		"redis {\ntls\n}":                    {TLS: new(TLS)},
		"redis {\nnear_cache\n}":             {NearCache: new(NearCache)},
		"redis {\nkey_prefix \"\"\n}":        {KeyPrefix: new(string)},
		"redis {\nnear_cache {\n}\ntls {\n}": {NearCache: new(NearCache), TLS: new(TLS)},
	} {
		if got, err := parse(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, want %+v (%v)", text, got, want, err)
		}
	}
}

func TestCaddyfileErrors(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]string{
		"size 3":                  "unrecognized option of store redis: size",
		"tls {\ninsecure\n}":      "unrecognized option of store redis, tls: insecure",
		"near_cache {\nsize 3\n}": "unrecognized option of store redis, near_cache: size",
		"db 1\ndb 1":              "store redis: db is given twice",
		"cluster\ncluster":        "store redis: cluster is given twice",
		"tls\ntls":                "store redis: tls is given twice",
		"tls {\nca a\nca b\n}":    "store redis, tls: ca is given twice",
		"near_cache {\nmax_bytes 1\nmax_bytes 1\n}": "store redis, near_cache: max_bytes is given twice",
		"username":                          "value",
		"password":                          "value",
		"password " + secret + " b":         "value",
		"master":                            "value",
		"sentinel_username":                 "value",
		"sentinel_password":                 "value",
		"key_prefix":                        "value",
		"cluster on":                        "value",
		"tls on":                            "value",
		"tls {\nca\n}":                      "value",
		"tls {\ncertificate a\n}":           "value",
		"tls {\ncertificate a b c\n}":       "value",
		"tls {\nserver_name\n}":             "value",
		"near_cache 5":                      "value",
		"db":                                "value",
		"db -1":                             `db must be an integer of at least 0, not "-1"`,
		"db one":                            `db must be an integer of at least 0, not "one"`,
		"db 1 2":                            "value",
		"pool_size 0":                       `pool_size must be an integer of at least 1, not "0"`,
		"pool_size 1.5":                     `pool_size must be an integer of at least 1, not "1.5"`,
		"wait_replicas -1":                  `wait_replicas must be an integer of at least 0, not "-1"`,
		"dial_timeout 5":                    `dial_timeout must be a duration of a millisecond or more, such as 400ms, 90s, 24h or 7d, not "5"`,
		"dial_timeout 0":                    `dial_timeout must be a duration of a millisecond or more, such as 400ms, 90s, 24h or 7d, not "0"`,
		"read_timeout 999us":                `read_timeout must be a duration of a millisecond or more, such as 400ms, 90s, 24h or 7d, not "999us"`,
		"write_timeout -1s":                 `write_timeout must be a duration of a millisecond or more, such as 400ms, 90s, 24h or 7d, not "-1s"`,
		"write_timeout":                     "value",
		"pipelining yes":                    `pipelining must be on or off, not "yes"`,
		"pipelining":                        "value",
		"near_cache {\nmax_entries 0\n}":    `max_entries must be an integer of at least 1, not "0"`,
		"near_cache {\nmax_bytes many\n}":   `max_bytes must be a number of bytes such as 4000, 64KB or 64KiB, and at most 1.0 PiB, not "many"`,
		"near_cache {\nmax_bytes 0\n}":      `max_bytes must be a number of bytes such as 4000, 64KB or 64KiB, and at most 1.0 PiB, not "0"`,
		"near_cache {\nmax_bytes 9000PB\n}": `max_bytes must be a number of bytes such as 4000, 64KB or 64KiB, and at most 1.0 PiB, not "9000PB"`,
		"near_cache {\nmax_bytes\n}":        "value",
	} {
		_, err := parse("redis {\n" + options + "\n}")
		if err == nil {
			t.Errorf("%q: no error", options)
			continue
		}
		fails(t, err, want)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	for _, text := range []string{everything, "redis", "redis {\nkey_prefix \"\"\n}", "redis a b {\npipelining on\ntls\nnear_cache\n}"} {
		s := mustParse(t, text)
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		again := new(Module)
		if err := caddy.StrictUnmarshalJSON(encoded, again); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(s, again) {
			t.Errorf("%s: got %+v, want %+v", encoded, again, s)
		}
	}
	encoded, _ := json.Marshal(mustParse(t, "redis {\npassword x\nnear_cache {\nmax_entries 3\n}\n}"))
	if got := string(encoded); got != `{"password":"x","near_cache":{"max_entries":3}}` {
		t.Errorf("JSON: %s", got)
	}
}

// The examples in the documentation are valid.
func TestDocumentation(t *testing.T) {
	t.Setenv("REDIS_PASSWORD", secret)
	ca := redistest.NewTLS(t).CA
	password := filepath.Join(t.TempDir(), "redis")
	if err := os.WriteFile(password, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	withUser := 0
	for _, example := range docs.Examples(t, "caddyfile") {
		_, text, found := strings.Cut(example.Text, "store redis")
		if !found {
			continue
		}
		text = strings.NewReplacer("/etc/redis/ca.pem", ca, "/run/secrets/redis", password).Replace("redis" + text)
		s := mustProvision(t, text)
		if !strings.Contains(text, "caddy") {
			continue
		}
		withUser++
		if s.opts.Username != "caddy" || s.opts.Password != secret {
			t.Errorf("%s: user %q", text, s.opts.Username)
		}
	}
	if withUser != 3 {
		t.Errorf("%d examples with a user", withUser)
	}
	section := docs.Named(t, "docs/stores/redis.md")
	for option := range strings.SplitSeq("username password db master sentinel_username sentinel_password cluster tls ca certificate "+
		"server_name key_prefix pool_size dial_timeout read_timeout write_timeout pipelining wait_replicas near_cache max_entries max_bytes", " ") {
		if !strings.Contains(section, "`"+option) && !strings.Contains(section, "{ "+option) && !strings.Contains(section, "`tls { "+option) {
			t.Errorf("the documentation does not name %s", option)
		}
	}
}
