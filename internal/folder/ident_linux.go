package folder

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// identity identifies a file or a folder by its inode and its time of creation. The device number
// is only the fallback if the file system has no such time, because the number may change when the
// volume is mounted again.
type identity struct {
	folder bool
	inode  uint64
	born   unix.StatxTimestamp
	dev    [2]uint32
}

func identify(path string) (identity, error) {
	var stat unix.Statx_t
	_, err := Again(func() (int, error) {
		return 0, unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_TYPE|unix.STATX_INO|unix.STATX_BTIME, &stat)
	})
	if err != nil {
		return identity{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return identity{stat.Mode&unix.S_IFMT == unix.S_IFDIR, stat.Ino, stat.Btime, [2]uint32{stat.Dev_major, stat.Dev_minor}}, nil
}

// same reports whether now, the present identity of path, is that of the same file.
func (i identity) same(now identity, path string) bool {
	switch {
	case i.inode != now.inode:
		return false
	case i.born != (unix.StatxTimestamp{}) && i.born == now.born:
		return true
	default:
		return i.dev == now.dev && (i.born == (unix.StatxTimestamp{}) || isOverlay(path))
	}
}

// isOverlay reports whether path is on an overlay file system, as in a container. There the first
// change of a file gives it a new time of creation.
func isOverlay(path string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(path, &stat) == nil && stat.Type == unix.OVERLAYFS_SUPER_MAGIC
}
