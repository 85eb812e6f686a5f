package remote

import (
	"context"
	"errors"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// ErrLost means that nobody knows whether a write was applied. It is not a conflict: after a
// conflict the caller would apply the same change again.
var ErrLost = errors.New("a reply was lost and the record has changed since: it is unknown whether the write was applied")

var errChurn = errors.New("the record keeps changing")

// Repeat calls attempt until it succeeds or a further call would be useless: after limit calls. Its
// error is wrapped by unavailable. It reports as lost whether a failed attempt may have been
// applied.
func Repeat(ctx context.Context, unavailable func(error) error, attempt func() (limit int, lost bool, err error)) (lost bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, unavailable(err)
	}
	var last error
	for number := 1; ; number++ {
		limit, mayHaveRun, err := attempt()
		if err == nil {
			return lost, nil
		}
		if last != nil && errors.Is(err, breaker.ErrOpen) {
			err = last // the earlier error says why
		}
		last = err
		lost = lost || mayHaveRun
		if end := Ended(ctx); end != nil {
			return lost, unavailable(end)
		}
		if number >= limit {
			return lost, unavailable(err)
		}
		if err := Pause(ctx, number); err != nil {
			return lost, unavailable(err)
		}
	}
}

// rounds is the maximum number of times a write starts again after it changed nothing although the
// expected record was there.
const rounds = 10

// Write runs a command that changes a record if it holds old, or, if old is nil, if there is none.
// If the command changes nothing, Write reads the record to find out why: either value is already
// there, which is success, or another record. same compares two records.
//
// An attempt whose reply was lost may have been applied, and then overwritten. The outcome is
// unknown in that case: [ErrLost].
func Write(old, value []byte, same func(a, b []byte) bool, unavailable func(error) error,
	command func() (done, lost bool, err error), get func() (sessionstore.Entry, error),
) (sessionstore.Entry, error) {
	holds := func(e sessionstore.Entry, record []byte) bool {
		return e.Found() == (record != nil) && same(e.Value, record)
	}
	uncertain := false
	for range rounds {
		done, lost, err := command()
		if err != nil || done {
			return sessionstore.Entry{}, err
		}
		uncertain = uncertain || lost
		e, err := get()
		switch {
		case err != nil:
			return sessionstore.Entry{}, err
		case holds(e, value):
			return sessionstore.Entry{}, nil
		case holds(e, old):
			continue // the expected record is there again, or the one in the way has expired
		case uncertain:
			return sessionstore.Entry{}, unavailable(ErrLost)
		default:
			return e, sessionstore.ErrConflict
		}
	}
	return sessionstore.Entry{}, unavailable(errChurn)
}
