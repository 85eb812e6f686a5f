package bolt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// crashLogins is how many logins the child that is killed has under way.
const crashLogins = 32

var crashScope = sessionstore.Scope{Site: "name ", Host: "example.org"}

func crashManager(s sessionstore.Store) *sessionstore.Manager {
	field, err := sessionstore.ParseField("user")
	if err != nil {
		panic(err)
	}
	return sessionstore.NewManager(s, sessionstore.Options{User: field, StoreTimeout: time.Minute})
}

// logInUntilKilled is the child process that is killed. Visitors log in, some with a session
// before, and some log out again. It reports what was answered, and what it begins that ends a
// session.
func logInUntilKilled(path string) {
	m := crashManager(Open(Options{Path: path}))
	ctx := context.Background()
	var out sync.Mutex
	report := func(what, user, id string) {
		out.Lock()
		defer out.Unlock()
		if _, err := fmt.Fprintln(os.Stdout, what, user, id); err != nil {
			panic(err)
		}
	}
	commit := func(s *sessionstore.Session, c *sessionstore.Change) string {
		out, err := m.Commit(ctx, s, c)
		if err != nil {
			panic(err)
		}
		return out.ID
	}
	load := func(id string) *sessionstore.Session {
		s, err := m.Load(ctx, id, crashScope)
		if err != nil {
			panic(err)
		}
		return s
	}
	for i := range crashLogins {
		user := fmt.Sprint("user", i%4)
		go func() {
			for n := 0; ; n++ {
				s := &sessionstore.Session{Scope: crashScope}
				if n%2 == 0 {
					s = load(commit(s, &sessionstore.Change{Edits: []sessionstore.Edit{sessionstore.Set("a", 1)}}))
				}
				id := commit(s, &sessionstore.Change{Edits: []sessionstore.Edit{sessionstore.Set("user", user)}})
				s = load(id)
				if err := m.Touch(ctx, s); err != nil { // notes the first use
					panic(err)
				}
				report("in", user, id)
				if n%8 > 0 {
					report("out", user, id)
					commit(s, &sessionstore.Change{Destroy: true})
				}
			}
		}()
	}
	select {}
}

// TestKilledWhileLoggingIn kills a process in which users log in, again and again. Afterwards, each
// user's list has every session of the user that was answered, and after a reading, nothing else.
// SESSION_TEST_LOGINS is how many logins there are at least.
func TestKilledWhileLoggingIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	rounds := 20
	if !longtest.All() {
		rounds = 3
	}
	wanted, _ := strconv.Atoi(os.Getenv("SESSION_TEST_LOGINS"))
	live, logins, kills := map[string]map[string]bool{}, 0, 0
	for ; kills < rounds || logins < wanted; kills++ {
		logins += killedLogins(t, path, live)
		s := openTemp(t, Options{Path: path})
		m := crashManager(s)
		for user, ids := range live {
			list, err := m.UserSessions(t.Context(), crashScope, user)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range list {
				if e, err := s.Get(t.Context(), i.Ref); err != nil || !e.Found() {
					t.Errorf("a session is listed that is not there, %v", err)
				}
			}
			for id := range ids {
				if !slices.ContainsFunc(list, func(i sessionstore.Info) bool { return i.Ref == sessionstore.Ref(id) }) {
					t.Errorf("a session of %s is not listed", user)
				}
			}
			if len(ids) > 500 { // a list has 1,000 at most, and the child logs in more than are noted
				if _, err := m.EndUser(t.Context(), crashScope, user, ""); err != nil {
					t.Fatal(err)
				}
				delete(live, user)
			}
		}
		closeStore(t, s)
	}
	// Nobody is locked out, and all that are listed end.
	s := openTemp(t, Options{Path: path})
	m := crashManager(s)
	for user, ids := range live {
		if _, err := m.EndUser(t.Context(), crashScope, user, ""); err != nil {
			t.Fatal(err)
		}
		for id := range ids {
			if s, err := m.Load(t.Context(), id, crashScope); err != nil || s.Exists() {
				t.Errorf("a session of %s has not ended, %v", user, err)
			}
		}
		if _, err := m.Commit(t.Context(), &sessionstore.Session{Scope: crashScope}, &sessionstore.Change{
			Edits: []sessionstore.Edit{sessionstore.Set("user", user)},
		}); err != nil {
			t.Errorf("%s is locked out: %v", user, err)
		}
	}
	closeStore(t, s)
	t.Logf("%d logins, killed %d times", logins, kills)
}

// killedLogins runs the child for a second and notes whose sessions are live for sure.
func killedLogins(t *testing.T, path string, live map[string]map[string]bool) (logins int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "CADDY_SESSION_CHILD=login", "CADDY_SESSION_FILE="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err := errors.Join(err, child.Start()); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if logins == 0 {
			time.AfterFunc(time.Second, func() { _ = child.Process.Kill() })
		}
		words := strings.Fields(lines.Text())
		if len(words) != 3 || !sessionstore.ValidID(words[2]) {
			break // the last line, cut short
		}
		user, id := words[1], words[2]
		if live[user] == nil {
			live[user] = map[string]bool{}
		}
		if words[0] == "in" {
			logins++
			live[user][id] = true
		} else {
			delete(live[user], id)
		}
	}
	_ = child.Wait()
	if logins == 0 {
		t.Fatal("the child has logged nobody in")
	}
	return logins
}
