package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Each address has its part of the time to connect, and one that is alone has all of it. The names
// are looked up once.
func TestTimeToConnectIsDivided(t *testing.T) {
	const all = 12 * time.Hour
	ips := map[string][]string{
		"one":       {"192.0.2.1"},
		"two":       {"192.0.2.2", "2001:db8::2"},
		"192.0.2.3": {"192.0.2.3"},
	}
	for dsn, want := range map[string]time.Duration{
		"postgres://one/d":                               0,
		"postgres://one/d?sslmode=disable":               0,
		"postgres://192.0.2.3/d":                         0,
		"postgres://unknown/d":                           0,
		"host=/run/postgresql":                           0,
		"postgres://one/d?connect_timeout=60":            time.Minute,
		"postgres://two/d?sslmode=disable":               all / 2,
		"postgres://two/d":                               all / 2,
		"postgres://one,192.0.2.3/d":                     all / 2,
		"postgres://one,192.0.2.3/d?connect_timeout=60":  time.Minute,
		"postgres://one:1,one:2,two:3/d?sslmode=disable": all / 4,
		"host=/run/postgresql,one,unknown":               all / 2,
	} {
		config, err := pgx.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		lookups := make(map[string]int)
		config.LookupFunc = func(_ context.Context, host string) ([]string, error) {
			if ips[host] == nil {
				return nil, errors.New("unknown")
			}
			lookups[host]++
			return ips[host], nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), all)
		defer cancel()
		if err := divide(ctx, config); err != nil {
			t.Fatal(err)
		}
		if got := config.ConnectTimeout; got > want || got < want*9/10 {
			t.Errorf("%s: %v for an address, want %v", dsn, got, want)
		}
		for host, found := range ips {
			if got, err := config.LookupFunc(ctx, host); err != nil || len(got) != len(found) || lookups[host] != 1 {
				t.Errorf("%s: %s is looked up %d times: %v, %v", dsn, host, lookups[host], got, err)
			}
		}
	}
}
