package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

const (
	// sweepInterval is the rest after a step. A pass over 100,000 sessions takes about two minutes.
	sweepInterval = 250 * time.Millisecond

	// sweepStep is how many files a step looks at.
	sweepStep = 200

	// passRest is the rest after a pass over all files, in sweep intervals.
	passRest = 240

	// tempAge is the age at which a temporary file is deleted. Its writer was killed; or it fails
	// when it renames the file.
	tempAge = 5 * time.Minute
)

// sweep deletes expired sessions, and the temporary files of killed processes, in small steps until
// the store is closed.
func (s *Store) sweep() {
	for s.rest(s.o.sweepInterval) {
		if err := s.pass(); err != nil && s.alive.Err() == nil {
			s.o.OnError(fmt.Errorf("looking for expired sessions: %w", err))
		}
		if !s.rest(passRest * s.o.sweepInterval) {
			return
		}
	}
}

// rest waits, and evicts sessions meanwhile when the store is full. It returns false if the store
// is closed.
func (s *Store) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-s.full:
			if err := s.makeRoom(s.alive); err != nil && s.alive.Err() == nil {
				s.o.OnError(fmt.Errorf("making room for new sessions: %w", err))
			}
		case <-timer.C:
			return true
		case <-s.alive.Done():
			return false
		}
	}
}

func (s *Store) pass() error {
	made, times := s.census.begin()
	found := 0
	err := s.eachFile(func(path string) {
		h, err := readHeader(path)
		if err != nil {
			return // operations on its key report it
		}
		if h.deadline > s.now() || !s.delete(path, h.deadline) {
			found++
		}
	}, func() bool { return s.rest(s.o.sweepInterval) })
	if err == nil {
		s.census.counted(found, made, times)
	}
	return err
}

// eachFile calls look for every file that may be a session, and deletes old temporary files. It
// calls rest, if not nil, after each step, and ends if that returns false.
func (s *Store) eachFile(look func(path string), rest func() bool) error {
	if err := s.place.Check(); err != nil {
		return err
	}
	dir, err := os.Open(s.o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(sweepStep)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			path := filepath.Join(s.o.Dir, name)
			switch {
			case strings.HasPrefix(name, tempPrefix):
				if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > tempAge {
					_ = os.Remove(path)
				}
			case !strings.HasPrefix(name, "."):
				look(path)
			}
		}
		if rest != nil && !rest() {
			return s.alive.Err()
		}
	}
}

func readHeader(path string) (header, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return header{}, err
	}
	defer file.Close()
	var raw [headerLen]byte
	if _, err := io.ReadFull(file, raw[:]); err != nil {
		return header{}, err
	}
	return parseHeader(raw[:])
}

// delete deletes a session if its deadline is unchanged, unless an operation is using it.
func (s *Store) delete(path string, deadline int64) bool {
	if !s.turns.TryLock(path) {
		return false
	}
	defer s.turns.Unlock(path)
	h, err := tryHold(path)
	if err != nil || h == nil {
		return false
	}
	defer h.release()
	times := s.census.leaving()
	if h.deadline != deadline || os.Remove(path) != nil {
		return false
	}
	s.census.gone(times)
	if s.o.OnExpire != nil && deadline <= s.now() && sessionstore.IsSession(h.value) {
		s.o.OnExpire()
	}
	return true
}
