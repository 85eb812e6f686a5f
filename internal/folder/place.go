package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrGone means that the file or folder no longer exists.
	ErrGone = errors.New("it is gone: it was deleted, or its volume is not mounted; put it back, or restart to begin with a new one")

	// ErrOther means that the path leads to another file or folder now.
	ErrOther = errors.New("another one is in its place: it was replaced, or its volume is not mounted; put the original back, or restart to use this one")
)

// glanceEvery is the maximum age of a result that [Place.Glance] uses.
const glanceEvery = time.Second

// Place is a file or a folder that a store uses. It detects that the file or folder has been
// deleted or replaced, so that the store neither reads its replacement nor creates one. A copy
// counts as another file.
type Place struct {
	path   string
	folder bool
	report func(error)

	looked atomic.Int64 // when the last check succeeded, since epoch; 0 if it failed

	mu     sync.Mutex
	known  identity
	seen   bool
	reason error
}

var epoch = time.Now()

// NewFile returns the place of a file. A folder under that path is ignored. report is called with
// [ErrGone], [ErrOther] or another error when the file is no longer in place, and with nil when it
// is again.
func NewFile(path string, report func(error)) *Place { return &Place{path: path, report: report} }

// NewFolder is [NewFile] for a folder. A file under that path is ignored.
func NewFolder(path string, report func(error)) *Place {
	return &Place{path: path, folder: true, report: report}
}

// Seen reports whether the file has been seen in place. If not, it may be created.
func (p *Place) Seen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// Forget makes the next file under the path the one in place, for example after the old one was
// damaged.
func (p *Place) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = false
	p.looked.Store(0)
}

// Glance is [Place.Check], but a result is valid for a second.
func (p *Place) Glance() error {
	if looked := p.looked.Load(); looked != 0 && time.Since(epoch)-time.Duration(looked) < glanceEvery {
		return nil
	}
	return p.Check()
}

// Same is [Place.Check], but it does not take a new file as the one in place.
func (p *Place) Same() error {
	if !p.Seen() {
		return nil
	}
	return p.Check()
}

// Check returns nil if the path leads to the file that was seen first, or if there has been none
// yet.
func (p *Place) Check() error {
	p.mu.Lock()
	now := time.Since(epoch)
	reason := p.look()
	news := (reason == nil) != (p.reason == nil)
	p.reason = reason
	if reason == nil && p.seen {
		p.looked.Store(int64(now))
	} else {
		p.looked.Store(0)
	}
	p.mu.Unlock()
	if news {
		p.report(reason)
	}
	return reason
}

// look is Check without the report. The caller holds mu.
func (p *Place) look() error {
	is, err := identify(p.path)
	switch {
	case !p.seen && (err != nil || is.folder != p.folder):
		return nil // opening the file returns a better error
	case errors.Is(err, fs.ErrNotExist):
		return ErrGone
	case err != nil:
		return err
	case !p.seen:
		p.known, p.seen = is, true
		return nil
	case !p.known.same(is, p.path):
		return ErrOther
	default:
		return nil
	}
}

// Usable returns an error if this process cannot list and create files in dir, or create dir itself
// if it does not exist. It changes nothing.
func Usable(dir string) error { return usable(dir, true) }

// Writable is [Usable] for a folder that need not be listed.
func Writable(dir string) error { return usable(dir, false) }

func usable(dir string, lists bool) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if parent := filepath.Dir(dir); parent != dir {
			return usable(parent, lists)
		}
		return err
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	}
	if err := access(dir, lists); err != nil {
		return &fs.PathError{Op: "writing to", Path: dir, Err: err}
	}
	return nil
}
