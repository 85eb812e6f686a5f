package keep

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// gauges are the metrics about the stores that are open. They are read when they are asked for.
// Several stores of a kind are summed up.
type gauges struct{ records, size, free *prometheus.Desc }

var storeGauges = gauges{
	records: prometheus.NewDesc("caddy_session_records", "Records in the session stores that know their number.", []string{"store"}, nil),
	size:    prometheus.NewDesc("caddy_session_file_bytes", "Size of the files of session stores.", []string{"store"}, nil),
	free:    prometheus.NewDesc("caddy_session_file_free_bytes", "Free space within the files of session stores.", []string{"store"}, nil),
}

// Describe implements [prometheus.Collector].
func (g gauges) Describe(to chan<- *prometheus.Desc) {
	to <- g.records
	to <- g.size
	to <- g.free
}

// Collect implements [prometheus.Collector].
func (g gauges) Collect(to chan<- prometheus.Metric) {
	type kind struct {
		desc *prometheus.Desc
		name string
	}
	sums := make(map[kind]int64)
	seen := make(map[sessionstore.Store]bool)
	for _, k := range Operated() {
		store, _, release, err := k.Acquire()
		if err != nil {
			continue
		}
		for name, store := range k.about.parts(store) {
			c, counts := store.(sessionstore.Counter)
			s, spaces := store.(sessionstore.Spacer)
			if !counts && !spaces || seen[store] { // others need not be comparable
				continue
			}
			seen[store] = true
			if counts {
				if n, ok := c.Count(); ok {
					sums[kind{g.records, name}] += n
				}
			}
			if spaces {
				if size, free, ok := s.Space(); ok {
					sums[kind{g.size, name}] += size
					sums[kind{g.free, name}] += free
				}
			}
		}
		release()
	}
	for k, n := range sums {
		to <- prometheus.MustNewConstMetric(k.desc, prometheus.GaugeValue, float64(n), k.name)
	}
}
