package main

import (
	"encoding/json"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/caddyserver/caddy/v2"
)

func init() { caddy.RegisterModule(new(Collector)) }

// Collector is a route of the admin API, /bench/collector. POST collects garbage, once, and turns
// the collector off, as GOGC=off does: it then comes only when the limit of GOMEMLIMIT is reached.
// GET and POST return what the process has allocated.
type Collector struct{}

// CaddyModule returns the Caddy module information.
func (*Collector) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.bench_collector", New: func() caddy.Module { return new(Collector) }}
}

// Routes implements [caddy.AdminRouter].
func (*Collector) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/bench/collector", Handler: caddy.AdminHandlerFunc(serveCollector)}}
}

func serveCollector(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodPost {
		debug.SetGCPercent(-1)
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return json.NewEncoder(w).Encode(map[string]uint64{
		"collections": uint64(m.NumGC), "bytes": m.TotalAlloc, "allocations": m.Mallocs,
	})
}

// Interface guard
var _ caddy.AdminRouter = (*Collector)(nil)
