package file

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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
)

const crashWriters = 32

// crashValue returns a value that shows if part of it is missing or belongs to another.
func crashValue(writer, n int) []byte {
	value := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(writer)), uint64(n))
	return append(value, bytes.Repeat([]byte{byte(writer), byte(n)}, 50+n*37%9000)...)
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

func crashKey(writer int) string   { return fmt.Sprint("counter-", writer) }
func onceKey(writer, n int) string { return fmt.Sprintf("once-%d-%d", writer, n) }

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// writeUntilKilled is the child process that is killed. It reports each change that has returned.
func writeUntilKilled(dir string) {
	s := Open(Options{Dir: dir})
	ctx := context.Background()
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

// TestKilled kills a process that writes. Each change that had returned must be in the folder, and
// each record must be whole.
func TestKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sessions")
	rounds := 8
	if !longtest.All() {
		rounds = 2
	}
	var saved, removed [crashWriters]int
	for round := range rounds {
		answers := killedWriter(t, dir, &saved, &removed)
		s := openTemp(t, Options{Dir: dir, sweepInterval: time.Millisecond})
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
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("round %d: %d answers", round, answers)
	}
	// Temporary files of killed processes are deleted when they are old.
	for _, name := range append(names(t, dir), tempPrefix+"mine") {
		if strings.HasPrefix(name, tempPrefix) {
			path := filepath.Join(dir, name)
			if err := errors.Join(appendTo(path, ""), os.Chtimes(path, time.Time{}, time.Now().Add(-2*tempAge))); err != nil {
				t.Fatal(err)
			}
		}
	}
	young := filepath.Join(dir, tempPrefix+"young")
	if err := appendTo(young, "x"); err != nil {
		t.Fatal(err)
	}
	s := openTemp(t, Options{Dir: dir, sweepInterval: time.Millisecond})
	want(t, s, "none", nil)
	eventually(t, "the leftovers are removed", func() bool {
		n := 0
		for _, name := range names(t, dir) {
			if strings.HasPrefix(name, tempPrefix) {
				n++
			}
		}
		return n == 1
	})
	if _, err := os.Stat(young); err != nil {
		t.Error(err)
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func child(what, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CADDY_SESSION_CHILD="+what, "CADDY_SESSION_DIR="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// killedWriter runs the child for a random time and notes what it reports.
func killedWriter(t *testing.T, dir string, saved, removed *[crashWriters]int) (answers int) {
	cmd := child("write", dir)
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if answers == 0 {
			time.AfterFunc(rand.N(300*time.Millisecond), func() { _ = cmd.Process.Kill() })
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
	_ = cmd.Wait()
	if answers == 0 {
		t.Fatal("the child has written nothing")
	}
	return answers
}

const (
	countKeys    = 3
	countWorkers = 4
	countTimes   = 25
)

// count is a child process that adds to counters, and creates what only one can create. It reports
// how often it was the one.
func count(dir string) {
	s := Open(Options{Dir: dir})
	ctx := context.Background()
	var created atomic.Int64
	var all sync.WaitGroup
	for worker := range countWorkers {
		all.Go(func() {
			for i := range countTimes {
				key := fmt.Sprint("key", (worker+i)%countKeys)
				e, err := s.Get(ctx, key)
				check(err)
				for {
					n := 0
					if e.Found() {
						n, err = strconv.Atoi(strings.Fields(string(e.Value))[0])
						check(err)
					}
					if e, err = s.CompareAndSet(ctx, key, e.Value, fmt.Appendf(nil, "%d %d", n+1, rand.Uint64()), time.Hour); err == nil {
						break
					}
					if err != sessionstore.ErrConflict {
						panic(err)
					}
				}
				value := fmt.Append(nil, rand.Uint64())
				if _, err := s.CompareAndSet(ctx, fmt.Sprint("once", i), nil, value, time.Hour); err == nil {
					created.Add(1)
				} else if err != sessionstore.ErrConflict {
					panic(err)
				}
			}
		})
	}
	all.Wait()
	check(s.Close())
	fmt.Println(created.Load())
}

// TestProcesses changes the same sessions in several processes. No change is lost or made twice.
func TestProcesses(t *testing.T) {
	const processes = 3
	dir := filepath.Join(t.TempDir(), "sessions")
	var outs [processes]bytes.Buffer
	var all sync.WaitGroup
	for i := range processes {
		all.Go(func() {
			cmd := child("count", dir)
			cmd.Stdout = &outs[i]
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	created := 0
	for i := range outs {
		n, err := strconv.Atoi(strings.TrimSpace(outs[i].String()))
		if err != nil {
			t.Error(err)
		}
		created += n
	}
	if created != countTimes {
		t.Errorf("%d were created, want %d", created, countTimes)
	}
	s := openTemp(t, Options{Dir: dir})
	counted := 0
	for i := range countKeys {
		e, err := s.Get(t.Context(), fmt.Sprint("key", i))
		if err != nil || !e.Found() {
			t.Fatal(err)
		}
		n, _ := strconv.Atoi(strings.Fields(string(e.Value))[0])
		counted += n
	}
	if counted != processes*countWorkers*countTimes {
		t.Errorf("counted %d, want %d", counted, processes*countWorkers*countTimes)
	}
}
