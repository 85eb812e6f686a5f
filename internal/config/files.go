package config

import (
	"crypto/sha256"
	"net/url"
	"os"
	"regexp"
	"strings"
)

// fileOptions matches the options of a DSN or a URI that name files of certificates and keys, as
// PostgreSQL and MongoDB have them.
var fileOptions = regexp.MustCompile(`(?i)\b(?:sslcert|sslkey|sslrootcert|(?:tls|ssl)[a-z]*file)\s*=\s*('[^']*'|[^&\s]+)`)

// Files returns a hash of the contents of the files that a DSN or a URI names. It makes a
// [Fingerprint] differ after a certificate was renewed, so that a reload uses the new one. A file
// that cannot be read does not count: opening the store says so.
func Files(dsn string) []byte {
	sum := sha256.New()
	for _, found := range fileOptions.FindAllStringSubmatch(dsn, -1) {
		path := strings.Trim(found[1], "'")
		content, err := os.ReadFile(path)
		if plain, bad := url.QueryUnescape(path); err != nil && bad == nil {
			content, _ = os.ReadFile(plain)
		}
		one := sha256.Sum256(content)
		sum.Write(one[:])
	}
	return sum.Sum(nil)
}
