package bolt

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caddy-session/caddy-session/internal/folder"
)

// Probe reports why the store could not be used. If the file exists it is opened, and errors of
// that go to [Options.OnError]. Probe writes nothing.
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
	return s.unavailable(err)
}
