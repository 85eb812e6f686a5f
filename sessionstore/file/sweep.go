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
)

const (
	// sweepStep is how many files are looked at before a rest.
	sweepStep = 200

	// passRest is the rest after a pass over all, in rests after a step.
	passRest = 240

	// tempAge is when a file that is being written counts as left over: whoever began it has been killed, or is told that
	// it has gone.
	tempAge = 5 * time.Minute
)

// sweep deletes what has expired, a little at a time, and removes what killed processes have left, until the store is closed.
func (s *Store) sweep() {
	for s.rest(s.o.SweepInterval) {
		if err := s.pass(); err != nil && s.alive.Err() == nil {
			s.o.OnError(fmt.Errorf("looking for expired sessions: %w", err))
		}
		if !s.rest(passRest * s.o.SweepInterval) {
			return
		}
	}
}

// rest waits, and makes room meanwhile if that is asked for. It reports whether the store is still open.
func (s *Store) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-s.full:
			if err := s.makeRoom(); err != nil {
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
	made, found := s.census.begin(), 0
	err := s.eachFile(func(path string) {
		h, err := readHeader(path)
		if err != nil {
			return // its own operation tells of it
		}
		if h.deadline > s.now() || !s.delete(path, h.deadline) {
			found++
		}
	}, func() bool { return s.rest(s.o.SweepInterval) })
	if err == nil {
		s.census.counted(found, made)
	}
	return err
}

// eachFile calls look for every file that may be a session, and removes what is left over of writing. It ends when rest,
// which is called after some files, says so.
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

// delete deletes a session that nobody uses at this moment, if its deadline is still this one.
func (s *Store) delete(path string, deadline int64) bool {
	if !s.keys.tryLock(path) {
		return false
	}
	defer s.keys.unlock(path)
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
	return true
}
