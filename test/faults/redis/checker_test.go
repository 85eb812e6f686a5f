package redis

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// made builds histories. Each request takes 10 ms and ends before the next one begins.
type made struct{ h *history }

// add adds an answered request. data is what it found; without data, the backend was not called.
func (m made) add(k kind, data string) *op {
	o := m.h.begin(k, "s", 0)
	at := time.Duration(len(m.h.ops)) * 100 * time.Millisecond
	o.sent, o.reached, o.answered, o.done = at, at+4*time.Millisecond, at+6*time.Millisecond, at+10*time.Millisecond
	o.status = 200
	if data == "" {
		return o
	}
	if err := json.Unmarshal([]byte(data), &o.found); err != nil {
		panic(err)
	}
	o.asked = k != read && k != final
	o.cookie = k == create || k == destroy || k == regenerate
	return o
}

// refused changes a request's response to 503.
func (o *op) refused() { o.status, o.cookie = 503, false }

// holds returns a session's data with these changes.
func holds(changes ...int) string {
	text, _ := json.Marshal(data{"s", len(changes), append([]int{}, changes...)})
	return string(text)
}

// TestChecker gives the checker histories with one violation each, and some without.
func TestChecker(t *testing.T) {
	const nothing = "{}"
	for _, test := range []struct {
		name string
		tell func(m made)
		want string // text in the problems; "" means that there must be none
	}{
		{"all is well", func(m made) {
			m.add(change, holds())
			m.add(change, holds(1)).refused()
			m.add(change, holds(1)).refused()
			m.add(read, holds(1, 3))
			m.add(regenerate, holds(1, 3))
			m.add(final, holds(1, 3, 5))
		}, ""},
		{"a confirmed change is lost", func(m made) {
			m.add(change, holds())
			m.add(change, holds(1))
			m.add(final, holds(1))
		}, "change 2 of s by proxy 0 at 300ms was confirmed, but its change is lost"},
		{"a session is lost", func(m made) {
			m.add(change, holds())
			m.add(final, nothing)
		}, "final read 2 of s by proxy 0 at 300ms found that its session had ended"},
		{"a change is applied twice", func(m made) {
			m.add(change, holds())
			m.add(final, holds(1, 1))
		}, "change 1 was applied twice"},
		{"a count is applied twice", func(m made) {
			m.add(change, holds())
			m.add(final, `{"owner":"s","n":2,"changes":[1]}`)
		}, "a count of 2, but 1 changes"},
		{"a refused change is applied twice", func(m made) {
			m.add(change, holds()).refused()
			m.add(read, holds(1, 1))
			m.add(final, holds(1, 1))
		}, "change 1 was applied twice"},
		{"half a change", func(m made) {
			m.add(change, holds()).refused()
			m.add(final, `{"owner":"s","n":1,"changes":[]}`)
		}, "a count of 1, but 0 changes"},
		{"a change that nobody made", func(m made) { m.add(final, holds(7)) }, "change 7 does not belong to this session"},
		{"another's session", func(m made) { m.add(read, `{"owner":"s2"}`) }, "saw the session s2"},
		{"a read that is late", func(m made) {
			m.add(change, holds())
			m.add(read, holds())
			m.add(final, holds(1))
		}, "did not see an earlier change"},
		{"a change is seen, then not seen", func(m made) {
			m.add(change, holds()).refused()
			m.add(read, holds(1))
			m.add(read, holds())
			m.add(final, holds(1))
		}, "did not see an earlier change"},
		{"a change that was seen, but is missing in the end", func(m made) {
			m.add(change, holds()).refused()
			m.add(read, holds(1))
			m.add(final, holds())
		}, "was seen, but is missing in the end"},
		{"destroyed", func(m made) {
			m.add(change, holds())
			m.add(destroy, holds(1))
			m.add(final, nothing)
		}, ""},
		{"perhaps destroyed", func(m made) {
			m.add(destroy, holds()).refused()
			m.add(final, nothing)
		}, ""},
		{"perhaps not destroyed", func(m made) {
			m.add(destroy, holds()).refused()
			m.add(final, holds())
		}, ""},
		{"a session revived", func(m made) {
			m.add(destroy, holds())
			m.add(read, holds())
		}, "found a destroyed session"},
		{"logged out", func(m made) {
			m.add(read, nothing)
			m.add(final, holds())
		}, "found that its session had ended"},
		{"a cookie is deleted", func(m made) {
			o := m.add(read, "")
			o.refused()
			o.cookie = true
		}, "touched the cookie"},
		{"a cookie is not given", func(m made) { m.add(regenerate, holds()).cookie = false }, "did not touch the cookie"},
		{"another status", func(m made) { m.add(read, "").status = 502 }, "status 502"},
		{"no answer", func(m made) { m.add(read, "").err = fmt.Errorf("EOF") }, "EOF"},
		{"a load that takes long", func(m made) {
			o := m.add(read, "")
			o.refused()
			o.done += 1200 * time.Millisecond
		}, "took 1.21s to load"},
		{"a commit that takes long", func(m made) { m.add(read, holds()).done += 1200 * time.Millisecond }, "and 1.204s to save"},
		{"a machine that takes long", func(m made) {
			o := m.add(read, "")
			o.done += 1200 * time.Millisecond
			m.h.addPace(pace{0, o.sent, o.sent + 200*time.Millisecond})
		}, ""},
		{"a machine that has taken long before", func(m made) {
			o := m.add(read, "")
			o.done += 1200 * time.Millisecond
			m.h.addPace(pace{0, o.sent - 200*time.Millisecond, o.sent - time.Millisecond})
		}, "took 1.21s to load"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := made{newHistory()}
			m.add(create, nothing)
			test.tell(m)
			found := strings.Join(check(m.h, rules{patience: time.Second}).problems, "\n")
			if found != "" && test.want == "" || !strings.Contains(found, test.want) {
				t.Errorf("the problems:\n%s\nwant: %s", found, test.want)
			}
		})
	}
}

// TestCheckerCounts checks that losses are no failures where servers may lose.
func TestCheckerCounts(t *testing.T) {
	m := made{newHistory()}
	m.add(create, "{}")
	m.add(change, holds())
	m.add(change, holds(1))
	m.add(regenerate, holds(1, 2)).refused()
	m.add(final, holds(1))
	m.add(final, "{}")
	r := check(m.h, rules{mayLose: true, patience: time.Second})
	if len(r.problems) > 0 || fmt.Sprint(r.lost, r.doubtful) != "[2] 1" {
		t.Errorf("%+v", r)
	}
}

// TestCheckerDrops checks that a regenerate may return no cookie only if the session was lost
// meanwhile.
func TestCheckerDrops(t *testing.T) {
	for _, test := range []struct {
		name, end string
		mayLose   bool
		want      string
	}{
		{"lost", "{}", true, ""},
		{"not lost", holds(1), true, "did not touch the cookie, but its session was not lost"},
		{"by servers that may not lose", "{}", false, "did not touch the cookie"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := made{newHistory()}
			m.add(create, "{}")
			m.add(regenerate, holds()).cookie = false
			m.add(final, test.end)
			r := check(m.h, rules{mayLose: test.mayLose, patience: time.Second})
			found := strings.Join(r.problems, "\n")
			if found != "" && test.want == "" || !strings.Contains(found, test.want) {
				t.Errorf("the problems:\n%s\nwant: %s", found, test.want)
			}
			if test.want == "" && fmt.Sprint(r.drops) != "[1]" {
				t.Errorf("dropped: %v", r.drops)
			}
		})
	}
}
