package postgres

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// addresses returns the addresses of the servers in their order. ips looks up a host. pgx has a
// server twice if it may be used with and without TLS.
func addresses(config *pgx.ConnConfig, ips func(host string) []string) []string {
	first := &pgconn.FallbackConfig{Host: config.Host, Port: config.Port}
	var all []string
	add := func(address string) {
		if !slices.Contains(all, address) {
			all = append(all, address)
		}
	}
	for _, server := range append([]*pgconn.FallbackConfig{first}, config.Fallbacks...) {
		if strings.HasPrefix(server.Host, "/") {
			add(server.Host)
			continue
		}
		for _, ip := range ips(server.Host) {
			add(net.JoinHostPort(ip, strconv.Itoa(int(server.Port))))
		}
	}
	return all
}

// divide gives each address an equal part of the time to connect, so that one that is silent leaves
// some for the others. By default, pgx waits for the first one until the end.
func divide(ctx context.Context, config *pgx.ConnConfig) error {
	end, bounded := ctx.Deadline()
	if !bounded {
		return nil
	}
	known, lookup := make(map[string][]string), config.LookupFunc
	config.LookupFunc = func(ctx context.Context, host string) (ips []string, err error) {
		if known[host] == nil {
			known[host], err = lookup(ctx, host)
		}
		return known[host], err
	}
	n := len(addresses(config, func(host string) []string {
		ips, _ := config.LookupFunc(ctx, host) // pgx does this too, and reports the error
		return ips
	}))
	if n > 1 {
		part := time.Until(end) / time.Duration(n)
		config.ConnectTimeout = min(part, cmp.Or(config.ConnectTimeout, part))
	}
	return nil
}
