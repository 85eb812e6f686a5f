package check

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var placeholder = regexp.MustCompile(`\{http\.session\.([^{}]+)\}`)

// fields are the first parts of placeholders of a session without a name.
var fields = []string{"exists", "ref", "created", "data", "user", "outcome", "error"}

// split returns the name of the session, and the rest of a placeholder.
func split(text string) (name, field string) {
	first, rest, _ := strings.Cut(text, ".")
	if slices.Contains(fields, first) {
		return "", text
	}
	return first, rest
}

// later are the handlers that read placeholders when the session is there, even if they stand
// before it.
var later = []string{"map", "log_append"}

// placeholders looks at the placeholders in a handler.
func (c *checker) placeholders(handler string, raw json.RawMessage, s *state, at place) {
	var h map[string]any
	if json.Unmarshal(raw, &h) != nil {
		return
	}
	delete(h, "handle_response") // its routes are looked at by themselves
	c.choices(chosen(handler, h), s, at)
	s.copying(handler, h)
	if response, ok := h["response"].(map[string]any); handler == "headers" && ok && response["deferred"] == true {
		delete(h, "response")
	}
	if !slices.Contains(later, handler) {
		c.empty(h, s, at)
	}
}

// matchers looks at the placeholders in matchers.
func (c *checker) matchers(sets []map[string]json.RawMessage, s *state, at place) {
	for _, set := range sets {
		for _, name := range sortedKeys(set) {
			var value any
			if json.Unmarshal(set[name], &value) != nil {
				continue
			}
			c.empty(value, s, at)
			if file, ok := value.(map[string]any); ok && name == "file" {
				c.choices([]choice{{"try_files or root", "a file", file["try_files"]}, {"try_files or root", "a file", file["root"]}}, s, at)
			}
		}
	}
}

// empty reports placeholders for which there is no session yet.
func (c *checker) empty(value any, s *state, at place) {
	for _, text := range texts(value) {
		for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
			if name, field := split(found[1]); field != "error" && !s.find(name) {
				c.add(kindAlways, at, c.lines.of("", found[0]), found[0]+" is always empty here: no session of that name comes before",
					"use it after session, in a handle or a route; Caddy orders this directive before session")
			}
		}
	}
}

// choice is a text that chooses a file, a host or a redirect.
type choice struct {
	where, what string
	value       any
}

// chosen returns the texts of a handler that choose something.
func chosen(handler string, h map[string]any) (all []choice) {
	add := func(where, what string, value any) { all = append(all, choice{where, what, value}) }
	in := func(value any, path ...string) any {
		for _, name := range path {
			object, ok := value.(map[string]any)
			if !ok {
				return nil
			}
			value = object[name]
		}
		return value
	}
	rewrites := func(where string, rewrite any) {
		add(where, "a file", path(in(rewrite, "uri")))
		for _, how := range []string{"uri_substring", "path_regexp"} {
			list, _ := in(rewrite, how).([]any)
			for _, one := range list {
				add(where, "a file", in(one, "replace"))
			}
		}
	}
	locations := func(where string, headers any) {
		add(where, "a redirect", target(in(headers, "set", "Location")))
		add(where, "a redirect", target(in(headers, "add", "Location")))
		list, _ := in(headers, "replace", "Location").([]any)
		for _, one := range list {
			add(where, "a redirect", target(in(one, "replace")))
		}
	}
	switch handler {
	case "vars":
		add("root", "a file", h["root"])
	case "file_server":
		add("file_server", "a file", h["root"])
	case "templates":
		add("templates", "a file", h["file_root"])
	case "rewrite":
		rewrites("rewrite", h)
	case "reverse_proxy":
		add("reverse_proxy", "a host", h["upstreams"])
		add("reverse_proxy", "a host", h["dynamic_upstreams"])
		add("reverse_proxy", "a host", in(h, "headers", "request", "set", "Host"))
		add("php_fastcgi", "a file", in(h, "transport", "root"))
		rewrites("reverse_proxy", in(h, "rewrite"))
		locations("reverse_proxy", in(h, "headers", "response"))
	case "static_response":
		add("redir", "a redirect", target(in(h, "headers", "Location")))
	case "headers":
		locations("header", h["response"])
	}
	return all
}

// path returns a URI without its query.
func path(uri any) any {
	text, _ := uri.(string)
	text, _, _ = strings.Cut(text, "?")
	return text
}

// fixed begins a target of redirects that stays on its host, whatever follows.
var fixed = regexp.MustCompile(`^(?:https?://[^/\\{}]+)?/[^/\\{}]`)

// target returns the targets of redirects that a placeholder may lead to another host.
func target(lines any) (open []any) {
	for _, text := range texts(lines) {
		if !fixed.MatchString(text) {
			open = append(open, text)
		}
	}
	return open
}

// choices reports placeholders with data, which users may have typed, where they choose something.
func (c *checker) choices(all []choice, s *state, at place) {
	for _, choice := range all {
		add := func(placeholder, holds string) {
			c.add(kindChooses, at, c.lines.of("", placeholder), fmt.Sprintf("%s%s chooses %s in %s: whoever can write into the session chooses any", placeholder, holds, choice.what, choice.where),
				"choose by a map of the values that are allowed, or in the app")
		}
		for _, text := range texts(choice.value) {
			for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
				if free(found[1]) {
					add(found[0], "")
				}
			}
			for _, p := range s.copies {
				if p.in(text) {
					add("{"+p.name+"}", ", a copy of "+p.from+",")
				}
			}
		}
	}
}

// texts returns all strings in a JSON value.
func texts(value any) (all []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			all = append(all, texts(one)...)
		}
	case map[string]any:
		for _, name := range sortedKeys(v) {
			all = append(append(all, name), texts(v[name])...)
		}
	}
	return all
}
