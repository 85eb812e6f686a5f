package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/parts"
	"github.com/caddy-session/caddy-session/internal/wire"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// forward adds the session to the request. It changes the header map in place: placeholders and
// later handlers read the same map.
func (x *exchange) forward() error {
	x.view = x.newView()
	if err := x.forwardParts(); err != nil {
		return x.notForwarded(err)
	}
	if x.Session.Exists() {
		x.markForwarded()
	}
	err := x.fit()
	if x.h.debug {
		x.report.forwarded = x.forwarded.Names()
	}
	return err
}

func (x *exchange) newView() parts.View {
	return parts.View{
		Request: x.r, Logger: x.h.logger, Session: x.Session, Unavailable: x.unavailable, Host: hostOf(x.host),
		CookieName: x.cookieName(), Unplantable: x.cannotBePlanted(), Outer: x.outer, Late: x.offerLate(),
		Secure: x.secure || x.Virtual && slices.Contains(x.r.Header[markHeader], x.h.mark+secureMark),
	}
}

// forwardParts lets all parts add to the request, except for what is omitted.
func (x *exchange) forwardParts() error {
	x.forwarded.To(x.r.Header)
	for _, p := range x.h.parts {
		if err := p.Forward(&x.view, &x.forwarded); err != nil {
			x.forwarded.Undo()
			return err
		}
	}
	pairs := x.forwarded.Cookies()
	if strings.ContainsAny(pairs, `"\`) {
		removeForgedCookies(x.r, &x.h.appCookies, x.outer, true)
	}
	x.forwarded.AddCookies(pairs)
	return nil
}

// notForwarded refuses a request whose session cannot be forwarded.
func (x *exchange) notForwarded(err error) error {
	ref, status := x.Session.Ref(), http.StatusInternalServerError
	if errors.Is(err, sessionstore.ErrRecord) {
		status = http.StatusServiceUnavailable
	}
	x.h.logger.Error("session not forwarded", zap.String("ref", ref), zap.Error(err))
	return x.fail(status, fmt.Errorf("session %s: %w", ref, err))
}

// markForwarded marks the session headers as set by this handler.
func (x *exchange) markForwarded() {
	mark := x.h.mark
	if x.view.Secure {
		mark += secureMark
	}
	if marks := x.r.Header[markHeader]; marks == nil {
		x.r.Header[markHeader] = x.line(0, mark)
	} else {
		x.r.Header[markHeader] = append(slices.Clip(marks), mark) // beside another handler's
	}
	x.marked = true
}

// line returns a header value, stored at place i of headerRoom.
func (x *exchange) line(i int, value string) []string {
	x.headerRoom[i] = value
	return x.headerRoom[i : i+1 : i+1]
}

// undoForward removes what forward added to the request.
func (x *exchange) undoForward() {
	x.forwarded.Undo()
	if x.marked {
		wire.SetLines(x.r.Header, markHeader, slices.DeleteFunc(slices.Clone(x.r.Header[markHeader]), func(mark string) bool {
			return mark == x.h.mark || mark == x.h.mark+secureMark
		}))
	}
}
