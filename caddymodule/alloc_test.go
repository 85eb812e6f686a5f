package caddymodule

import (
	"net/http"
	"testing"
)

// Every request pays for the scan of its headers, even if none is a session header.
func TestHeadersOfOthersNeedNoAllocation(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	r := &http.Request{Header: http.Header{
		"Connection":      {"keep-alive, TE"},
		"Cookie":          {"theme=dark; lang=en"},
		"Sec-Fetch-Site":  {"same-origin"},
		"Accept-Encoding": {"gzip"},
	}}
	for name, do := range map[string]func(){
		"clean":    func() { clean(r, &h.names.request, nil) },
		"identify": func() { h.cookie.Take(r.Header, h.cookie.Names[0]) },
	} {
		if got := testing.AllocsPerRun(200, do); got > 0 {
			t.Errorf("%s: %v allocations, none are allowed", name, got)
		}
	}
	if len(r.Header) != 4 || r.Header.Get("Connection") != "keep-alive, TE" || r.Header.Get("Cookie") != "theme=dark; lang=en" {
		t.Errorf("%v is left", r.Header)
	}
}
