package cachelib

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
)

// counter is the content of cachelib's counter file.
type counter struct {
	n    int64
	form form
	path string
}

// readCounter reads the counter.
func (s *Store) readCounter() (c counter, ok bool) {
	is, known := s.naming()
	if !known {
		return counter{}, false
	}
	c.path = s.path(is.of(countKey))
	f, err := find(c.path, os.O_RDONLY)
	if f == nil || err != nil {
		return counter{}, false
	}
	defer f.close()
	c.n, _, _, ok = number(f.value)
	c.form = f.form
	return c, ok
}

// count adds delta to the counter, if there is one. The caller holds the lock. A concurrent change
// by an app may be lost, as it may between the app's own processes: cachelib recounts when an app
// starts.
func (s *Store) count(delta int64) {
	if c, ok := s.readCounter(); ok {
		c.n += delta
		s.setCount(c)
	}
}

// setCount writes the counter. A failure is ignored: the session itself is saved.
func (s *Store) setCount(c counter) {
	value := binary.LittleEndian.AppendUint32([]byte{opProto, 2, opBinInt}, uint32(max(c.n, 0)))
	raw := content{form: c.form, expiry: never, value: append(value, opStop)}.append(nil)
	temp, err := s.writeTemp(raw, false)
	if err == nil && os.Rename(temp, c.path) != nil {
		_ = os.Remove(temp)
	}
}

// formSample is how many files are read to find the form for a new one.
const formSample = 100

// newForm returns the form that the app's cachelib reads: that of its counter, which it rewrites at
// each start, else that of the latest file, else the modern one.
func (s *Store) newForm() form {
	if c, ok := s.readCounter(); ok {
		return c.form
	}
	is, _ := s.latest()
	return is
}

// latest returns the form and the naming of the latest file in a sample: the modern ones if the
// folder is empty.
func (s *Store) latest() (is form, named naming) {
	is, latest := modern, time.Time{}
	left := formSample
	_ = s.each(func(path string) bool {
		if f, err := find(path, os.O_RDONLY); err == nil && f != nil {
			if f.info.ModTime().After(latest) {
				is, named, latest = f.form, namingOf(filepath.Base(path)), f.info.ModTime()
			}
			f.close()
		}
		left--
		return left > 0
	})
	return is, named
}

// each calls look for every file that cachelib counts, until look returns false.
func (s *Store) each(look func(path string) bool) error {
	dir, err := os.Open(s.o.Dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(formSample)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if _, counts := countNames[name]; !counts && !strings.HasSuffix(name, suffix) && !look(s.path(name)) {
				return nil
			}
		}
	}
}

// prune makes room for a new session if there are more than the threshold. The caller holds the
// lock.
func (s *Store) prune() {
	threshold := s.threshold.Load()
	if threshold <= 0 {
		return
	}
	c, counted := s.readCounter()
	if counted && c.n <= threshold {
		return
	}
	type file struct {
		path   string
		expiry int64
	}
	var files []file
	var all int64
	err := s.each(func(path string) bool {
		all++
		if c, err := peek(path); err == nil {
			files = append(files, file{path, c.expiry})
		}
		return true
	})
	if err != nil {
		return
	}
	now := s.o.Now().Unix()
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.expiry, b.expiry) })
	evicted := 0
	remove := func(f file) bool {
		gone := os.Remove(f.path) == nil
		if gone {
			all--
		}
		return gone
	}
	if all > threshold {
		files = slices.DeleteFunc(files, func(f file) bool { return f.expiry != never && f.expiry < now && remove(f) })
	}
	for _, f := range files {
		if all <= threshold {
			break
		}
		if remove(f) {
			evicted++
		}
	}
	if counted {
		c.n = all
		s.setCount(c)
	}
	if evicted > 0 {
		s.o.OnEvict(evicted)
	}
}

// peek reads the beginning of a file: enough for its expiry.
func peek(path string) (content, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|folder.OpenFlags, 0)
	if err != nil {
		return content{}, err
	}
	defer file.Close()
	head := make([]byte, maxPickled+3)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return content{}, err
	}
	return parse(head[:n])
}
