package cachelib

import (
	"crypto/md5" // cachelib's file names: not for security
	"crypto/sha256"
	"encoding/hex"
	"os"
	"time"
)

// naming is how a file's name is made from its key.
type naming int

const (
	// bySHA256 is the naming of cachelib 0.16 and later.
	bySHA256 naming = iota
	// byMD5 is the naming of cachelib before 0.16.
	byMD5
)

// namings are all namings, the latest first.
var namings = []naming{bySHA256, byMD5}

// of returns the file name of a key.
func (n naming) of(key string) string {
	if n == byMD5 {
		sum := md5.Sum([]byte(key))
		return hex.EncodeToString(sum[:])
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// namingOf returns the naming that made a file name.
func namingOf(name string) naming {
	if len(name) == hex.EncodedLen(md5.Size) {
		return byMD5
	}
	return bySHA256
}

// countKey is the key under which cachelib counts its files. Apps without a threshold have no
// counter.
const countKey = "__wz_cache_count"

// countNames are the possible file names of the counter.
var countNames = map[string]naming{bySHA256.of(countKey): bySHA256, byMD5.of(countKey): byMD5}

// naming returns the naming of the app's cachelib: that of its counter, which it rewrites at each
// start. After an upgrade there are two counters; the later one decides. known is false if there is
// no counter.
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

// locate returns the path of a key's file; makes says that it may be created. Without a counter, a
// new file gets the naming of the latest file.
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
