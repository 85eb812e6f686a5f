package bolt

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
)

const crashWriters = 64

// crashValue returns a value that shows if part of it is missing or belongs to another.
func crashValue(writer, n int) []byte {
	value := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(writer)), uint64(n))
	return append(value, bytes.Repeat([]byte{byte(writer), byte(n)}, 50+n*37%1500)...)
}

// crashNumber returns the n of a value.
func crashNumber(writer int, value []byte) (int, error) {
	w, k := binary.Uvarint(value)
	n, _ := binary.Uvarint(value[max(k, 0):])
	if int(w) != writer || !bytes.Equal(value, crashValue(writer, int(n))) {
		return 0, errors.New("the value is not whole")
	}
	return int(n), nil
}

func crashKey(writer int) string { return fmt.Sprint("counter-", writer) }
func onceKey(writer, n int) string {
	return fmt.Sprintf("once-%d-%d", writer, n)
}

// writeUntilKilled is the child process that is killed. It reports each change that has returned.
func writeUntilKilled(path string) {
	s := Open(Options{Path: path})
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var out sync.Mutex
	report := func(what byte, writer, n int) {
		out.Lock()
		defer out.Unlock()
		_, err := fmt.Fprintf(os.Stdout, "%c %d %d\n", what, writer, n)
		check(err)
	}
	for writer := range crashWriters {
		go func() {
			e, err := s.Get(ctx, crashKey(writer))
			check(err)
			n, old := 0, e.Value
			if old != nil {
				n, err = crashNumber(writer, old)
				check(err)
			}
			for {
				n++
				value := crashValue(writer, n)
				_, err := s.CompareAndSet(ctx, crashKey(writer), old, value, time.Hour)
				check(err)
				report('+', writer, n)
				old = value
				// A session that is created and deleted.
				_, err = s.CompareAndSet(ctx, onceKey(writer, n), nil, value, time.Hour)
				check(err)
				_, err = s.CompareAndDelete(ctx, onceKey(writer, n), value)
				check(err)
				report('-', writer, n)
				check(s.Touch(ctx, crashKey(writer), value, 2*time.Hour))
			}
		}()
	}
	select {}
}

// TestKilled kills a process that writes. Each change that had returned must be in the file, and
// each record must be whole.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	rounds := 8
	if !longtest.All() {
		rounds = 2
	}
	var saved, removed [crashWriters]int
	for round := range rounds {
		answers := killedWriter(t, path, &saved, &removed)
		if err := Check(path); err != nil {
			t.Fatal(err)
		}
		s := openTemp(t, Options{Path: path})
		for writer := range crashWriters {
			e, err := s.Get(t.Context(), crashKey(writer))
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			if e.Found() {
				if n, err = crashNumber(writer, e.Value); err != nil {
					t.Fatalf("round %d, writer %d: %v", round, writer, err)
				}
			}
			// One more change may be on disk that was not reported any more.
			if n < saved[writer] || n > saved[writer]+1 {
				t.Errorf("round %d, writer %d: at %d, answered was %d", round, writer, n, saved[writer])
			}
			saved[writer] = n
			if n := removed[writer]; n > 0 {
				want(t, s, onceKey(writer, n), nil)
			}
		}
		closeStore(t, s)
		t.Logf("round %d: %d answers", round, answers)
	}
	alone(t, path)
}

// killedWriter runs the child for a random time and notes what it reports.
func killedWriter(t *testing.T, path string, saved, removed *[crashWriters]int) (answers int) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "CADDY_SESSION_CHILD=write", "CADDY_SESSION_FILE="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err := errors.Join(err, child.Start()); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if answers == 0 {
			time.AfterFunc(rand.N(200*time.Millisecond), func() { _ = child.Process.Kill() })
		}
		answers++
		var what rune
		var writer, n int
		if _, err := fmt.Sscanf(lines.Text(), "%c %d %d", &what, &writer, &n); err != nil {
			break // the last line, cut short
		}
		if what == '+' {
			saved[writer] = n
		} else {
			removed[writer] = n
		}
	}
	_ = child.Wait()
	if answers == 0 {
		t.Fatal("the child has written nothing")
	}
	return answers
}

// TestKilledWhileCreating kills a process at about the time when it creates the file.
func TestKilledWhileCreating(t *testing.T) {
	longtest.Test(t)
	for range 15 {
		path := filepath.Join(t.TempDir(), "new", "sessions.db")
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "CADDY_SESSION_CHILD=hold", "CADDY_SESSION_FILE="+path)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		// It begins with the folder.
		eventually(t, "the child begins", func() bool { _, err := os.Stat(filepath.Dir(path)); return err == nil })
		time.Sleep(rand.N(3 * time.Millisecond))
		_ = child.Process.Kill()
		_ = child.Wait()
		if err := Check(path); err != nil {
			t.Fatal(err)
		}
		s := openTemp(t, Options{Path: path})
		if _, err := s.Get(t.Context(), "held"); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		alone(t, path)
	}
}
