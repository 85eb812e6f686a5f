// Package metricstest reads metrics in tests.
package metricstest

import (
	"maps"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Scrape returns the values of our counters and the sample counts of our histograms, by name and
// labels.
func Scrape(tb testing.TB, registry prometheus.Gatherer) map[string]float64 {
	tb.Helper()
	families, err := registry.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	seen := make(map[string]float64)
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "caddy_session_") {
			continue
		}
		for _, m := range family.GetMetric() {
			var name strings.Builder
			name.WriteString(strings.TrimPrefix(family.GetName(), "caddy_session_"))
			for _, label := range m.GetLabel() {
				name.WriteString(" " + label.GetName() + "=" + label.GetValue())
			}
			seen[name.String()] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return seen
}

// Counted returns by how much f has increased the metrics, without durations and sizes.
func Counted(tb testing.TB, registry prometheus.Gatherer, f func()) map[string]float64 {
	tb.Helper()
	before := Scrape(tb, registry)
	f()
	after := Scrape(tb, registry)
	maps.DeleteFunc(after, func(name string, n float64) bool {
		return n == before[name] || strings.HasPrefix(name, "store_operation_duration") || strings.HasPrefix(name, "record_bytes")
	})
	for name := range after {
		after[name] -= before[name]
	}
	return after
}

// Want fails the test unless got has each name as often as want has it, and nothing else.
func Want(tb testing.TB, got map[string]float64, want ...string) {
	tb.Helper()
	wanted := make(map[string]float64)
	for _, name := range want {
		wanted[name]++
	}
	if !maps.Equal(got, wanted) {
		tb.Errorf("counted %v\nwant %v", got, wanted)
	}
}
