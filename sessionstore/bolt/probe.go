package bolt

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caddy-session/caddy-session/internal/folder"
)

// Probe finds out whether the store could be used. It opens the file if it is there: what goes wrong with that,
// [Options.OnError] is told. It writes nothing.
func (s *Store) Probe(ctx context.Context) error {
	info, err := os.Stat(s.o.Path)
	switch {
	case s.place.Seen():
		err = s.place.Check()
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		err = folder.Usable(filepath.Dir(s.o.Path))
	default:
		_, _ = s.file(ctx)
		return nil
	}
	return s.report(err)
}
