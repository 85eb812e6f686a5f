package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-session/caddy-session/internal/wire"
)

// asked is a header of the response that may be for a session.
type asked struct {
	name string
	at   place

	// group is that of the route. Of the routes in a group, a request passes one.
	group string
}

// unheard is a header that was set where these session handlers do not see it.
type unheard struct {
	asked
	heard    []string // the data headers of those that see it
	why, how string
}

// headers looks at the headers that a handler sets on the response.
func (c *checker) headers(raw json.RawMessage, s *state, at place) {
	var h struct {
		Response struct {
			Set, Add map[string][]string
			Deferred bool
			Require  json.RawMessage
		}
	}
	if json.Unmarshal(raw, &h) != nil {
		return
	}
	for _, name := range append(sortedKeys(h.Response.Set), sortedKeys(h.Response.Add)...) {
		a := asked{name: name, at: at}
		if h.Response.Deferred || h.Response.Require != nil {
			c.unheard = append(c.unheard, unheard{a, s.guards(), "Caddy sets it after session has looked at the response",
				"put it after session: Caddy orders header before session, and a handle after it"})
			continue
		}
		s.asked = append(slices.Clip(s.asked), a)
	}
}

// answers notes the headers that are set on what a handler answers.
func (c *checker) answers(s *state, at place) {
	for _, a := range s.asked {
		if within(a.at.needs, at.needs) || within(at.needs, a.at.needs) {
			c.unheard = append(c.unheard, unheard{a, s.guards(), fmt.Sprintf("the request is answered at %q and comes to no session", at.text),
				"put both after session: Caddy orders header and redir before session, and a handle after it"})
		}
	}
}

// guards returns the data headers of the session handlers that a request may be in.
func (s *state) guards() (headers []string) {
	for _, p := range s.passed {
		if !p.cleans && !p.failed {
			headers = append(headers, p.data)
		}
	}
	return headers
}

// within reports whether all of some matchers are among others.
func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(one string) bool { return !slices.Contains(all, one) })
}

// notTaken reports headers that the session handlers of a server obey and do not see.
func (c *checker) notTaken(sessions []*session) {
	for _, u := range c.unheard {
		for _, h := range sessions {
			prefix := strings.TrimSuffix(h.data, "data")
			rest, ours := strings.CutPrefix(wire.Fold(u.name), prefix)
			if !ours || !slices.Contains([]string{"control", "update", "flash"}, rest) || slices.Contains(u.heard, h.data) || !sameHost(h, &session{at: u.at}) {
				continue
			}
			c.add(kindHeader, u.at, c.lines.of("", u.name), fmt.Sprintf("%s has no effect, and the browser gets it: %s", u.name, u.why), u.how)
		}
	}
	c.unheard = nil
}
