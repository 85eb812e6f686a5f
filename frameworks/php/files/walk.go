package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Walk implements [sessionstore.Walker]. It goes by the order of the ids. A page reads all names in
// a folder, but only the files of its own sessions.
func (s *Store) Walk(ctx context.Context, prefix, after string, limit int) (page sessionstore.Page, err error) {
	if err := s.place.Check(); err != nil {
		return page, s.unavailable(err)
	}
	w := walk{ctx: ctx, after: after, limit: limit}
	if err := w.level(s.o.Dir, "", s.o.Levels); err != nil {
		return page, s.unavailable(nameless(err))
	}
	for i, name := range w.names {
		if i == limit {
			page.Next = w.names[i-1]
			return page, nil
		}
		e, err := s.Get(ctx, name)
		if ctx.Err() != nil {
			return sessionstore.Page{}, s.unavailable(ctx.Err())
		}
		if err == nil && e.Found() && strings.HasPrefix(name, prefix) && page.Add(name, e, limit) && i+1 < len(w.names) {
			page.Next = name
			return page, nil
		}
	}
	return page, nil
}

// walk finds the first names after the given one, in order, and one more than the limit.
type walk struct {
	ctx   context.Context
	after string
	limit int
	names []string
}

// level reads a folder. begin is the begin of the ids in it, and levels how many levels of folders
// are in it.
func (w *walk) level(dir, begin string, levels int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := f.Readdirnames(-1)
	_ = f.Close()
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		id, has := strings.CutPrefix(name, Prefix)
		switch {
		case len(w.names) > w.limit:
			return nil
		case levels == 0:
			if has && name > w.after && ValidID(id) && strings.HasPrefix(id, begin) {
				w.names = append(w.names, name)
			}
		case len(name) == 1 && ValidID(name):
			begin := begin + name
			if last := Prefix + begin; last < w.after && !strings.HasPrefix(w.after, last) {
				continue
			}
			if err := w.level(filepath.Join(dir, name), begin, levels-1); err != nil {
				return err
			}
		}
	}
	return nil
}

var _ sessionstore.Walker = (*Store)(nil)
