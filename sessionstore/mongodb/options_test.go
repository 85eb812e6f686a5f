package mongodb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore/mongodb"
)

// The error says what is wrong with a URI, without its secrets.
func TestURIs(t *testing.T) {
	t.Parallel()
	for uri, says := range map[string]string{
		"mongodb://localhost":                              "",
		"mongodb://a,b:27018/db?replicaSet=rs&tls=true":    "",
		"mongodb://user:secret@a/?authSource=admin":        "",
		"mongodb://a/?w=1&journal=true":                    "",
		"mongodb://%2Frun%2Fmongodb.sock/":                 "",
		"mongodb+srv://user:secret@cluster.invalid/?tls=1": "", // resolved on first use
		"mongodb+srv://cluster.invalid":                    "",

		"":                                                          "uri: it must begin with mongodb:// or mongodb+srv://",
		"http://user:to-find@a/":                                    "uri: it must begin with",
		"user:to-find@a":                                            "uri: it must begin with",
		"mongodb+srv://user:to-find@":                               "uri: no host",
		"mongodb+srv://user:to-find@?tls=1":                         "uri: no host",
		"mongodb+srv://user:to:find@a/":                             "the user name or the password",
		"mongodb://user:to-find@":                                   "uri: ",
		"mongodb://user:to/find@a/":                                 "the user name or the password",
		"mongodb://user:to-find:to-find@a/":                         "the user name or the password",
		"mongodb://user:to-find@a/?w=0":                             "w=0",
		"mongodb://user:to-find@a/?journal=ja":                      "journal",
		"mongodb://user:to-find@a:99999/":                           "uri: ",
		"mongodb://user:to-find@a/?maxPoolSize=":                    "uri: ",
		"mongodb://user:to-find@a/?tlsCAFile=/no/such/file":         "no such file",
		"mongodb://user:to-find@a/?authMechanism=to-find":           "uri: ",
		"mongodb://user:to-find@a/?authMechanismProperties=to-find": "uri: ",
		"mongodb://user:to-find@a/?tls=true&tlsCertificateKeyFilePassword=to-find": "",
		"mongodb://user:to-find@a,b/?directConnection=true":                        "uri: ",
	} {
		err := mongodb.Check(uri, mongodb.Options{})
		switch {
		case says == "" && err != nil:
			t.Errorf("%s: %v", uri, err)
		case says != "" && (err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "mongodb: ") || strings.Contains(err.Error(), "to-find") || strings.Contains(err.Error(), "find@")):
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// TestOptions has a case on each side of every limit.
func TestOptions(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, test := range map[string]struct {
		o  mongodb.Options
		ok bool
	}{
		"least":                    {mongodb.Options{}, true},
		"names":                    {mongodb.Options{Database: "my-app_1", Collection: "my.app-sessions_1"}, true},
		"longest database":         {mongodb.Options{Database: long(63)}, true},
		"longer database":          {mongodb.Options{Database: long(64)}, false},
		"database with a dot":      {mongodb.Options{Database: "a.b"}, false},
		"database with a dollar":   {mongodb.Options{Database: "$a"}, false},
		"database with a null":     {mongodb.Options{Database: "a\x00"}, false},
		"longest collection":       {mongodb.Options{Collection: long(120)}, true},
		"longer collection":        {mongodb.Options{Collection: long(121)}, false},
		"collection with a dollar": {mongodb.Options{Collection: "a$b"}, false},
		"collection of the system": {mongodb.Options{Collection: "system.users"}, false},
		"collection like that":     {mongodb.Options{Collection: "systems.users"}, true},
		"collection of digits":     {mongodb.Options{Collection: "1"}, false},
		"longest prefix":           {mongodb.Options{KeyPrefix: long(mongodb.MaxPrefix)}, true},
		"longer prefix":            {mongodb.Options{KeyPrefix: long(mongodb.MaxPrefix + 1)}, false},
		"prefix with a space":      {mongodb.Options{KeyPrefix: "a b"}, false},
		"prefix beyond ASCII":      {mongodb.Options{KeyPrefix: "ä"}, false},
		"timeout":                  {mongodb.Options{Timeout: time.Millisecond}, true},
		"short timeout":            {mongodb.Options{Timeout: time.Millisecond - 1}, false},
		"dial timeout":             {mongodb.Options{DialTimeout: -time.Second}, false},
		"pool":                     {mongodb.Options{PoolSize: -1}, false},
		"lifetime":                 {mongodb.Options{Endless: -1}, false},
		"index of another":         {mongodb.Options{Layout: collections["foreign"], CreateIndex: true}, false},
	} {
		s, err := mongodb.Open("mongodb://localhost/", test.o)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = s.Close()
		}
	}
}
