package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/caddymodule/late"
	"github.com/caddy-session/caddy-session/caddymodule/parts"
	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/ended"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Late lets the app change a session after the head of its response, by a request of its own to a
// listener of this process.
type Late struct {
	// The keys of the app. One of them signs each change. At least 16 bytes each. Placeholders such
	// as {env.*} and {file.*} work. Required
	Keys []string `json:"keys,omitempty"`

	// The address of the listener, host:port. It needs url if the host is empty or stands for all
	// addresses. Default: any port of 127.0.0.1
	Listen string `json:"listen,omitempty"`

	// The URL at which the app reaches the listener. Default: its address
	URL string `json:"url,omitempty"`
}

// lateOption is the option late.
func lateOption(to **Late) config.Option {
	read := func(d *caddyfile.Dispenser) error {
		*to = new(Late)
		if err := config.ReadWords(d, &(*to).Keys); err != nil {
			return err
		}
		return (*to).block().Read(d, "late")
	}
	return config.Func(read).Also(func() error {
		switch l := *to; {
		case l == nil:
			return nil
		case len(l.Keys) == 0 || slices.Contains(l.Keys, ""):
			return errors.New("late: needs one or more keys, none of them empty")
		default:
			if err := l.block().Check(); err != nil {
				return fmt.Errorf("late: %w", err)
			}
			return l.checkListen()
		}
	})
}

func (l *Late) block() config.Options {
	return config.Options{
		"listen": config.Matching(&l.Listen, "an address host:port", func(text string) bool {
			_, _, err := net.SplitHostPort(text)
			return err == nil
		}),
		"url": config.Matching(&l.URL, "a URL such as http://caddy:2021", func(text string) bool {
			u, err := url.Parse(text)
			return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil
		}),
	}
}

// checkListen refuses an address that nobody can be sent to.
func (l *Late) checkListen() error {
	host, _, _ := net.SplitHostPort(l.Listen)
	if ip := net.ParseIP(host); l.Listen != "" && l.URL == "" && (host == "" || ip != nil && ip.IsUnspecified()) {
		return fmt.Errorf("late: the app cannot be sent to %s: set url to how it reaches this machine", l.Listen)
	}
	return nil
}

// lateKeys are the keys of the app and the endpoint, once they are provisioned.
type lateKeys struct {
	keys     [][]byte
	base     string
	endpoint *late.Endpoint
}

// provisionLate sets up the option late. The endpoint listens once the configuration is active.
func (h *Handler) provisionLate(holder *stores.Holder) error {
	switch {
	case h.Late == nil:
		return nil
	case !config.Or(h.Updates, true):
		return errors.New("late: cannot be used with updates off, as the app may change nothing")
	case h.storeName == "none":
		return errors.New("late: cannot be used with store none, which keeps nothing")
	}
	keys, err := keep.Keys("late", h.Late.Keys)
	if err != nil {
		return err
	}
	h.late = lateKeys{keys, strings.TrimRight(h.Late.URL, "/"), late.Join(h.Late.Listen)}
	holder.WhenActive(func() {
		if err := h.late.endpoint.Listen(); err != nil {
			h.logLate(err)
		}
	})
	return nil
}

func (h *Handler) logLate(err error) {
	h.outages.Error("apps cannot change sessions late", zap.Error(err))
}

// offerLate returns the URL for late changes of this request, or nothing.
func (x *exchange) offerLate() string {
	h := x.h
	if h.late.endpoint == nil || x.unavailable {
		return ""
	}
	var err error
	if x.late, err = h.late.endpoint.Issue(h.late.base, h.late.keys, h.outages); err != nil {
		h.logLate(err)
		return ""
	}
	return x.late.URL()
}

// dropLate drops the late changes of this request.
func (x *exchange) dropLate() {
	if x.late != nil {
		x.late.Begin(nil)
	}
}

// beginLate lets the late changes of this request come, to the session that the commit has left.
func (x *exchange) beginLate() {
	if x.late == nil {
		return
	}
	h, ref, omits := x.h, x.report.ref, x.view.Omits // not the exchange, which has the whole session
	save := h.keeper.Later(&x.Visit, ref)
	if save == nil {
		x.late.Begin(nil)
		return
	}
	x.late.Begin(func(ctx context.Context, lines []late.Line) late.Answer {
		return h.changeLate(ctx, lines, ref, omits, save)
	})
}

// changeLate makes a late change to a session.
func (h *Handler) changeLate(ctx context.Context, lines []late.Line, ref string, omits parts.Omission, save keep.Later) late.Answer {
	change, err := h.lateChange(lines, omits)
	var out sessionstore.Outcome
	if err == nil && !change.Empty() {
		out, err = save(ctx, change)
	}
	switch {
	case err != nil:
		status, do := http.StatusServiceUnavailable, lookAtLog
		if errors.Is(err, sessionstore.ErrInvalid) {
			status, do = http.StatusBadRequest, correctApp
		}
		h.remember(do, "a late change was refused with the status %d: %v", status, err)
		h.loggerFor(err).Error("late session change refused", zap.String("ref", ref), zap.Int("status", status), zap.Error(err))
		return late.Answer{Status: status, Text: err.Error()}
	case out.Result == sessionstore.Dropped:
		h.logger.Info("the session has ended; the late change is dropped", zap.String("ref", ref))
		return late.Dropped
	case out.Result == sessionstore.Saved && (change.Destroy || out.Ref == ""):
		ended.Destroyed.Inc()
	}
	return late.Answer{Status: http.StatusNoContent}
}

// lateChange reads the lines of a late change. They are session headers of a response. The line
// with the name of the URL's header has any text; it tells apart changes that are the same.
func (h *Handler) lateChange(lines []late.Line, omits parts.Omission) (*sessionstore.Change, error) {
	taken := make(map[string][]string)
	for i, line := range lines {
		name := http.CanonicalHeaderKey(line.Name)
		if !slices.Contains(h.names.late(), name) {
			// The line may be data: a value that goes on after a line feed.
			return nil, fmt.Errorf("%w: line %d is none of %s", sessionstore.ErrInvalid, i+1, strings.Join(h.names.late(), ", "))
		}
		taken[name] = append(taken[name], line.Value)
	}
	if len(lines) > maxLines {
		return nil, tooManyLines(len(lines))
	}
	view := parts.View{Logger: h.logger, Session: keep.Nobody, Omits: omits}
	var a parts.Answer
	for _, p := range h.parts {
		if err := p.Take(&view, taken[p.Takes()], &a); err != nil {
			return nil, err
		}
	}
	if a.Change.Regenerate {
		return nil, fmt.Errorf("%w: %s: no new id can be given after the response", sessionstore.ErrInvalid, h.names.control)
	}
	return &a.Change, nil
}
