package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Walk implements [sessionstore.Walker]. It goes by the order of the files' names. A page reads all
// names in the folder, but only the files of its own sessions.
func (s *Store) Walk(ctx context.Context, prefix, after string, limit int) (page sessionstore.Page, err error) {
	s.begin()
	names, more, err := s.names(ctx, after, limit)
	if err != nil {
		return page, s.unavailable(err)
	}
	for i, name := range names {
		key, e, err := s.peek(ctx, name)
		if err != nil {
			return sessionstore.Page{}, s.unavailable(err)
		}
		full := e.Found() && strings.HasPrefix(key, prefix) && page.Add(key, e, limit)
		if full || i == len(names)-1 && more {
			page.Next = name
			return page, nil
		}
	}
	return page, nil
}

// names returns the first names of files after the given one, in order, and whether there are more.
func (s *Store) names(ctx context.Context, after string, limit int) (names []string, more bool, err error) {
	if err := s.place.Check(); err != nil {
		return nil, false, err
	}
	dir, err := os.Open(s.o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer dir.Close()
	for ctx.Err() == nil {
		read, err := dir.Readdirnames(walkStep)
		for _, name := range read {
			if name > after && name[0] != '.' {
				names = append(names, name)
			}
		}
		if len(names) > limit+walkStep || err != nil {
			slices.Sort(names)
			names = slices.Compact(names) // a file that is replaced may be given twice
			if len(names) > limit {
				names, more = names[:limit], true
			}
		}
		if errors.Is(err, io.EOF) {
			return names, more, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
	return nil, false, ctx.Err()
}

// walkStep is how many names are read at once.
const walkStep = 4096

// peek reads a session by the name of its file. A file that is gone or is no session is none.
func (s *Store) peek(ctx context.Context, name string) (key string, e sessionstore.Entry, err error) {
	path := filepath.Join(s.o.Dir, name)
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	var r record
	raw, err := readFile(path, *buf)
	if err == nil {
		r, err = parse(raw)
	}
	if errors.Is(err, errDamaged) { // a touch may have been writing the header
		h, err := s.hold(ctx, path)
		if ctx.Err() != nil {
			return "", e, ctx.Err()
		}
		if h == nil || err != nil {
			return "", e, nil
		}
		defer h.release()
		r = h.record
	} else if err != nil {
		return "", e, ctx.Err()
	}
	key = string(r.key)
	if s.o.Name(key) != name {
		return "", e, nil
	}
	return key, r.entry(s.now()), nil
}

// Count implements [sessionstore.Counter]. Sessions of other processes count once the folder was
// looked through, some minutes later.
func (s *Store) Count() (n int64, ok bool) { return int64(s.census.now()), s.census.known() }

var (
	_ sessionstore.Walker  = (*Store)(nil)
	_ sessionstore.Counter = (*Store)(nil)
)
