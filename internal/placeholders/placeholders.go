// Package placeholders resolves what a configuration says with placeholders such as {env.NAME} and {file.path}.
package placeholders

import (
	"errors"
	"regexp"

	"github.com/caddyserver/caddy/v2"
)

// Resolve replaces the placeholders of an option. One that leads nowhere is an error, and so is one that leads to nothing: a
// password that a file lacks must not become none. No error holds more of the text than the names of placeholders that Caddy has: in
// a secret, what stands in braces is a part of it.
func Resolve(text string) (string, error) {
	value, err := caddy.NewReplacer().ReplaceOrErr(text, true, true)
	switch {
	case err == nil:
		return value, nil
	case known.MatchString(err.Error()):
		return "", err
	default:
		return "", errBraces
	}
}

var known = regexp.MustCompile(`^(unrecognized|evaluated) placeholder \{(env|file|system|time)\.[^{}]*\}( is empty)?$`)

var errBraces = errors.New(`what stands in braces is no placeholder; write braces that belong to the text as \{ and \}`)
