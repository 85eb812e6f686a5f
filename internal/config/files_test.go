package config

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

func TestFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a+b 1.pem")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for dsn, counts := range map[string]bool{
		"postgres://u:p@h/d?sslmode=verify-full&sslrootcert=" + url.QueryEscape(path): true,
		"postgres://u:p@h/d?sslcert=" + url.QueryEscape(path) + "&sslkey=/none":       true,
		"host=h sslkey = '" + path + "' user=u":                                       true,
		"mongodb://u:p@h/?tlsCAFile=" + url.QueryEscape(path):                         true,
		"mongodb://h/?tls=true&tlscertificatekeyfile=" + url.QueryEscape(path):        true,
		"mongodb+srv://h/?sslClientCertificateKeyFile=" + url.QueryEscape(path):       true,
		"postgres://u:p@h/d?application_name=" + url.QueryEscape(path):                false,
		"postgres://u:p@h/d?sslrootcert=system":                                       false,
		"":                                                                            false,
	} {
		write("one")
		before := Files(dsn)
		if !bytes.Equal(before, Files(dsn)) {
			t.Errorf("%s: never the same twice", dsn)
		}
		write("two")
		if bytes.Equal(before, Files(dsn)) == counts {
			t.Errorf("%s: a new content counts: %v, want %v", dsn, !counts, counts)
		}
	}
}
