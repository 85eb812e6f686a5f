//go:build unix

package bolt

import (
	"io/fs"
	"os"
	"syscall"
)

// sameOwner gives a new file to the owner of the old one. The server that opens it may run as
// another user than this command.
func sameOwner(path string, old fs.FileInfo) error {
	stat, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(path, int(stat.Uid), int(stat.Gid))
}
