package caddymodule

import (
	"context"
	"net/http"

	"github.com/caddy-session/caddy-session/caddymodule/internal/failure"
	"github.com/caddy-session/caddy-session/caddymodule/internal/turns"
	"github.com/caddy-session/caddy-session/internal/config"
)

// allTurns are the turns of this process: requests of an old configuration and of the present one
// use the same sessions.
var allTurns turns.Table

// Requests wait for their turn for so many times store_timeout. When the head of a response has
// gone, the turn ends within fewer, so that a long download refuses no other request.
const (
	turnWait  = 10
	turnAfter = 5
)

// find loads the session. With serialize_requests it waits until no other request of the session
// runs, and then loads what that has left.
func (x *exchange) find() error {
	// A sub-request of templates belongs to a page that has the turn.
	if !config.Or(x.h.SerializeRequests, false) || x.Virtual {
		return x.h.keeper.Find(&x.Visit)
	}
	ctx, cancel := context.WithTimeout(x.r.Context(), turnWait*x.h.keeper.Options().StoreTimeout)
	defer cancel()
	for {
		since := allTurns.Given()
		err := x.h.keeper.Find(&x.Visit)
		key := x.Key()
		if err == nil && x.turn.Is(key) {
			return nil
		}
		x.turn.Give() // the session has ended meanwhile, or another cookie counts
		if err != nil || key == "" {
			return err
		}
		var fresh bool
		if x.turn, fresh, err = allTurns.Take(ctx, key, since); err != nil {
			return failure.ErrBusy
		}
		if fresh {
			return nil
		}
		x.Again()
	}
}

// keepTurn says that the head of the response has been committed. A stream gives up the turn; the
// rest of another response keeps it for a while. A new id is in the same turn.
func (x *exchange) keepTurn(status int, h http.Header) {
	if x.turn == nil {
		return
	}
	x.turn.Also(x.Key())
	if x.isStream(status, h) {
		x.turn.Give()
	} else {
		x.turn.GiveWithin(turnAfter * x.h.keeper.Options().StoreTimeout)
	}
}
