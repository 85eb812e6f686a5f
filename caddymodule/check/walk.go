package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// place is where something stands in the configuration.
type place struct {
	text string

	// hosts are those of the site; none means all.
	hosts []string

	// needs are the matchers that every request here has passed.
	needs []string
}

func (p place) with(text string) place {
	p.text += ", " + text
	return p
}

// matching adds the matchers of a route.
func (p place) matching(sets []map[string]json.RawMessage) place {
	for _, set := range sets {
		for _, name := range sortedKeys(set) {
			var values []string
			switch {
			case name != "host" && name != "path" || json.Unmarshal(set[name], &values) != nil:
				p = p.with("matcher " + name)
			default:
				p = p.with(name + " " + strings.Join(values, " "))
			}
			if name == "host" {
				p.hosts = append(slices.Clip(p.hosts), values...)
			}
			if len(sets) == 1 {
				p.needs = append(slices.Clip(p.needs), name+string(set[name]))
			}
		}
	}
	if len(sets) > 1 {
		p.needs = append(slices.Clip(p.needs), fmt.Sprintf("%s", sets))
	}
	return p
}

// state is what a request has passed on its way to a handler.
type state struct {
	passed []passed

	// operator says that a handler may have authenticated somebody.
	operator bool

	// copies are the placeholders that handlers have set to what is in a session.
	copies []copied

	// asked are the headers that handlers have set on the response.
	asked []asked

	// answered is the name and the place of a handler that answers every request that comes there,
	// so that no later handler gets any.
	answered string
}

// passed is a session handler, or a session_clean, that a request has passed.
type passed struct {
	*session

	// certain says that every request passes it, and not only those that match something.
	certain bool

	// failed says that the request is in the error routes. The handler has done its work, and
	// removed its headers.
	failed bool

	// group is that of the route. Of the routes in a group, a request passes one.
	group string
}

// find returns whether the request may have passed a session handler with this name.
func (s *state) find(name string) bool {
	return s.last(name) != nil
}

// last returns the session handler with this name that the request may have passed last, or nil.
func (s *state) last(name string) *session {
	for _, p := range slices.Backward(s.passed) {
		if !p.cleans && p.Name == name {
			return p.session
		}
	}
	return nil
}

// routes walks through a list of routes, and returns what a request has passed after it.
func (c *checker) routes(list []route, s state, at place) state {
	groups := make(map[string]bool)
	taken := make(map[string][][]string)             // what the earlier routes of a group need
	operator, operators := s.operator, []string(nil) // the groups of routes that authenticate
	for _, r := range list {
		before := state{answered: s.answered, operator: operator || slices.ContainsFunc(operators, func(group string) bool { return group == "" || group != r.Group })}
		for _, p := range s.passed {
			if r.Group == "" || p.group != r.Group {
				before.passed = append(before.passed, p)
			}
		}
		for _, p := range s.copies {
			if r.Group == "" || p.group != r.Group {
				before.copies = append(before.copies, p)
			}
		}
		for _, p := range s.asked {
			elsewhere := func(needs []string) bool { return within(needs, p.at.needs) }
			if r.Group == "" || p.group != r.Group && !slices.ContainsFunc(taken[r.Group], elsewhere) {
				before.asked = append(before.asked, p)
			}
		}
		at := at.matching(r.Match)
		taken[r.Group] = append(taken[r.Group], at.needs)
		c.matchers(r.Match, &before, at)
		after := state{passed: slices.Clip(before.passed), copies: slices.Clip(before.copies), asked: before.asked, answered: before.answered, operator: before.operator}
		for _, raw := range r.Handle {
			after = c.handler(raw, after, at)
		}
		conditional := len(r.Match) > 0 || groups[r.Group]
		groups[r.Group] = r.Group != ""
		if !conditional || isPHP(r) {
			s.answered = after.answered
		}
		if r.Terminal && conditional {
			continue // no request of this route gets to the next one
		}
		if after.operator && !before.operator {
			s.operator, operators = true, append(operators, r.Group)
		}
		for _, p := range after.copies[len(before.copies):] {
			p.group = r.Group
			s.copies = append(slices.Clip(s.copies), p)
		}
		for _, p := range after.asked[len(before.asked):] {
			p.group = r.Group
			s.asked = append(slices.Clip(s.asked), p)
		}
		for _, p := range after.passed[len(before.passed):] {
			p.certain, p.group = p.certain && !conditional, r.Group
			s.passed = append(s.passed, p)
		}
	}
	return s
}

// isPHP reports whether a route is the last one of php_fastcgi. It matches only *.php, but the one
// before it rewrites all other requests to that.
func isPHP(r route) bool {
	return len(r.Match) == 1 && len(r.Match[0]) == 1 && strings.Contains(string(r.Match[0]["path"]), `"*.php"`)
}

// failed returns what a request has passed in error routes: before, what it has passed before the
// routes that have failed, and maybe any session handler in those routes.
func failed(before state, within []*session) state {
	s := state{passed: slices.Clip(before.passed), copies: before.copies, asked: before.asked, operator: before.operator}
	for _, h := range within {
		s.passed = append(s.passed, passed{session: h, failed: true})
	}
	return s
}

// handler looks at a handler, and returns what a request has passed after it.
func (c *checker) handler(raw json.RawMessage, s state, at place) state {
	var h struct {
		Handler string
		Name    string // of a route to invoke
		Routes  []route
		Errors  errorRoutes

		HandleResponse []errorRoutes `json:"handle_response"`
		PassThru       bool          `json:"pass_thru"`
	}
	if json.Unmarshal(raw, &h) != nil {
		return s
	}
	switch h.Handler {
	case "session", "session_clean":
		return c.session(raw, h.Handler == "session_clean", s, at)
	case "session_gate":
		c.gate(raw, &s, at)
		return s
	case "session_devices":
		c.devices(raw, &s, at)
	case "session_admin":
		c.page(&s, at)
	case "subroute":
		earlier := len(c.sessions)
		after := c.routes(h.Routes, s, at)
		c.routes(h.Errors.Routes, failed(s, c.sessions[earlier:]), at.with(errorsPrefix))
		return after
	case "invoke":
		named, ok := c.named[h.Name]
		if !ok || slices.Contains(c.invoking, h.Name) {
			return s
		}
		c.invoking = append(c.invoking, h.Name)
		s = c.routes([]route{named}, s, at)
		c.invoking = c.invoking[:len(c.invoking)-1]
		return s
	}
	s.operator = s.operator || authenticates(h.Handler, raw)
	c.placeholders(h.Handler, raw, &s, at)
	if h.Handler == "reverse_proxy" {
		c.proxy(raw, &s, at)
	}
	for _, answer := range h.HandleResponse {
		c.routes(answer.Routes, s, at.with("handle_response"))
	}
	answers := false
	switch h.Handler {
	case "headers":
		c.headers(raw, &s, at)
	case "static_response", "error", "session_devices", "session_admin":
		answers = true
	case "reverse_proxy":
		answers = h.HandleResponse == nil // forward_auth goes on, for example
	case "file_server":
		answers = !h.PassThru
	}
	if answers {
		s.answered = h.Handler + " at " + strconv.Quote(at.text)
		c.answers(&s, at)
	}
	return s
}
