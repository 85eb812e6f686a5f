package caddymodule

import (
	"encoding/base64"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestDialectOptions(t *testing.T) {
	t.Setenv("SESSION_TEST_EMPTY", "")
	t.Setenv("SESSION_TEST_APP", "dev")
	const flask, shared = "dialect flask {\nsecret {env.SESSION_TEST_APP}\n", "store redis r.invalid\ndialect flask_session {\n"
	for name, tt := range map[string]struct{ options, complaint string }{
		"a name and more":               {"dialect flask x {\nsecret a\n}", "value"},
		"an unknown option":             {flask + "salt x\n}", "unrecognized option of dialect flask: salt"},
		"an option twice":               {flask + "secret b\n}", "secret is given twice"},
		"no secret":                     {"dialect flask", "secret: set the app's secret"},
		"an empty secret":               {"dialect flask {\nsecret {env.SESSION_TEST_EMPTY}\n}", "secret: key 1 of 1: the placeholder {env.SESSION_TEST_EMPTY} resolves to nothing"},
		"an empty second key":           {"dialect flask {\nsecret a {env.SESSION_TEST_NONE}\n}", "secret: key 2 of 2: the placeholder {env.SESSION_TEST_NONE} resolves to nothing"},
		"a short lifetime":              {flask + "lifetime 10ms\n}", "lifetime must be a duration of a second or more"},
		"neither on nor off":            {flask + "permanent yes\n}", `permanent must be on or off, not "yes"`},
		"a store with flask":            {flask + "}\nstore memory", "store cannot be used with dialect flask: its sessions are kept in the cookie"},
		"a secret beside the dialect's": {flask + "}\nsecret 0123456789abcdef", "secret cannot be used with dialect flask"},
		"a scope":                       {flask + "}\nscope x", "scope cannot be used with dialect flask"},
		"an idle timeout":               {flask + "}\nidle_timeout 1h", "idle_timeout cannot be used with dialect flask: use lifetime"},
		"an absolute timeout":           {flask + "}\nabsolute_timeout 1h", "absolute_timeout cannot be used with dialect flask"},
		"a permanent cookie":            {flask + "}\ncookie {\npermanent on\n}", "permanent of cookie cannot be used with dialect flask: use permanent in the dialect's block"},
		"a vault":                       {flask + "}\nvault sid", "vault cannot be used with dialect flask"},
		"an adopted app":                {flask + "}\nadopt flask {\nsecret a\n}", "adopt cannot be used with the dialect"},

		"a store that the app cannot have": {"store memory\ndialect flask_session", "dialect flask_session cannot be used with store memory: use the store of the app, one of redis, memcached, mongodb, sql, file"},
		"no store":                         {"dialect flask_session", "dialect flask_session cannot be used with store bolt"},
		"a prefix at the store":            {"store redis r.invalid {\nkey_prefix x\n}\ndialect flask_session", "key_prefix: set it in the block of the dialect"},
		"a secret without use_signer":      {shared + "secret a\n}", "secret: needs use_signer on, which signs the cookies"},
		"a signer without a secret":        {shared + "use_signer on\n}", "secret: set the app's secret"},
		"another serialization":            {shared + "serialization yaml\n}", `serialization must be auto, pickle, msgpack or json, not "yaml"`},
		"a prefix with a space":            {shared + "key_prefix \"a b\"\n}", "key_prefix must be at most 72 printable ASCII characters"},
		"a long prefix":                    {shared + "key_prefix " + strings.Repeat("x", 100) + "\n}", "key_prefix must be at most 72 printable ASCII characters"},
		"PHP without its folder":           {"dialect php\nstore file", "store file: the folder of the app is missing"},
		"a store that PHP cannot have":     {"dialect php\nstore redis r.invalid", "dialect php cannot be used with store redis: use the store of the app, one of file"},
		"a maximum that PHP does not know": {"dialect php\nstore file /x {\nthreshold 5\n}", "threshold cannot be used"},
		"a serializer of an extension":     {"dialect php {\nserializer igbinary\n}\nstore file /x", "only PHP's extensions read igbinary"},
		"its unknown option":               {shared + "salt x\n}", "unrecognized option of dialect flask_session: salt"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := provision(t, tt.options)
			if err == nil || !strings.Contains(err.Error(), tt.complaint) {
				t.Errorf("%v, want %s", err, tt.complaint)
			}
			if err != nil && strings.Contains(err.Error(), "0123456789abcdef") {
				t.Error("the secret is in the error")
			}
		})
	}
}

