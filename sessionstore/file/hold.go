package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
)

// held is a file that is locked against other processes until it is released. The lock is on the
// file itself, so there are no lock files. After it got the lock, a process checks that the file
// was not replaced.
type held struct {
	record
	file *os.File
	buf  *[]byte
}

func (h *held) release() {
	_ = h.file.Close() // releases the lock
	buffers.Put(h.buf)
}

// hold locks the file and reads it. It returns nil if there is no file.
func (s *Store) hold(ctx context.Context, path string) (*held, error) {
	for wait := minWait; ; wait = min(2*wait, maxWait) {
		h, err := tryHold(path)
		if errors.Is(err, errBusy) {
			select {
			case <-time.After(wait):
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return h, err
	}
}

// minWait and maxWait bound the time between attempts to lock a file.
const (
	minWait = 200 * time.Microsecond
	maxWait = 5 * time.Millisecond
)

var (
	errBusy    = errors.New("another process is changing the session")
	errSymlink = errors.New("it is a symbolic link, and is not followed")
	errNoLinks = errors.New("the file system has no hard links, which are needed to create sessions")
)

// tryHold is hold that does not wait: it returns errBusy.
func tryHold(path string) (_ *held, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|openFlags, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil && isSymlink(path):
		return nil, naming(path, errSymlink)
	case err != nil:
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	free, err := folder.TryLock(file)
	switch {
	case err != nil:
		return nil, naming(path, err)
	case !free:
		return nil, errBusy
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, naming(path, errForeign)
	}
	if now, err := os.Lstat(path); err != nil || !os.SameFile(info, now) {
		return nil, errBusy // it was replaced or removed before it was locked
	}
	h := &held{file: file, buf: buffers.Get().(*[]byte)}
	raw, err := readAll(file, *h.buf)
	if err == nil {
		h.record, err = parse(raw)
	}
	if err != nil {
		buffers.Put(h.buf)
		return nil, naming(path, err)
	}
	return h, nil
}

// naming adds the name of the file to an error. The name does not reveal the key, see
// [Options.Name].
func naming(path string, err error) error { return fmt.Errorf("%s: %w", filepath.Base(path), err) }

func isSymlink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}
