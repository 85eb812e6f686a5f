package config

import (
	"fmt"
	"net"
	"strings"
)

// Address returns host:port of an address, with this port where it names none, or the path of a Unix socket, which begins with "/" or
// has Caddy's own form, "unix//path". The error does not hold the address, which may be a URL with a password; otherwise says
// what it could be instead.
func Address(address, port, otherwise string) (string, error) {
	if path := strings.TrimPrefix(address, "unix/"); strings.HasPrefix(path, "/") {
		return path, nil
	}
	host, given, err := net.SplitHostPort(address)
	if err != nil {
		host, given = strings.Trim(address, "[]"), port
	}
	if host == "" || given == "" || strings.ContainsAny(host+given, " /@") || strings.Count(host, ":") == 1 {
		return "", fmt.Errorf("address: neither host:port nor %s", otherwise)
	}
	return net.JoinHostPort(host, given), nil
}
