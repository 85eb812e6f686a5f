package redis

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// run is a period in which clients work while faults happen to the servers.
type run struct {
	t       *testing.T
	h       *history
	crowd   *crowd
	proxies []*harness.Caddy
	release func()
}

// storeTimeout is the default.
const storeTimeout = time.Second

// startRun starts two proxies and the clients. store is the store's line of the Caddyfile with its
// options, without the closing brace.
func startRun(t *testing.T, store string) *run {
	t.Helper()
	r := &run{t: t, h: newHistory()}
	r.proxies = startProxies(t, harness.Backend(t, r.h.ServeHTTP), store)
	load.Lock()
	r.release = sync.OnceFunc(load.Unlock)
	t.Cleanup(r.release)
	r.h.began = time.Now()
	r.crowd = newCrowd(r.h, r.proxies[0].URL, r.proxies[1].URL)
	t.Cleanup(r.crowd.end)
	if err := r.crowd.begin(); err != nil {
		t.Fatal(err)
	}
	r.calm(0)
	return r
}

// startProxies starts two proxies that share their sessions. The first pipelines, the second does
// not.
func startProxies(t *testing.T, backend, store string) []*harness.Caddy {
	t.Helper()
	return []*harness.Caddy{
		harness.Start(t, site(backend, store+"\npipelining on")),
		harness.Start(t, site(backend, store+"\npipelining off")),
	}
}

// site returns a Caddyfile. Paths below /pace have no session.
func site(backend, store string) string {
	return fmt.Sprintf(`http://$ADDR {
	handle /pace {
		reverse_proxy %[1]s
	}
	handle {
		session {
			secret 0123456789abcdef0123456789abcdef
			scope  faults
			regenerate_grace 1s
			%[2]s
			}
		}
		reverse_proxy %[1]s
	}
}
`, backend, store)
}

// mend is how long the proxies may need to recover after the servers have.
const mend = 2 * time.Second

// fault runs something that disturbs the servers until they are healthy, and returns when the
// proxies have recovered. It returns the number of requests that ended with 503 meanwhile.
func (r *run) fault(name string, do func()) (unavailable int) {
	r.t.Helper()
	f := fault{name: name, begin: r.h.now()}
	do()
	f.end = r.h.now()
	r.h.faults = append(r.h.faults, f)
	mended := r.calm(f.end)
	unavailable = r.h.during(f.begin, f.end+mended)
	r.t.Logf("%5.1fs %s: lasted %v, recovered after %v, 503s: %d", f.begin.Seconds(), name,
		(f.end - f.begin).Round(time.Millisecond), mended.Round(time.Millisecond), unavailable)
	if mended > mend+r.delay(f.end) {
		r.t.Errorf("%s: the proxies needed %v to recover", name, mended)
	}
	return unavailable
}

// delay is the longest delay by the machine since a time.
func (r *run) delay(from time.Duration) (longest time.Duration) {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	for proxy := range r.proxies {
		longest = max(longest, r.h.delay(&op{proxy: proxy, sent: from, done: r.h.now()}))
	}
	return longest
}

// calm waits until all requests succeed for a while, and returns how long after the given time the
// last failure was.
func (r *run) calm(from time.Duration) (mended time.Duration) {
	r.t.Helper()
	pause := harness.Lasting(700*time.Millisecond, 300*time.Millisecond)
	for {
		now := r.h.now()
		well, mended := true, time.Duration(0)
		for proxy := range r.proxies {
			c := r.h.count(proxy, from, now)
			if c.lastUnavailable != 0 {
				mended = max(mended, c.lastUnavailable-from)
			}
			mended = max(mended, c.firstOK-from)
			well = well && c.ok >= sessions && now-max(c.lastUnavailable, from) >= pause
		}
		if well {
			return mended
		}
		if now-from > 15*time.Second {
			for proxy, caddy := range r.proxies {
				c, log := r.h.count(proxy, from, now), caddy.Log()
				r.t.Logf("proxy %d, since %v: %d answers, the first at %v, 503s: %d, the last at %v; its log ends with:\n%s", proxy, from,
					c.ok, c.firstOK, c.unavailable, c.lastUnavailable, log[max(0, len(log)-4000):])
			}
			r.t.Fatal("the proxies do not recover")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// finish ends the work, reads all sessions, and reports the checker's result.
func (r *run) finish(rules rules) *report {
	r.t.Helper()
	r.crowd.end()
	r.release()
	worked := r.h.now()
	rules.patience = storeTimeout
	time.Sleep(storeTimeout + 100*time.Millisecond) // the grace of regenerated sessions is over then
	r.crowd.readAll()
	found := check(r.h, rules)
	for i, problem := range found.problems {
		if i == 20 {
			r.t.Errorf("and %d more problems", len(found.problems)-i)
			break
		}
		r.t.Error(problem)
	}
	kindsOf, unavailable := make(map[string]int), 0
	for _, o := range r.h.ops {
		kindsOf[o.kind.String()]++
		if o.status == 503 {
			unavailable++
		}
	}
	r.t.Logf("%v; %d requests %v, 503s: %d, conflicts with the other proxy: %d and %d", worked.Round(100*time.Millisecond),
		len(r.h.ops), kindsOf, unavailable, r.conflicts(0), r.conflicts(1))
	r.t.Logf("lost: %d changes and %d sessions (%d requests did not find them); doubtful sessions: %d; seen after their end: %d times; "+
		"stale: %d times; refused changes seen and gone: %d; sessions lost during a regenerate: %d", len(found.lost), found.gone,
		len(found.ended), found.doubtful, len(found.risen), len(found.stale), len(found.vanished), len(found.drops))
	for name, n := range r.lostIn(found) {
		r.t.Logf("%d of those changes were confirmed %s", n, name)
	}
	round := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	r.t.Logf("longest load %v, commit %v; without the machine's delay %v and %v", round(found.load), round(found.commit),
		round(found.netLoad), round(found.netCommit))
	if r.conflicts(0)+r.conflicts(1) == 0 {
		r.t.Error("the changes of the two proxies never met")
	}
	return found
}

// lostIn counts the lost changes by the fault in which they were confirmed.
func (r *run) lostIn(found *report) map[string]int {
	lost := make(map[string]int)
	for _, n := range found.lost {
		lost[r.h.when(r.h.ops[n].done)]++
	}
	return lost
}

var conflictLine = regexp.MustCompile(`(?m)^caddy_session_commits_total\{outcome="conflict_retried"\} (\S+)`)

// conflicts returns how many changes of a proxy had to be merged with the other's.
func (r *run) conflicts(proxy int) int {
	r.t.Helper()
	resp, err := http.Get("http://" + r.proxies[proxy].Admin + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if found := conflictLine.FindSubmatch(text); found != nil {
		n, _ := strconv.ParseFloat(string(found[1]), 64)
		return int(n)
	}
	return 0
}
