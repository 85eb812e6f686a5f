package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caddy-session/caddy-session/internal/boltfile"
	"github.com/caddy-session/caddy-session/internal/folder"
)

// format is the version of the records.
const format = "1"

var (
	infoBucket     = []byte("caddy-session")
	sessionsBucket = []byte("sessions")
	formatKey      = []byte("format")

	layout = boltfile.Layout{Info: string(infoBucket), Format: format, Data: string(sessionsBucket)}
)

// Check reports why a store could not use the file under path. It returns nil for a file that does
// not exist but could be created, and for an empty one. It reads a few pages, writes nothing, and
// takes no lock, so another process may hold the file.
func Check(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return folder.Usable(filepath.Dir(path))
	case err != nil:
		return err
	case !info.Mode().IsRegular(): // opening a pipe would block
		return fmt.Errorf("%s: %w", path, errIrregular)
	}
	if err := folder.CanWrite(path); err != nil {
		return err
	}
	fd, err := os.Open(path)
	if err != nil {
		return err
	}
	defer fd.Close()
	if info.Size() == 0 {
		return nil
	}
	if err := boltfile.Check(fd, layout); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

var (
	errEmpty     = fmt.Errorf("%w: it is empty", boltfile.ErrDamaged)
	errIrregular = fmt.Errorf("%w: it is not a regular file", boltfile.ErrForeign)
)
