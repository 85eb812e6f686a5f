package harness

import (
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
)

// Backend runs a backend on the loopback until the test ends, and returns its address (host:port).
func Backend(tb testing.TB, handler http.HandlerFunc) string {
	tb.Helper()
	s := httptest.NewServer(handler)
	tb.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// Echo is a backend that returns the session headers of the request, one per line, and sets the
// response headers in the query: /?X-Session-Update={"a":1}. The query parameters "status" and
// "body" set the response's.
func Echo(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	body := ""
	for name, values := range r.URL.Query() {
		switch name {
		case "status":
			for status = 0; len(values[0]) > 0; values[0] = values[0][1:] {
				status = status*10 + int(values[0][0]-'0')
			}
		case "body":
			body = values[0]
		default:
			w.Header()[http.CanonicalHeaderKey(name)] = values
		}
	}
	for name, values := range r.Header {
		if strings.HasPrefix(name, "X-") || name == "Cookie" {
			body += name + ": " + strings.Join(values, " | ") + "\n"
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// Client returns a client with its own cookie jar. It follows no redirects.
func Client(tb testing.TB) *http.Client {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{DialContext: (&net.Dialer{}).DialContext, MaxIdleConnsPerHost: 256}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
