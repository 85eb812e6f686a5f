package check

import (
	"encoding/json"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// copied is a placeholder that holds what users may have written into a session.
type copied struct {
	name string // without braces
	from string // the placeholder of the session

	// group is that of the route that copies. Of the routes in a group, a request passes one.
	group string
}

// in reports whether a text has the placeholder. Names of headers are the same in both cases.
func (p copied) in(text string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower("{"+p.name+"}"))
}

// written returns the first placeholder of a session in a value whose text users may have written,
// directly or by a copy, or nothing.
func (s *state) written(value any) string {
	for _, text := range texts(value) {
		for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
			if free(found[1]) {
				return found[0]
			}
		}
		for _, p := range s.copies {
			if p.in(text) {
				return p.from
			}
		}
	}
	return ""
}

// free reports whether users may have written the value of a placeholder of a session.
func free(text string) bool {
	_, field := split(text)
	return field == "user" || field == "data" || strings.HasPrefix(field, "data.")
}

func (s *state) copy(name, from string) {
	if from != "" {
		s.copies = append(slices.Clip(s.copies), copied{name: name, from: from})
	}
}

// copying notes the placeholders that a handler sets.
func (s *state) copying(handler string, h map[string]any) {
	switch handler {
	case "vars":
		for _, name := range sortedKeys(h) {
			s.copy("http.vars."+name, s.written(h[name]))
		}
	case "headers":
		request, _ := h["request"].(map[string]any)
		for _, how := range []string{"set", "add"} {
			headers, _ := request[how].(map[string]any)
			for _, name := range sortedKeys(headers) {
				s.copy("http.request.header."+name, s.written(headers[name]))
			}
		}
	case "map":
		s.mapping(h)
	}
}

// mapping notes the placeholders of a map whose values are not a choice of the map alone.
func (s *state) mapping(h map[string]any) {
	var m struct {
		Source       string
		Destinations []string
		Mappings     []struct {
			InputRegexp string `json:"input_regexp"`
			Outputs     []any
		}
		Defaults []string
	}
	raw, err := json.Marshal(h)
	if err != nil || json.Unmarshal(raw, &m) != nil {
		return
	}
	source := s.written(m.Source)
	for i, destination := range m.Destinations {
		from := ""
		if i < len(m.Defaults) {
			from = s.written(m.Defaults[i])
		}
		for _, mapping := range m.Mappings {
			if i >= len(mapping.Outputs) {
				continue
			}
			output, _ := mapping.Outputs[i].(string)
			switch {
			case mapping.InputRegexp == "" && from == "":
				from = s.written(output)
			case mapping.InputRegexp != "" && copiesAny(mapping.InputRegexp, output):
				from = source
			}
		}
		s.copy(strings.Trim(destination, "{}"), from)
	}
}

// group is a part of what a regular expression has found, in an output.
var group = regexp.MustCompile(`\$(?:\{(\w+)\}|(\w+))`)

// copiesAny reports whether an output has a part of the input that may be any text. A part that is
// one of some fixed texts is a choice.
func copiesAny(pattern, output string) bool {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return false
	}
	for _, found := range group.FindAllStringSubmatch(output, -1) {
		if part := capture(parsed, found[1]+found[2]); part != nil && !fixedTexts(part) {
			return true
		}
	}
	return false
}

// capture returns the group with a number or a name, or nil. 0 is all that was found.
func capture(in *syntax.Regexp, name string) *syntax.Regexp {
	if name == "0" || in.Op == syntax.OpCapture && (in.Name == name || strconv.Itoa(in.Cap) == name) {
		return in
	}
	for _, sub := range in.Sub {
		if found := capture(sub, name); found != nil {
			return found
		}
	}
	return nil
}

// fixedTexts reports whether an expression finds one of some fixed texts only.
func fixedTexts(in *syntax.Regexp) bool {
	switch in.Op {
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return false
	}
	return !slices.ContainsFunc(in.Sub, func(sub *syntax.Regexp) bool { return !fixedTexts(sub) })
}
