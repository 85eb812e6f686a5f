//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package files

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// state is what a file system says of an open file.
type state struct {
	regular  bool
	uid      int
	size     int64
	modified time.Time

	// changed is when anything of the file was last changed. Nobody can set it.
	changed time.Time
}

func stateOf(file *os.File) (state, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		return state{}, &os.PathError{Op: "stat", Path: file.Name(), Err: err}
	}
	return state{
		regular: stat.Mode&unix.S_IFMT == unix.S_IFREG, uid: int(stat.Uid), size: stat.Size,
		modified: time.Unix(stat.Mtim.Unix()), changed: time.Unix(stat.Ctim.Unix()),
	}, nil
}

// stamp lets a file live for ttl from now. Whoever does not own the file can only let it live for
// the whole lifetime, which is what sessions do.
func (s *Store) stamp(path string, ttl time.Duration) error {
	at, err := unix.TimeToTimespec(s.o.Now().Add(ttl - s.o.Lifetime))
	if err != nil {
		return err
	}
	err = unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.EPERM) {
		err = unix.UtimesNanoAt(unix.AT_FDCWD, path, nil, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return &os.PathError{Op: "touch", Path: path, Err: err}
	}
	return nil
}
