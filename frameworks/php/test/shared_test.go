package php_test

import (
	"flag"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// serializers are PHP's settings, and those of the dialect.
var serializers = []string{"php", "php_binary", "php_serialize"}

// Every way in which a script uses its session leaves the same behind, while another backend
// changes the session between the pages.
func TestScriptsAndAnotherBackend(t *testing.T) {
	t.Parallel()
	for _, serializer := range serializers {
		t.Run(serializer, func(t *testing.T) {
			t.Parallel()
			setting := "session.serialize_handler=" + serializer
			plain, p := serve(t, setting), serve(t, setting)
			alone, behind := plain.site(t, ""), p.site(t, p.shared("", "serializer "+serializer))
			for name, steps := range map[string][]string{
				"types": {"types"}, "types, touched again": {"types", "nested", "types"}, "objects": {"objects", "buy", "buy"},
				"references": {"references", "use references"}, "nested": {"nested", "nested&value=y&key=a.b", "remove"},
				"order": {"order", "order", "order"}, "removed": {"types", "objects", "nested", "remove"}, "many": {"many", "nested"},
				"exit": {"exit"}, "redirect": {"redirect"}, "exception": {"exception"}, "fatal error": {"fatal"},
				"closed": {"close"}, "opened again": {"reopen"}, "read and closed": {"nested", "read and close"}, "aborted": {"nested", "abort"},
				"reset": {"nested", "reset"}, "unset": {"nested", "unset"}, "shutdown function": {"shutdown"}, "destructor": {"destructor"},
				"output callback": {"output callback"}, "large page": {"large page"}, "early flush": {"early flush"}, "late": {"late"},
				"regenerated": {"nested", "regenerate", "nested"}, "regenerated, the old one deleted": {"nested", "regenerate&delete=1", "nested&value=z"},
				"the manual's pattern": {"nested", "manual", "nested"}, "destroyed": {"nested", "destroy"}, "destroyed and started": {"nested", "destroy and start"},
				"another name": {"nested", "another name", "another name"}, "encoded": {"types", "encode"}, "null": {"nested", "null"},
				"another name is destroyed": {"nested", "another name", "destroy another name", "another name"}, "two names": {"two names", "two names"},
				"objects that encode themselves in place": {"sleeper", "sleeper"}, "objects and maps": {"objects and maps", "objects and maps"},
				"recursion": {"recursion", "nested", "recursion"}, "through a reference": {"nested", "through a reference", "nested&value=z"},
				"generator": {"nested", "generator", "generator"}, "own names": {"own names", "own names", "nested"}, "no array": {"nested", "no array&which=1"},
				"exclamation marks": {"exclamation marks", "nested", "exclamation marks"}, "cookies": {"own cookies", "cookies", "cookies"},
				"nested deep": {"nested deep", "nested deep, changed", "nested"}, "closed, and destroyed": {"nested", "closed, and destroyed"},
				"closure": {"nested", "closure"}, "late, fatal": {"nested", "late, fatal"}, "late, destroyed": {"nested", "late, destroyed"},
			} {
				t.Run(name, func(t *testing.T) {
					one, other := visit(t, alone), visit(t, behind)
					other.updates(`{"other":{"step":0}}`) // the session begins at the proxy
					for i, step := range append(steps, "show", "show") {
						wantStatus, want := one.does(step)
						other.updates(`{"other":null}`)
						if status, got := other.does(step); got != want || status != wantStatus {
							t.Errorf("%v, %s: %d, %.2000q, alone %d, %.2000q", steps, step, status, got, wantStatus, want)
						}
						other.updates(fmt.Sprintf(`{"other":{"step":%d,"text":"Zo\u00eb"}}`, i))
						if data := other.asks(200); !strings.Contains(data, fmt.Sprintf(`"step":%d`, i)) {
							t.Errorf("%v, %s: the other backend is given %.300s", steps, step, data)
						}
					}
				})
			}
		})
	}
}

var seeds = flag.Int("seeds", 400, "how many random changes of a PHP session are made")

// Random sessions are the same after each request, to the digit, the byte and the order, although
// another backend has changed them in between.
func TestRandomSessions(t *testing.T) {
	t.Parallel()
	plain, p := serve(t), serve(t)
	one, other := visit(t, plain.site(t, "")), visit(t, p.site(t, p.shared("", "")))
	for seed := range *seeds {
		step := fmt.Sprintf("random&seed=%d", seed)
		_, want := one.does(step)
		if status, got := other.does(step); got != want {
			t.Fatalf("before seed %d: %d\n%q, alone\n%q", seed, status, got, want)
		}
		other.updates(`[{"op":"add","path":"/other","value":[1,{"a":null}]}]`)
		other.updates(`{"other":null}`)
	}
}

var counted = regexp.MustCompile(`(?s)^a:(\d+):(.*?)s:5:"count";i:\d+;`)

// Random sessions are the same although another backend counts in them all the time, and no count
// is lost.
func TestRandomSessionsAtOnce(t *testing.T) {
	t.Parallel()
	plain, p := serve(t), serve(t)
	one, other := visit(t, plain.site(t, "")), visit(t, p.site(t, p.shared("", "")))
	other.does("show")
	var counting sync.WaitGroup
	over, counts := make(chan struct{}), 0
	counting.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				other.updates(`[{"op":"increment","path":"/count","value":1}]`)
				counts++
			}
		}
	})
	for seed := range *seeds / 4 {
		step := fmt.Sprintf("random&seed=%d", seed)
		_, want := one.does(step)
		status, got := other.does(step)
		if m := counted.FindStringSubmatchIndex(got); m != nil {
			n, _ := strconv.Atoi(got[m[2]:m[3]])
			got = fmt.Sprintf("a:%d:%s%s", n-1, got[m[4]:m[5]], got[m[1]:])
		}
		if got != want {
			t.Errorf("before seed %d: %d\n%q, alone\n%q", seed, status, got, want)
			break
		}
	}
	close(over)
	counting.Wait()
	if data := other.asks(200); !strings.Contains(data, fmt.Sprintf(`"count":%d`, counts)) {
		t.Errorf("%d were counted: %.300s", counts, data)
	}
}

// Pages of PHP and another backend change a session at once: everything is kept.
func TestPagesAtOnce(t *testing.T) {
	t.Parallel()
	p := serve(t)
	v := visit(t, p.site(t, p.shared("", "")))
	v.does("nested")
	const pages = 10
	var all sync.WaitGroup
	for i := range pages {
		all.Go(func() { v.does(fmt.Sprintf("slow&key=page%d", i)) })
		all.Go(func() { v.updates(fmt.Sprintf(`{"other%d":1}`, i)) })
		all.Go(func() { v.updates(`[{"op":"increment","path":"/count","value":1}]`) })
	}
	all.Wait()
	_, body := v.does("show")
	for i := range pages {
		// Each page leaves its name at the top and in two trees.
		if strings.Count(body, fmt.Sprintf(`"page%d"`, i)) != 3 || !strings.Contains(body, fmt.Sprintf(`"other%d"`, i)) {
			t.Errorf("number %d is missing in %s", i, body)
		}
	}
	if want := fmt.Sprintf(`s:5:"count";i:%d;`, pages); !strings.Contains(body, want) {
		t.Errorf("no %s in %s", want, body)
	}
}
