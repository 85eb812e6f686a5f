package redis

import (
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// move is a run in which sessions move from one store to Redis, while clients work and processes
// are killed.
type move struct {
	t       *testing.T
	h       *history
	crowd   *crowd
	backend string
	server  *redistest.Server
	from    string // the old store, as it stands in a Caddyfile
	proxies []*harness.Caddy
	stop    chan struct{}
	working sync.WaitGroup
}

// movers is the number of clients.
const movers = 32

// many is how many sessions move: with CADDY_SESSION_LARGE, as many as it says.
func many(t *testing.T) int {
	text := os.Getenv("CADDY_SESSION_LARGE")
	if text == "" {
		return 1000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal("CADDY_SESSION_LARGE is no number: ", err)
	}
	return n
}

func startMove(t *testing.T, from string, proxies int) *move {
	t.Helper()
	m := &move{t: t, h: newHistory(), from: from, stop: make(chan struct{})}
	m.server = redistest.Start(t, redistest.Options{AOF: true, Config: []string{"maxmemory-policy noeviction"}})
	m.backend = harness.Backend(t, m.h.ServeHTTP)
	var urls []string
	for range proxies {
		p := harness.Start(t, m.alone())
		m.proxies, urls = append(m.proxies, p), append(urls, p.URL)
	}
	m.crowd = newCrowd(m.h, urls...)
	load.Lock()
	t.Cleanup(load.Unlock)
	t.Cleanup(m.crowd.end)
	m.each(many(t), func(int) { m.create() })
	for worker := range movers {
		m.working.Go(func() { m.work(worker) })
	}
	return m
}

// alone, moving and moved are the configurations, in their order.
func (m *move) alone() string { return site(m.backend, "store "+m.from+" {") }

func (m *move) moving(hold string) string {
	return site(m.backend, "store moving {\nfrom "+m.from+"\nto redis "+m.server.Addr()+"\n"+hold)
}

func (m *move) moved() string { return site(m.backend, "store redis "+m.server.Addr()+" {") }

func (m *move) reload(proxy int, config string) {
	m.t.Helper()
	if err := m.proxies[proxy].Reload(config); err != nil {
		m.t.Fatal(err)
	}
}

func (m *move) killProxy(proxy int) {
	m.fault("SIGKILL of a proxy", func() {
		m.proxies[proxy].Kill()
		m.proxies[proxy].Run()
	})
}

func (m *move) killRedis() {
	m.fault("SIGKILL of Redis", func() {
		m.server.Kill()
		time.Sleep(300 * time.Millisecond)
		m.server.Restart()
	})
}

// fault lets the clients work before and after something breaks.
func (m *move) fault(name string, do func()) {
	m.t.Helper()
	time.Sleep(time.Second)
	f := fault{name: name, begin: m.h.now()}
	do()
	f.end = m.h.now()
	m.h.faults = append(m.h.faults, f)
	time.Sleep(time.Second)
}

// each calls f for 0 to n-1, from all clients at once.
func (m *move) each(n int, f func(i int)) {
	var wg sync.WaitGroup
	for worker := range movers {
		wg.Go(func() {
			for i := worker; i < n; i += movers {
				f(i)
			}
		})
	}
	wg.Wait()
}

func (m *move) create() {
	m.crowd.do(create, m.crowd.newSession(), rand.IntN(len(m.proxies)))
}

// work is the loop of a client. Three of four sessions have many clients, which read and change
// them. The others have one, which also gives them new ids, ends them, and comes again afterwards.
func (m *move) work(worker int) {
	lost := make(map[*session]bool) // their clients may not have got their new id
	for {
		select {
		case <-m.stop:
			return
		case <-time.After(rand.N(20 * time.Millisecond)):
		}
		m.crowd.mu.Lock()
		s := m.crowd.all[rand.IntN(len(m.crowd.all))]
		m.crowd.mu.Unlock()
		proxy, dice := rand.IntN(len(m.proxies)), rand.IntN(100)
		number, _ := strconv.Atoi(strings.TrimPrefix(s.name, "s"))
		alone := number%4 == 0
		switch {
		case s.get() == "" || lost[s] || alone && number/4%movers != worker:
		case dice < 3:
			m.create()
		case dice < 50:
			m.crowd.do(read, s, proxy)
		case dice < 80 || !alone:
			m.crowd.do(change, s, proxy)
		case dice < 92:
			lost[s] = !m.crowd.do(regenerate, s, proxy).ok()
		default:
			m.crowd.do(destroy, s, proxy)
		}
	}
}

// finish reads all sessions, which moves the rest, and again when there is the new store alone.
func (m *move) finish() {
	m.t.Helper()
	close(m.stop)
	m.working.Wait()
	worked := m.h.now()
	time.Sleep(storeTimeout + 100*time.Millisecond)
	m.readAll()
	kind, _, _ := strings.Cut(m.from, " ")
	for _, ref := range m.listed(kind) { // of a client that has not got its cookie
		if status := m.ask("/session/sessions/"+ref, nil); status != http.StatusOK {
			m.t.Errorf("looking at a session that is left: status %d", status)
		}
	}
	if left := len(m.listed(kind)); left != 0 {
		m.t.Errorf("%d sessions are left in the old store", left)
	}
	there := len(m.listed("redis"))
	for proxy := range m.proxies {
		m.reload(proxy, m.moved())
	}
	if now := len(m.listed("redis")); now != there || now == 0 {
		m.t.Errorf("the new store has %d sessions alone, and had %d before", now, there)
	}
	m.readAll()
	unanswered, unavailable := 0, 0
	for _, o := range m.h.ops {
		if o.err != nil && (m.killed(o) || o.found == nil && closed(o.err)) {
			o.err, o.status = nil, http.StatusServiceUnavailable // it may have happened
			unanswered++
		} else if o.status == http.StatusServiceUnavailable {
			unavailable++
		}
	}
	found := check(m.h, rules{patience: time.Minute})
	for i, problem := range found.problems {
		if i == 20 {
			m.t.Errorf("and %d more problems", len(found.problems)-i)
			break
		}
		m.t.Error(problem)
	}
	for _, f := range m.h.faults {
		m.t.Logf("%s at %v", f.name, f.begin.Round(time.Millisecond))
	}
	m.t.Logf("%v; %d sessions, %d left in the end; %d requests, %d without an answer, 503s: %d; doubtful sessions: %d",
		worked.Round(100*time.Millisecond), len(m.crowd.all), there, len(m.h.ops), unanswered, unavailable, found.doubtful)
	m.t.Logf("lost: %d changes and %d sessions; seen after their end: %d; stale: %d", len(found.lost), found.gone, len(found.risen), len(found.stale))
}

// killed reports whether a proxy was killed while a request was under way.
func (m *move) killed(o *op) bool {
	for _, f := range m.h.faults {
		if f.name == "SIGKILL of a proxy" && o.sent <= f.end && o.done >= f.begin {
			return true
		}
	}
	return false
}

// closed reports whether a connection was closed before it was used, as at a reload of any Caddy.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (m *move) readAll() {
	m.each(len(m.crowd.all), func(i int) {
		s := m.crowd.all[i]
		for try := 0; try < 20 && s.get() != ""; try++ {
			if m.crowd.do(final, s, i%len(m.proxies)).ok() {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// listed returns the refs of the sessions of a store.
func (m *move) listed(kind string) (refs []string) {
	m.t.Helper()
	for after := ""; ; {
		var page struct {
			Sessions []struct{ Ref string }
			Next     string
		}
		if status := m.ask("/session/sessions?limit=1000&store="+kind+"&after="+after, &page); status != http.StatusOK {
			m.t.Fatalf("listing %s: status %d", kind, status)
		}
		for _, s := range page.Sessions {
			refs = append(refs, s.Ref)
		}
		if after = page.Next; after == "" {
			return refs
		}
	}
}

// ask sends a request to the admin API of the first proxy, and decodes the answer, unless it is
// nil.
func (m *move) ask(path string, answer any) (status int) {
	m.t.Helper()
	resp, err := http.Get("http://" + m.proxies[0].Admin + path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer != nil && resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
			m.t.Fatal(err)
		}
	}
	return resp.StatusCode
}

// TestMoving moves sessions from bolt to Redis with one proxy.
func TestMoving(t *testing.T) {
	t.Parallel()
	m := startMove(t, "bolt $DIR/old.db", 1)
	m.reload(0, m.moving(""))
	for range 1 + many(t)/20_000 {
		m.killRedis()
		m.killProxy(0)
	}
	m.finish()
}

// TestMovingWithTwo moves sessions from a folder to Redis with two proxies, in two steps.
func TestMovingWithTwo(t *testing.T) {
	t.Parallel()
	m := startMove(t, "file "+filepath.Join(t.TempDir(), "sessions"), 2)
	m.reload(0, m.moving("hold"))
	m.killProxy(0)
	m.reload(1, m.moving("hold"))
	m.killRedis()
	m.reload(0, m.moving(""))
	m.killProxy(1)
	for range many(t) / 20_000 {
		m.killRedis()
		m.killProxy(0)
	}
	m.reload(1, m.moving(""))
	m.killRedis()
	m.killProxy(0)
	m.finish()
}
