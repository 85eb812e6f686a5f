//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly

package file

import (
	"os"

	"github.com/caddy-session/caddy-session/internal/folder"
)

const openFlags = folder.OpenFlags

func readFile(path string, _ []byte) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(file, nil)
}
