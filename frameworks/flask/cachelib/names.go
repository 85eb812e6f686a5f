package cachelib

import (
	"crypto/md5" // what cachelib names files by: it protects nothing
	"crypto/sha256"
	"encoding/hex"
	"os"
	"time"
)

// naming is how the names of files are made of keys.
type naming int

const (
	// bySHA256 is that of cachelib since 0.16.
	bySHA256 naming = iota
	// byMD5 is that of cachelib before 0.16.
	byMD5
)

// namings are all, the latest first.
var namings = []naming{bySHA256, byMD5}

// of returns the name of a key's file.
func (n naming) of(key string) string {
	if n == byMD5 {
		sum := md5.Sum([]byte(key))
		return hex.EncodeToString(sum[:])
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// namingOf returns how a name was made.
func namingOf(name string) naming {
	if len(name) == hex.EncodedLen(md5.Size) {
		return byMD5
	}
	return bySHA256
}

// countKey is the key of the file in which cachelib counts the others, an entry like any other.
// Where an app has no threshold, it counts nothing.
const countKey = "__wz_cache_count"

// countNames are the names that the counter may have.
var countNames = map[string]naming{bySHA256.of(countKey): bySHA256, byMD5.of(countKey): byMD5}

// naming returns how the app's cachelib makes names: as its counter's, which it writes whenever it
// starts. After an upgrade there are two; the later one counts. It reports false if there is none.
func (s *Store) naming() (is naming, known bool) {
	var latest time.Time
	for _, n := range namings {
		info, err := os.Lstat(s.path(n.of(countKey)))
		if err == nil && (!known || info.ModTime().After(latest)) {
			is, known, latest = n, true, info.ModTime()
		}
	}
	return is, known
}

// locate returns where the file of a key is, or would be if one is made: without a counter, as the
// latest file is named.
func (s *Store) locate(key string, makes bool) string {
	if n, known := s.naming(); known {
		return s.path(n.of(key))
	}
	for _, n := range namings {
		path := s.path(n.of(key))
		if _, err := os.Lstat(path); err == nil {
			return path
		}
	}
	n := bySHA256
	if makes {
		_, n = s.latest()
	}
	return s.path(n.of(key))
}
