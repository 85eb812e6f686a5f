package config

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Local reports whether an address, as [Address] returns it, is on this machine.
func Local(address string) bool {
	if strings.HasPrefix(address, "/") {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Address returns an address as host:port, with the given port if it has none, or as the path of a
// Unix socket. A path begins with "/" or has Caddy's own form, "unix//path". otherwise says in the
// error what else the address may be. The error does not contain the address, which may be a URL
// with a password.
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
