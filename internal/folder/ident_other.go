//go:build !linux

package folder

import "os"

// identity identifies a file or a folder.
type identity struct {
	folder bool
	info   os.FileInfo
}

func identify(path string) (identity, error) {
	info, err := os.Stat(path)
	return identity{err == nil && info.IsDir(), info}, err
}

func (i identity) same(now identity, _ string) bool { return os.SameFile(i.info, now.info) }
