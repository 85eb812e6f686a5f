package files

import (
	"errors"
	"path/filepath"
	"strings"
)

// Prefix begins the names of all files, and the keys of all records.
const Prefix = "sess_"

var errKey = errors.New("the key is not that of a PHP session")

// ValidID reports whether an id has PHP's characters only.
func ValidID(id string) bool {
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == ',':
		default:
			return false
		}
	}
	return id != ""
}

// path returns the path of a key's file. An id must be longer than the number of levels.
func (s *Store) path(key string) (string, error) {
	id, ok := strings.CutPrefix(key, Prefix)
	if !ok || !ValidID(id) || len(id) <= s.o.Levels || len(key) > maxName {
		return "", errKey
	}
	parts := []string{s.o.Dir}
	for i := range s.o.Levels {
		parts = append(parts, id[i:i+1])
	}
	return filepath.Join(append(parts, key)...), nil
}

// maxName is the length of the longest name of a file, in bytes.
const maxName = 255
