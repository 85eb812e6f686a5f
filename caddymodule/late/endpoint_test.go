package late

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// status posts to a URL over the network, and returns the status or 0.
func status(url string) int {
	resp, err := http.Post(url, "", strings.NewReader("x"))
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// Configurations with one address share the endpoint. It listens when it is first needed, and until
// the last of them has ended.
func TestEndpointOutlivesConfigurations(t *testing.T) {
	one := Join("127.0.0.1:0")
	if one.base != "" {
		t.Fatal("it listens already")
	}
	token, err := one.Issue("", nil, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	two := Join("127.0.0.1:0")
	if one != two {
		t.Fatal("two endpoints")
	}
	one.Leave()
	if got := status(token.URL()); got != http.StatusForbidden {
		t.Errorf("after the first has left: %d", got)
	}
	two.Leave()
	if got := status(token.URL()); got != 0 {
		t.Errorf("after both have left: %d", got)
	}
	token.Begin(nil)
	if _, err := two.Issue("", nil, zap.NewNop()); err == nil {
		t.Error("a request that has outlived its configuration gets a token")
	}
}

// An address that is taken is an error, until it is free. It is tried again only from time to time.
func TestEndpointWithoutAPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		e := Join(l.Addr().String())
		defer e.Leave()
		_, first := e.Issue("", nil, zap.NewNop())
		if first == nil {
			t.Fatal("a token without a listener")
		}
		_ = l.Close() // from here on an attempt would succeed
		time.Sleep(retry - time.Nanosecond)
		if _, err := e.Issue("", nil, zap.NewNop()); err != first { //nolint:errorlint // it is the same error, from no further attempt
			t.Errorf("just before the next attempt: %v, before %v", err, first)
		}
		if e.server != nil {
			t.Error("it has tried again")
		}
		time.Sleep(time.Nanosecond)
		if token, err := e.Issue("http://caddy:2021/late", nil, zap.NewNop()); err != nil || !strings.HasPrefix(token.URL(), "http://caddy:2021/late/") {
			t.Errorf("%v, %v", token, err)
		}
	})
}
