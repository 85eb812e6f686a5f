package operate

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// metrics returns the values of our metrics.
func metrics(t *testing.T, c *harness.Caddy) map[string]float64 {
	t.Helper()
	resp, err := http.Get("http://" + c.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for line := range strings.Lines(string(body)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(name, "caddy_session_") {
			if values[name], err = strconv.ParseFloat(value, 64); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	return values
}

// TestMetricsOfStores compares the metrics about stores with what was done.
func TestMetricsOfStores(t *testing.T) {
	t.Parallel()
	second := "session {\n\t\tname shop\n\t\tstore bolt\n\t}\n\treverse_proxy"
	c := harness.Start(t, strings.Replace(site(t, "store memory {\n max_sessions 10\n }"), "reverse_proxy", second, 1))
	ended := func(cause string) float64 { return metrics(t, c)[`caddy_session_ended_total{cause="`+cause+`"}`] }
	var visitors []*visitor
	for range 6 {
		v := visit(t, c.URL)
		v.ask("X-Session-Update", `{"a":1}`, "X-Session-Shop-Update", `{"a":1}`)
		visitors = append(visitors, v)
	}
	got := metrics(t, c)
	for name, want := range map[string]float64{
		`caddy_session_records{store="memory"}`:                       6,
		`caddy_session_record_bytes_count{store="memory"}`:            6,
		`caddy_session_record_bytes_count{store="bolt"}`:              6,
		`caddy_session_record_bytes_bucket{store="bolt",le="262144"}`: 6,
		`caddy_session_ended_total{cause="destroyed"}`:                0,
		`caddy_session_ended_total{cause="expired"}`:                  0,
		`caddy_session_ended_total{cause="revoked"}`:                  0,
		`caddy_session_ended_total{cause="limit"}`:                    0,
		`caddy_session_ended_total{cause="evicted"}`:                  0,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v, want %v", name, value, want)
		}
	}
	if size := got[`caddy_session_file_bytes{store="bolt"}`]; size < 16<<10 || got[`caddy_session_file_free_bytes{store="bolt"}`] >= size {
		t.Errorf("the file has %v bytes, of which %v are free", size, got[`caddy_session_file_free_bytes{store="bolt"}`])
	}
	if _, ok := got[`caddy_session_records{store="bolt"}`]; ok {
		t.Error("bolt would have to read all of its file to know its number")
	}

	visitors[0].ask("X-Session-Control", "destroy")
	visitors[1].ask("X-Session-Update", `{"a":null}`) // which leaves nothing
	visitors[0].ask("X-Session-Control", "destroy")   // there is none
	if n := ended("destroyed"); n != 2 {
		t.Errorf("%v destroyed", n)
	}
	api(t, c, http.MethodDelete, "/session/sessions/"+visitors[2].ref()+"?store=memory", "", nil)
	if n := ended("revoked"); n != 1 {
		t.Errorf("%v revoked", n)
	}
	for range 10 {
		visit(t, c.URL).ask("X-Session-Update", `{"a":1}`)
	}
	if n := ended("evicted"); n < 3 || n > 4 { // the record that was emptied may be among them
		t.Errorf("%v evicted", n)
	}
	if n := metrics(t, c)[`caddy_session_records{store="memory"}`]; n != 10 {
		t.Errorf("%v records", n)
	}
}

// TestMetricsOfEnds ends sessions of users in every way, and compares each cause with what was
// done.
func TestMetricsOfEnds(t *testing.T) {
	t.Parallel()
	text := site(t, "store memory\nmax_user_sessions 4\nidle_timeout 1d\nanonymous_timeout 2s")
	c := harness.Start(t, strings.Replace(text, "\treverse_proxy", "\tsession_devices /devices\n\treverse_proxy", 1))
	counts := make(map[string]float64)
	ends := func(what, cause string, n float64, do func()) {
		t.Helper()
		do()
		counts[cause] += n
		got := metrics(t, c)
		for _, cause := range []string{"destroyed", "expired", "revoked", "evicted", "limit"} {
			if value := got[`caddy_session_ended_total{cause="`+cause+`"}`]; value != counts[cause] {
				t.Errorf("%s: %v are %s, want %v", what, value, cause, counts[cause])
			}
		}
	}
	logins := func(n int) (all []*visitor) {
		for range n {
			v := visit(t, c.URL)
			v.login("zoë")
			all = append(all, v)
		}
		return all
	}
	var zoe []*visitor
	ends("nothing", "limit", 0, func() { zoe = logins(4) })
	ends("two logins beyond the limit", "limit", 2, func() { zoe = append(zoe[2:], logins(2)...) })
	ends("session_devices", "revoked", 1, func() { holderOf(zoe[0]).devices(c, zoe[1].ref()) })
	ends("session_devices, the same again", "revoked", 0, func() { zoe[0].ask() })
	ends("end-others", "revoked", 2, func() { zoe[0].ask("X-Session-Control", "end-others") })
	ends("end-others with none", "revoked", 0, func() { zoe[0].ask("X-Session-Control", "end-others") })
	ends("more logins", "limit", 0, func() { zoe = append(zoe, logins(3)...) })
	ends("session_devices, the others", "revoked", 3, func() { holderOf(zoe[0]).devices(c, "others") })
	ends("more logins", "limit", 0, func() { zoe = append(zoe, logins(3)...) })
	ends("end-all, which destroys its own", "revoked", 3, func() {
		zoe[0].ask("X-Session-Control", "end-all")
		counts["destroyed"]++
	})
	ends("a command by user", "revoked", 4, func() {
		logins(4)
		says(t, c, []string{"end", "--user", "zoë"})
	})
	guest := visit(t, c.URL)
	ends("a guest who idles out", "expired", 1, func() {
		guest.ask("X-Session-Update", `{"visits":1}`)
		for stop := time.Now().Add(patience); guest.ref() != "" && time.Now().Before(stop); {
			time.Sleep(2100 * time.Millisecond)
		}
	})
}

// holderOf returns a holder of a visitor's cookie.
func holderOf(v *visitor) holder {
	at, err := url.Parse(v.base)
	if err != nil {
		v.t.Fatal(err)
	}
	var lines []string
	for _, cookie := range v.client.Jar.Cookies(at) {
		lines = append(lines, cookie.Name+"="+cookie.Value)
	}
	return holder{v.t, strings.Join(lines, "; ")}
}
