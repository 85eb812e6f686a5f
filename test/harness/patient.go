package harness

import "regexp"

var sessionDirective = regexp.MustCompile(`(?m)^([ \t]*session(?: [^\n{#]*)?)( \{)?$`)

// Patient returns a Caddyfile whose sessions wait for their store for 30 seconds, not the default
// of one: a busy machine may stand still for longer than that. It is for files that must stay as
// they are printed.
func Patient(caddyfile string) string {
	return sessionDirective.ReplaceAllStringFunc(caddyfile, func(line string) string {
		parts := sessionDirective.FindStringSubmatch(line)
		block := parts[1] + " {\n\tstore_timeout 30s"
		if parts[2] == "" {
			block += "\n}"
		}
		return block
	})
}
