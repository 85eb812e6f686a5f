package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// server serves exports and imports as Caddy's admin server does, but with less time to read a
// body.
func (p *place) server() *httptest.Server {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := export
		if r.Method == http.MethodPost {
			answer = importAll
		}
		if err := answer(w, r, p.Opened); err != nil {
			known := APIError(err)
			http.Error(w, known.Err.Error(), known.HTTPStatus)
		}
	}))
	s.Config.ReadHeaderTimeout, s.Config.IdleTimeout, s.Config.ReadTimeout = time.Minute, time.Minute, time.Millisecond
	s.Start()
	p.Cleanup(s.Close)
	return s
}

// lines returns n sessions as an export has them. They have ended since.
func (p *place) lines(n int) (all []string) {
	p.Helper()
	for range n {
		p.login(scope, "zoe")
	}
	w := httptest.NewRecorder()
	if err := export(w, httptest.NewRequest(http.MethodGet, "/session/records", nil), p.Opened); err != nil {
		p.Fatal(err)
	}
	for line := range strings.Lines(w.Body.String()) {
		all = append(all, line)
	}
	if done, err := p.End(p.Context(), Of{All: true}); done.Ended != n || err != nil || len(all) != n {
		p.Fatalf("%d have ended, %d are exported, %v", done.Ended, len(all), err)
	}
	return all
}

// send imports a body.
func (p *place) send(s *httptest.Server, body io.Reader) (done Imported, status int, text string) {
	p.Helper()
	resp, err := http.Post(s.URL+"/session/records", "application/x-ndjson", body)
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		p.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK {
		err = json.Unmarshal(raw, &done)
	}
	if err != nil {
		p.Fatal(err)
	}
	return done, resp.StatusCode, string(raw)
}

// slowly is a body whose lines come later than the server would wait for all of it.
func slowly(lines ...string) io.Reader {
	from, to := io.Pipe()
	go func() {
		for _, line := range lines {
			time.Sleep(20 * time.Millisecond)
			if _, err := io.WriteString(to, line); err != nil {
				return // the server has answered
			}
		}
		_ = to.Close()
	}()
	return from
}

func TestImportFromASlowClient(t *testing.T) {
	p := newPlace(t)
	lines := p.lines(5)
	if done, status, text := p.send(p.server(), slowly(lines...)); done.Saved != 5 {
		t.Errorf("%d: %s", status, text)
	}
}

// slow is a store that takes its time for each change.
type slow struct{ sessionstore.Store }

func (s slow) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	time.Sleep(time.Millisecond)
	return s.Store.CompareAndSet(ctx, key, old, value, ttl)
}

// The lines are more than the server reads ahead.
func TestImportToASlowStore(t *testing.T) {
	p := newPlace(t)
	lines := p.lines(100)
	p.parts[0].store = slow{p.store}
	if done, status, text := p.send(p.server(), strings.NewReader(strings.Join(lines, ""))); done.Saved != len(lines) {
		t.Errorf("%d: %s", status, text)
	}
}

// A client that says no more is not waited for. The answer tells how far the import came.
func TestImportThatStalls(t *testing.T) {
	lineTimeout = 50 * time.Millisecond
	defer func() { lineTimeout = time.Minute }()
	p := newPlace(t)
	lines := p.lines(1)
	from, to := io.Pipe()
	defer to.Close()
	go func() { _, _ = io.WriteString(to, lines[0]+"{") }()
	_, status, text := p.send(p.server(), from)
	if status != http.StatusBadRequest || !strings.Contains(text, "reading line ") || !strings.Contains(text, "timeout") ||
		!strings.Contains(text, "sessions were saved") || !strings.Contains(text, "goes on from there") {
		t.Errorf("%d: %s", status, text)
	}
}

func TestImportTellsHowFarItCame(t *testing.T) {
	p := newPlace(t)
	lines := p.lines(3)
	s := p.server()
	_, status, text := p.send(s, strings.NewReader(lines[0]+lines[1]+"{}\n"+lines[2]))
	if status != http.StatusBadRequest || !strings.Contains(text, "line 3: it is not a session") || !strings.Contains(text, "2 sessions were saved and 0 were there already") {
		t.Errorf("%d: %s", status, text)
	}
	if done, _, text := p.send(s, strings.NewReader(strings.Join(lines, ""))); done.Saved != 1 || done.Same != 2 {
		t.Error(text)
	}
}

// A record of the store that cannot be read stops the import of no other. It is named, and left as
// it is.
func TestImportPastARecordThatCannotBeRead(t *testing.T) {
	p := newPlace(t)
	lines := p.lines(3)
	s := p.server()
	if done, _, text := p.send(s, strings.NewReader(lines[1])); done.Saved != 1 {
		t.Fatal(text)
	}
	var record Record
	if err := json.Unmarshal([]byte(lines[1]), &record); err != nil {
		t.Fatal(err)
	}
	damaged := record.Value[:len(record.Value)-1]
	if _, err := p.store.CompareAndSet(t.Context(), record.Ref, record.Value, damaged, time.Hour); err != nil {
		t.Fatal(err)
	}
	done, status, text := p.send(s, strings.NewReader(strings.Join(lines, "")))
	if want := (Imported{Saved: 2, Unreadable: 1, Refs: []string{record.Ref}}); !reflect.DeepEqual(done, want) {
		t.Errorf("%d: %s", status, text)
	}
	if e, err := p.store.Get(t.Context(), record.Ref); err != nil || !bytes.Equal(e.Value, damaged) {
		t.Errorf("the record was overwritten, %v", err)
	}
}

// An answer names refs up to a limit, and counts the rest.
func TestImportNamesSomeRefsThatCannotBeRead(t *testing.T) {
	var done Imported
	for range maxRefs {
		done.unreadable("ref")
	}
	if len(done.Refs) != maxRefs {
		t.Errorf("%d of %d are named", len(done.Refs), maxRefs)
	}
	if done.unreadable("ref"); len(done.Refs) != maxRefs || done.Unreadable != maxRefs+1 {
		t.Errorf("%d are named, %d counted", len(done.Refs), done.Unreadable)
	}
}
