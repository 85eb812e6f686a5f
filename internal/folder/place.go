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
	// ErrGone means that what was under a path is there no more.
	ErrGone = errors.New("it has gone, as when it was removed or its volume is not mounted; put it back, or restart to begin with a new one")

	// ErrOther means that something else is under the path now.
	ErrOther = errors.New("another one is in its place, as when its volume is not mounted; put the former back, or restart to use this one")
)

// glanceEvery is how old what is known may be for a [Place.Glance].
const glanceEvery = time.Second

// Place is a file or a folder that a store uses. It tells whether the same is still under the path, so that nothing is read
// from, or made in, what has come in its place. A copy is not the same.
type Place struct {
	path   string
	folder bool
	report func(error)

	looked atomic.Int64 // when it was last found to be in order, since epoch; 0: it was not

	mu     sync.Mutex
	known  identity
	seen   bool
	reason error
}

var epoch = time.Now()

// NewFile returns the place of a file, and NewFolder that of a folder: what is there and is none is left out of account. Report is told when it is found to have gone, with [ErrGone] or [ErrOther], and
// when it is there again, with nil.
func NewFile(path string, report func(error)) *Place { return &Place{path: path, report: report} }

// NewFolder is [NewFile] for a folder.
func NewFolder(path string, report func(error)) *Place {
	return &Place{path: path, folder: true, report: report}
}

// Seen reports whether anything has been there. If not, it may be made.
func (p *Place) Seen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// Forget has whatever comes there be taken for the one, as after damage.
func (p *Place) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = false
	p.looked.Store(0)
}

// Glance is [Place.Check] that goes by what was found within the last second.
func (p *Place) Glance() error {
	if looked := p.looked.Load(); looked != 0 && time.Since(epoch)-time.Duration(looked) < glanceEvery {
		return nil
	}
	return p.Check()
}

// Same is [Place.Check] that learns nothing: what is there first may not be the one yet.
func (p *Place) Same() error {
	if !p.Seen() {
		return nil
	}
	return p.Check()
}

// Check returns nil if what is under the path is what was there first, or if there has never been anything.
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

// look is Check without a report. The caller holds mu.
func (p *Place) look() error {
	is, err := identify(p.path)
	switch {
	case !p.seen && (err != nil || is.folder != p.folder):
		return nil // its own operations say what is wrong
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

// Usable returns what keeps this process from making files in a folder, or the folder itself where it is not there. It
// changes nothing.
func Usable(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if parent := filepath.Dir(dir); parent != dir {
			return Usable(parent)
		}
		return err
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	}
	if err := access(dir); err != nil {
		return &fs.PathError{Op: "writing to", Path: dir, Err: err}
	}
	return nil
}
