package flask_test

import (
	"testing"
)

// TestAlone runs the checks without the proxy: if they pass, the app is not the cause of other
// failures.
func TestAlone(t *testing.T) {
	s := startServers(t)
	all := rows()
	addrs := startApps(t, s, all)
	for _, r := range all {
		if r.signer && r.backend != cookie {
			continue // the same check
		}
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			url := "http://" + addrs[r.version]
			open := func(t *testing.T, cookie string) pair {
				v := with(t, url, cookie)
				app := flaskSide{v, url + "/" + r.String()}
				return pair{app, app, v, url}
			}
			for _, c := range checks {
				t.Run(c.name, func(t *testing.T) { c.run(t, r, open) })
			}
			t.Run("values of every type", func(t *testing.T) {
				p := open(t, "")
				checkRounds(t, p.a.(flaskSide), p.b, rounds(t)/10)
			})
		})
	}
}
