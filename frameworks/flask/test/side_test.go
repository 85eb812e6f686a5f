package flask_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// visitor is a browser with one cookie.
type visitor struct {
	*testing.T
	client *http.Client

	// set is the session cookie that a response set last.
	set *http.Cookie
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	return &visitor{T: t, client: harness.Client(t)}
}

// with returns a visitor with this cookie value, or with its own if value is empty.
func with(t *testing.T, base, value string) *visitor {
	t.Helper()
	v := newVisitor(t)
	if value == "" {
		return v
	}
	u, _ := url.Parse(base)
	v.client.Jar.SetCookies(u, []*http.Cookie{{Name: "session", Value: value, Path: "/"}})
	return v
}

// cookie returns the value of the session cookie, or "".
func (v *visitor) cookie(base string) string {
	u, _ := url.Parse(base)
	for _, c := range v.client.Jar.Cookies(u) {
		if c.Name == "session" {
			return c.Value
		}
	}
	return ""
}

func (v *visitor) do(method, address string, body any) (int, string) {
	v.Helper()
	var r io.Reader = http.NoBody
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			v.Fatal(err)
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, address, r)
	if err != nil {
		v.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := v.client.Do(req)
	if err != nil {
		v.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		v.Fatal(err)
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "X-Session") {
			v.Errorf("%s reached the client", name)
		}
	}
	for _, c := range resp.Cookies() {
		if c.Name == "session" {
			v.set = c
		}
	}
	return resp.StatusCode, string(answer)
}

// ok is do for a request that must succeed.
func (v *visitor) ok(method, address string, body any) string {
	v.Helper()
	status, answer := v.do(method, address, body)
	if status != http.StatusOK {
		_, path, _ := strings.Cut(strings.TrimPrefix(address, "http://"), "/")
		v.Fatalf("%s /%s: %d: %s", method, path, status, answer)
	}
	return answer
}

// side is a program that shares the session, as a visitor sees it.
type side interface {
	login(user string)
	set(values map[string]any)
	data() map[string]any
	pop(key string)
	clear()
	logout()
	flash(category, message string)
	flashes() [][2]string
	permanent(on bool)
}

// flaskSide is the Flask app.
type flaskSide struct {
	*visitor
	base string
}

func (s flaskSide) post(path string, args ...string) string {
	s.Helper()
	return s.ok(http.MethodPost, s.base+path+query(args), nil)
}

func (s flaskSide) get(path string, args ...string) string {
	s.Helper()
	return s.ok(http.MethodGet, s.base+path+query(args), nil)
}

// query makes a query string from alternating names and values.
func query(args []string) string {
	values := make(url.Values)
	for i := 0; i+1 < len(args); i += 2 {
		values.Add(args[i], args[i+1])
	}
	return "?" + values.Encode()
}

func (s flaskSide) login(user string) { s.Helper(); s.set(map[string]any{"user": user}) }

func (s flaskSide) set(values map[string]any) {
	s.Helper()
	s.ok(http.MethodPost, s.base+"/set", values)
}

func (s flaskSide) data() map[string]any {
	s.Helper()
	return decode[map[string]any](s.T, s.get("/data"))
}

func (s flaskSide) pop(key string) { s.Helper(); s.post("/pop", "key", key) }
func (s flaskSide) clear()         { s.Helper(); s.post("/clear") }
func (s flaskSide) logout()        { s.Helper(); s.post("/clear") }

func (s flaskSide) flash(category, message string) {
	s.Helper()
	s.post("/flash", "category", category, "message", message)
}

func (s flaskSide) flashes() [][2]string {
	s.Helper()
	return decode[[][2]string](s.T, s.post("/flashes"))
}

func (s flaskSide) permanent(on bool) {
	s.Helper()
	s.post("/permanent", "on", map[bool]string{true: "1", false: "0"}[on])
}

// headerSide is a backend that does not know Flask: it uses headers.
type headerSide struct {
	*visitor
	base string
}

// told returns the session data that the proxy gave the backend.
type told struct {
	Data  map[string]any
	Info  string
	Flash [][2]string
}

// ask sends a request whose response has the session headers in args, alternating names and values.
func (s headerSide) ask(args ...string) told {
	s.Helper()
	return decode[told](s.T, s.ok(http.MethodGet, s.base+"/"+query(args), nil))
}

// speak is the handler of the backend.
func speak(w http.ResponseWriter, r *http.Request) {
	maps.Copy(w.Header(), r.URL.Query())
	answer := map[string]any{"Info": r.Header.Get("X-Session-Info")}
	answer["Data"] = json.RawMessage(r.Header.Get("X-Session-Data"))
	if flash := r.Header.Get("X-Session-Flash"); flash != "" {
		answer["Flash"] = json.RawMessage(flash)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(text)
}

func (s headerSide) login(user string) {
	s.Helper()
	s.ask("X-Session-Update", encode(s.T, map[string]any{"user": user}), "X-Session-Control", "regenerate")
}

func (s headerSide) set(values map[string]any) {
	s.Helper()
	s.ask("X-Session-Update", encode(s.T, values))
}

func (s headerSide) data() map[string]any {
	s.Helper()
	data := s.ask().Data
	for key := range data {
		if strings.HasPrefix(key, "_") {
			s.Errorf("X-Session-Data has %s", key)
		}
	}
	return data
}

func (s headerSide) pop(key string) {
	s.Helper()
	s.ask("X-Session-Update", encode(s.T, map[string]any{key: nil}))
}

func (s headerSide) clear() {
	s.Helper()
	s.ask("X-Session-Update", `[{"op":"replace","path":"","value":{}}]`)
}

func (s headerSide) logout() { s.Helper(); s.ask("X-Session-Control", "destroy") }

func (s headerSide) flash(category, message string) {
	s.Helper()
	s.ask("X-Session-Flash", encode(s.T, []string{category, message}))
}

func (s headerSide) flashes() [][2]string {
	s.Helper()
	return s.ask("X-Session-Control", "flash-seen").Flash
}

func (s headerSide) permanent(on bool) {
	s.Helper()
	s.ask("X-Session-Control", map[bool]string{true: "permanent", false: "permanent=?0"}[on])
}

// encode returns JSON for a header: response headers may hold UTF-8.
func encode(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}