func TestDialectDefaults(t *testing.T) {
	for name, tt := range map[string]struct {
		options                string
		cookie                 string
		permanent, passThrough bool
		lifetime               time.Duration
	}{
		"flask":              {"dialect flask {\nsecret dev\n}", "session", false, true, 744 * time.Hour},
		"flask with options": {"dialect flask {\nsecret dev\nlifetime 2h\npermanent on\n}\ncookie {\nname sid\npass_through off\n}", "sid", true, false, 2 * time.Hour},
		"flask_session":      {"store redis r.invalid\ndialect flask_session", "session", true, true, 744 * time.Hour},
		"php":                {"store file /x\ndialect php", "PHPSESSID", false, true, 24 * time.Minute},
		"flask_session with options": {"store redis r.invalid\ndialect flask_session {\npermanent off\nlifetime 1d\nuse_signer on\nsecret a b\n}\n" +
			"cookie {\nname sid\n}", "sid", false, true, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			h := mustProvision(t, tt.options)
			if h.cookie.Names[0] != tt.cookie || h.cookie.Permanent != tt.permanent || h.cookie.PassThrough != tt.passThrough || h.keeper.Options().IdleTimeout != tt.lifetime {
				t.Errorf("cookie %s, permanent %t, pass_through %t, %v", h.cookie.Names[0], h.cookie.Permanent, h.cookie.PassThrough, h.keeper.Options().IdleTimeout)
			}
		})
	}
}

func TestAdoptOptions(t *testing.T) {
	for name, tt := range map[string]struct{ options, complaint string }{
		"no adopter":             {"adopt", "value"},
		"an unknown adopter":     {"adopt rails", "rails"},
		"no secret":              {"adopt flask", "adopt flask: secret: set the app's secret"},
		"an unknown option":      {"adopt flask {\nsecret a\nsalt x\n}", "unrecognized option of adopt flask: salt"},
		"an option twice":        {"adopt flask {\nsecret a\nsecret b\n}", "secret is given twice"},
		"the session cookie":     {"adopt flask {\nsecret a\ncookie caddy_session\n}", "caddy_session is the name of the session cookie too"},
		"an invalid cookie name": {"adopt flask {\nsecret a\ncookie a;b\n}", "not a cookie name"},
		"twice":                  {"adopt flask {\nsecret a\n}\nadopt flask {\nsecret a\n}", "adopt is given twice"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := provision(t, inMemory(t, tt.options)); err == nil || !strings.Contains(err.Error(), tt.complaint) {
				t.Errorf("%v, want %s", err, tt.complaint)
			}
		})
	}
	h := mustProvision(t, inMemory(t, "adopt flask {\nsecret a\n}"))
	if h.adoptedCookie != "session" || h.cookie.Permanent {
		t.Errorf("cookie %s, permanent %t", h.adoptedCookie, h.cookie.Permanent)
	}
}

// TestAppWhoseClockIsBehindTakesItsCookie has a clock of the app that is almost a minute behind
// ours. Flask takes a cookie from the future for none: the user would be logged out.
func TestAppWhoseClockIsBehindTakesItsCookie(t *testing.T) {
	h := mustProvision(t, inMemory(t, "adopt flask {\nsecret a\n}"))
	r := withCookies(create(t, h, `{"user":"zoe"}`))
	_, err := serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
		given, err := r.Cookie("session")
		if err != nil {
			return err
		}
		// The value is payload.time.signature, the time in seconds.
		parts := strings.Split(given.Value, ".")
		seconds, err := base64.RawURLEncoding.DecodeString(parts[len(parts)-2])
		if err != nil {
			return err
		}
		made := time.Unix(new(big.Int).SetBytes(seconds).Int64(), 0)
		if clock := time.Now().Add(-58 * time.Second); made.After(clock) || clock.Sub(made) > time.Minute {
			t.Errorf("it was made %s ago by the app's clock", clock.Sub(made))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
