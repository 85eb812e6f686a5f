package config

import "testing"

func TestAddress(t *testing.T) {
	for address, want := range map[string]string{
		"localhost":          "localhost:6379",
		"localhost:7":        "localhost:7",
		"10.0.0.1":           "10.0.0.1:6379",
		"::1":                "[::1]:6379",
		"[::1]":              "[::1]:6379",
		"[::1]:7":            "[::1]:7",
		"/run/a.sock":        "/run/a.sock",
		"unix//run/a.sock":   "/run/a.sock",
		"/run/with a blank@": "/run/with a blank@",
	} {
		if got, err := Address(address, "6379", "a URL"); err != nil || got != want {
			t.Errorf("%s: %s, %v", address, got, err)
		}
	}
	for _, address := range []string{
		"", ":6379", "localhost:", "redis://to-find@h", "user:to-find@h", "user:to-find@h:6379", "to-find h", "unix/run/a.sock@h",
	} {
		_, err := Address(address, "6379", "a URL")
		fails(t, address, err, "address: neither host:port nor a URL")
	}
}
