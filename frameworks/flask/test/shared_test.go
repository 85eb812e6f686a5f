package flask_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// shared starts a Caddy that shares Flask-Session's records in Redis, with a backend behind it.
type shared struct {
	*testing.T
	caddy *harness.Caddy
	redis *goredis.Client
}

func startShared(t *testing.T, dialect, options string) shared {
	t.Helper()
	addr := redistest.Start(t, redistest.Options{}).Addr()
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	t.Cleanup(func() { _ = client.Close() })
	other := httptest.NewServer(http.HandlerFunc(speak))
	t.Cleanup(other.Close)
	c := harness.Start(t, "http://$ADDR {\n session {\n store_timeout 10s\n store redis "+addr+" {\n read_timeout 5s\n }\n dialect flask_session {\n "+dialect+"\n }\n "+options+
		"\n }\n reverse_proxy "+other.Listener.Addr().String()+"\n}\n")
	return shared{t, c, client}
}

const anID = "u6gJxu0Fq2qk1yKX2o5n0oO3m8b9vJkQyVt4e1sZQ7A"

// put stores a record as the app would, and returns its visitor.
func (s shared) put(value string) headerSide {
	s.Helper()
	if err := s.redis.Set(s.Context(), "session:"+anID, value, 0).Err(); err != nil {
		s.Fatal(err)
	}
	return headerSide{with(s.T, s.caddy.URL, anID), s.caddy.URL}
}

func (s shared) stored() string {
	s.Helper()
	value, err := s.redis.Get(s.Context(), "session:"+anID).Result()
	if err != nil {
		s.Fatal(err)
	}
	return value
}

