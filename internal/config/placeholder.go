package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// Resolve replaces the placeholders of an option, such as {env.NAME} and {file.path}. One that Caddy does not know is an error, and
// so is one that resolves to nothing: a password that a file lacks must not become none. Line breaks at the end of a file are no part
// of it. No error holds more of the text than the name of such a placeholder: in a secret, what stands in braces is a part of it.
func Resolve(option, text string) (string, error) {
	var wrong error
	value, err := caddy.NewReplacer().ReplaceFunc(text, func(name string, value any) (any, error) {
		kind, _, _ := strings.Cut(name, ".")
		resolved := caddy.ToString(value)
		switch kind {
		case "file":
			resolved = strings.TrimRight(resolved, "\r\n")
		case "env":
		case "system", "time":
			if value == nil {
				wrong = errUnknown
			}
		default:
			wrong = errUnknown
		}
		if wrong == nil && resolved == "" {
			wrong = fmt.Errorf("the placeholder {%s} resolves to nothing", name)
		}
		return resolved, wrong
	})
	switch {
	case wrong != nil:
		return "", fmt.Errorf("%s: %w", option, wrong)
	case err != nil: // too many open braces
		return "", fmt.Errorf("%s: %w", option, errUnknown)
	default:
		return value, nil
	}
}

var errUnknown = errors.New(`what stands in braces is no placeholder; write braces that belong to the text as \{ and \}`)

// Source is an option whose placeholders are to be replaced.
type Source struct {
	option, text string
	to           *string
}

// From is the option with this text, whose value goes to a field.
func From(option, text string, to *string) Source { return Source{option, text, to} }

// ResolveAll replaces the placeholders of some options, see [Resolve].
func ResolveAll(sources ...Source) error {
	for _, s := range sources {
		value, err := Resolve(s.option, s.text)
		if err != nil {
			return err
		}
		*s.to = value
	}
	return nil
}

// Keys replaces the placeholders of an option that holds secrets. None of them may be empty. What is configured stays as it is, as
// Caddy may log it.
func Keys(option string, texts []string) ([]string, error) {
	keys := make([]string, len(texts))
	for i, text := range texts {
		which := fmt.Sprintf("%s: key %d of %d", option, i+1, len(texts))
		key, err := Resolve(which, text)
		if err != nil {
			return nil, err
		}
		if key == "" {
			return nil, fmt.Errorf("%s is empty", which)
		}
		keys[i] = key
	}
	return keys, nil
}

// Path replaces the placeholders of an option that is a path, and may be empty for the default. It returns one path for all ways to
// write it, relative ones and those over links too.
func Path(option, text, byDefault string) (string, error) {
	path := byDefault
	if text != "" {
		var err error
		if path, err = Resolve(option, text); err != nil {
			return "", err
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", option, err)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(folder, filepath.Base(path)), nil
	}
	return path, nil
}
