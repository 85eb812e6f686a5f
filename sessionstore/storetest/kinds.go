package storetest

import (
	"testing"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Records returns records of all kinds, and how many of them are sessions.
func Records(tb testing.TB) (values [][]byte, sessions int) {
	tb.Helper()
	for _, state := range []sessionstore.State{sessionstore.Live, sessionstore.Ended, sessionstore.Mark, sessionstore.Index, sessionstore.Live} {
		value, err := sessionstore.Native{}.Encode(&sessionstore.Record{State: state, Data: []byte("{}"), UserField: "user", Permanent: true})
		if err != nil {
			tb.Fatal(err)
		}
		values = append(values, value)
	}
	return append(values, []byte("of another program"), []byte{}), 3
}