// An unreadable record fails its request and stays unchanged.
func TestAttackUnreadableRecords(t *testing.T) {
	s := startShared(t, "", "")
	for name, value := range map[string]string{
		"random bytes":             "\x8f\x12\x9a\x00\xff\x17 not for the log",
		"truncated pickle":         "\x80\x04\x95\x22\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\n_permanent\x94\x88\x8c\x03uid",
		"a call":                   "\x80\x04}\x8c\x01a\x8c\x05posix\x8c\x06system\x93\x8c\x0atouch /x/y\x85Rs.",
		"a pickle of 50 MB":        "\x80\x04" + strings.Repeat("]", 50<<20),
		"lists in lists":           "\x80\x02}U\x01a]" + strings.Repeat("q\x00]h\x00ah\x00a", 60) + "s.",
		"a map of 4 G items":       "\xdf\xff\xff\xff\xff",
		"deep MessagePack":         "\x81\xa1a" + strings.Repeat("\x91", 100000) + "\xc0",
		"another program's record": `["a list"]`,
	} {
		t.Run(name, func(t *testing.T) {
			v := s.put(value)
			for _, query := range []string{"", "?X-Session-Update=" + `{"a":1}`, "?X-Session-Control=destroy"} {
				status, body := v.do(http.MethodGet, v.base+"/"+query, nil)
				if status != http.StatusServiceUnavailable || strings.TrimSpace(body) != "Your session cannot be read." {
					t.Errorf("%s: %d %.100s", query, status, body)
				}
			}
			if s.stored() != value {
				t.Error("the record has changed")
			}
			if v.cookie(s.caddy.URL) != anID {
				t.Error("the cookie has changed")
			}
		})
	}
	if !s.caddy.WaitLog("the stored record cannot be read") {
		t.Error("nothing is logged")
	}
	for _, secret := range []string{"not for the log", "touch /x/y", anID} {
		if strings.Contains(s.caddy.Log(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if peak := peakMemory(t, s.caddy.Pid()); peak > 400<<20 && runtime.GOOS == "linux" {
		t.Errorf("the proxy used %d MiB", peak>>20)
	}
}

// peakMemory is the most memory that a process has used, in bytes.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.Atoi(kilobytes)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// A value that the app's serialization cannot hold is refused, and the record stays unchanged.
func TestDataThatCannotBeWritten(t *testing.T) {
	s := startShared(t, "", "")
	const msgpack, json_ = "\x81\xa1a\x01", `{"a":1}`
	for name, test := range map[string]struct{ record, update string }{
		"an int of 65 bits in MessagePack": {msgpack, `{"b":36893488147419103232}`},
		"Markup in MessagePack":            {msgpack, `{"b":{" m":"<b>"}}`},
		"an unknown marker":                {"\x80\x04}.", `{"b":{" o":"app.Basket#0123456789ab"}}`},
		"a tag with a wrong value":         {"\x80\x04}.", `{"b":{" t":"x"}}`},
		"Flask's own members":              {json_, `{"_flashes":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			v := s.put(test.record)
			status, _ := v.do(http.MethodGet, v.base+"/"+query([]string{"X-Session-Update", test.update}), nil)
			if status != http.StatusBadGateway {
				t.Errorf("answered %d", status)
			}
			if got := s.stored(); got != test.record {
				t.Errorf("the record is now %q", got)
			}
		})
	}
	if !s.caddy.WaitLog("session change refused") {
		t.Error("nothing is logged")
	}
}

// An object that only the app can make is shown as a marker, which may be moved and deleted.
func TestMarkers(t *testing.T) {
	// {"a": 1, "basket": app.Basket(owner=None)}
	const record = "\x80\x04}(\x8c\x01aK\x01\x8c\x06basket\x8c\x03app\x8c\x06Basket\x93)\x81}\x8c\x05ownerNsbu."
	const object = "\x8c\x03app\x8c\x06Basket\x93)\x81}(\x8c\x05ownerNub"
	s := startShared(t, "", "")
	v := s.put(record)
	marker, ok := v.data()["basket"].(map[string]any)
	text, _ := marker[" o"].(string)
	if !ok || !strings.HasPrefix(text, "app.Basket#") {
		t.Fatalf("the marker is %v", v.data()["basket"])
	}
	v.set(map[string]any{"a": 2})
	if got := s.stored(); !strings.Contains(got, object) || !strings.Contains(got, "\x8c\x01aK\x02") {
		t.Errorf("after a change beside it: %q", got)
	}
	v.ask("X-Session-Update", `[{"op":"move","from":"/basket","path":"/bag"}]`)
	if got := s.stored(); !strings.Contains(got, "\x8c\x03bag"+object) || strings.Contains(got, "basket") {
		t.Errorf("after a move: %q", got)
	}
	v.pop("bag")
	if got := s.stored(); strings.Contains(got, "Basket") {
		t.Errorf("after it was deleted: %q", got)
	}
}

// What the app saves between our load and our commit is kept.
func TestAppSavesMeanwhile(t *testing.T) {
	s := startShared(t, "", "")
	const before, meanwhile = "\x82\xa1a\x01\xa1b\x01", "\x83\xa1a\x02\xa1b\x01\xa1c\x03"
	s.put(before)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := s.redis.Set(t.Context(), "session:"+anID, meanwhile, 0).Err(); err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Session-Update", `[{"op":"increment","path":"/a","value":10},{"op":"remove","path":"/b"}]`)
	}))
	t.Cleanup(backend.Close)
	config, err := os.ReadFile(s.caddy.Config())
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(config), "reverse_proxy")
	if err := s.caddy.Reload(head + "reverse_proxy " + backend.Listener.Addr().String() + "\n}\n"); err != nil {
		t.Fatal(err)
	}
	v := headerSide{with(t, s.caddy.URL, anID), s.caddy.URL}
	v.ok(http.MethodGet, s.caddy.URL+"/", nil)
	if got := s.stored(); got != "\x82\xa1a\x0c\xa1c\x03" {
		t.Errorf("the record is %q", got)
	}
}

// New sessions, ids and cookies look like the app's.
func TestNewShared(t *testing.T) {
	for name, test := range map[string]struct{ dialect, prefix, begins string }{
		"by default": {"", "session:", "\x80\x04}"},
		"msgpack":    {"serialization msgpack\n key_prefix app:\n permanent off", "app:", "\x81\xa1a\x01"},
		"json":       {"serialization json", "session:", `{"_permanent":true,"a":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := startShared(t, test.dialect, "")
			v := headerSide{newVisitor(t), s.caddy.URL}
			v.set(map[string]any{"a": 1})
			value, err := s.redis.Get(t.Context(), test.prefix+v.cookie(s.caddy.URL)).Result()
			if err != nil || !strings.HasPrefix(value, test.begins) {
				t.Errorf("%q, %v", value, err)
			}
			if permanent := !strings.Contains(test.dialect, "permanent off"); v.set0() == nil || (v.set0().MaxAge > 0) != permanent {
				t.Errorf("the cookie is %v", v.set0())
			}
		})
	}
}

func (s headerSide) set0() *http.Cookie { return s.visitor.set }

// An id that a client invents is not a session and does not become one.
func TestAttackPlantedIDs(t *testing.T) {
	s := startShared(t, "", "")
	for _, planted := range []string{"made-up", "00000000-0000-4000-8000-000000000000", strings.Repeat("a", 43), "../x", "a b"} {
		v := headerSide{with(t, s.caddy.URL, planted), s.caddy.URL}
		if got := v.ask().Info; got != "exists=?0" {
			t.Errorf("%s: %s", planted, got)
		}
		v.set(map[string]any{"user": "victim"})
		if v.cookie(s.caddy.URL) == planted {
			t.Errorf("%s has become a session", planted)
		}
		thief := headerSide{with(t, s.caddy.URL, planted), s.caddy.URL}
		expect(t, thief.data(), nil)
	}
}

// A cookie that the app did not sign is not a session; one signed with a former secret is signed
// again.
func TestSignedCookies(t *testing.T) {
	s := startShared(t, "use_signer on\n secret new former", "")
	v := headerSide{newVisitor(t), s.caddy.URL}
	v.set(map[string]any{"a": 1})
	value := v.cookie(s.caddy.URL)
	id, signature, signed := strings.Cut(value, ".")
	if !signed || len(signature) != 27 {
		t.Fatalf("the cookie is %s", value)
	}
	for _, forged := range []string{id, id + ".", id + "." + signature[1:], id + ".A" + signature[1:], "x" + value} {
		if got := (headerSide{with(t, s.caddy.URL, forged), s.caddy.URL}).ask().Info; got != "exists=?0" {
			t.Errorf("%s: %s", forged, got)
		}
	}
	expect(t, headerSide{with(t, s.caddy.URL, value), s.caddy.URL}.data(), map[string]any{"a": 1.0})
}

// The whole session is in the cookie: a change that does not fit is refused, and the old session
// stays.
func TestCookieThatWouldBeTooLarge(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(speak))
	t.Cleanup(other.Close)
	c := harness.Start(t, "http://$ADDR {\n session {\n dialect flask {\n secret dev\n }\n max_size 30000\n }\n reverse_proxy "+other.Listener.Addr().String()+"\n}\n")
	v := headerSide{newVisitor(t), c.URL}
	v.set(map[string]any{"a": 1})
	before := v.cookie(c.URL)
	random, err := json.Marshal(strings.Repeat("x", 9000)) // this compresses well
	if err != nil {
		t.Fatal(err)
	}
	v.ask("X-Session-Update", `{"b":`+string(random)+`}`)
	fits := v.cookie(c.URL)
	if fits == before || !strings.HasPrefix(fits, ".") {
		t.Errorf("the cookie is %.20s", fits)
	}
	var noise strings.Builder
	for i := range 1200 {
		noise.WriteString(strconv.Itoa(i * i * 7919))
	}
	status, _ := v.do(http.MethodGet, v.base+"/"+query([]string{"X-Session-Update", `{"c":"` + noise.String() + `"}`}), nil)
	if status != http.StatusBadGateway || v.cookie(c.URL) != fits {
		t.Errorf("answered %d", status)
	}
	if data := v.data(); len(data) != 2 {
		t.Errorf("%d fields are left", len(data))
	}
	if !c.WaitLog("browsers keep 4096") {
		t.Errorf("the log does not say why: %s", c.Log())
	}
}
