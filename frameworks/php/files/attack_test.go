package files

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// A script holds the lock of a session that is not saved yet, and a client sends more requests with
// its id than operations may run at once. Those of others go on.
func TestAttackSlowPageHoldsUpOtherSessions(t *testing.T) {
	s := openTemp(t, Options{UID: -1})
	const slow, other = "sess_slow", "sess_other"
	save(t, s, other, nil, []byte("a|i:1;"), time.Hour)
	path := filepath.Join(s.o.Dir, slow)
	script, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if free, err := lock(script, os.O_RDWR); !free || err != nil {
		t.Fatal(free, err)
	}
	patient, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var flood, begun sync.WaitGroup
	for i := range 2 * maxAtWork {
		begun.Add(1)
		flood.Go(func() {
			begun.Done()
			var err error
			switch i % 3 {
			case 0:
				_, err = s.CompareAndSet(patient, slow, []byte("b|i:1;"), []byte("b|i:2;"), time.Hour)
			case 1:
				_, err = s.CompareAndDelete(patient, slow, []byte("none"))
			default:
				_, err = s.Get(patient, slow)
			}
			if err != nil && !errors.Is(err, sessionstore.ErrConflict) {
				t.Errorf("operation %d: %v", i, err)
			}
		})
	}
	begun.Wait()
	for range 20 { // until all of them wait
		time.Sleep(10 * time.Millisecond)
		if e, err := s.Get(patient, other); err != nil || string(e.Value) != "a|i:1;" {
			t.Errorf("the other session: %q, %v", e.Value, err)
		}
		if err := s.Touch(patient, slow, nil, time.Hour); err != nil {
			t.Errorf("touching the slow one: %v", err)
		}
	}
	save(t, s, other, []byte("a|i:1;"), []byte("a|i:2;"), time.Hour)
	_, err = script.WriteAt([]byte("b|i:1;"), 0)
	folder.Unlock(script)
	if err := errors.Join(err, script.Close()); err != nil {
		t.Fatal(err)
	}
	flood.Wait()
	if e, err := s.Get(patient, slow); err != nil || string(e.Value) != "b|i:2;" {
		t.Errorf("the slow session: %q, %v", e.Value, err)
	}
}
