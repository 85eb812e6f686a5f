//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly

package file

import (
	"errors"
	"os"

	"github.com/caddy-session/caddy-session/internal/folder"
)

// unsupported is why the store does not work on this system.
var unsupported = errors.New("it needs flock, and files that can be replaced while they are open, which this system lacks: use bolt, the default, or a store on the network")

const openFlags = folder.OpenFlags

func readFile(path string, _ []byte) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(file, nil)
}
