package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// Resolve replaces the placeholders in an option, such as {env.NAME} and {file.path}. An unknown
// placeholder is an error. So is one that is empty: a missing password must not become no password.
// Trailing line breaks of a file are removed. Errors contain nothing of the text but the name of a
// known placeholder: in a secret, unknown text in braces is part of it.
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

var errUnknown = errors.New(`unknown placeholder in braces; write literal braces as \{ and \}`)

// Source is an option whose placeholders [ResolveAll] replaces.
type Source struct {
	option, text string
	to           *string
}

// From is a [Source] that stores the value of text in to.
func From(option, text string, to *string) Source { return Source{option, text, to} }

// ResolveAll replaces the placeholders of several options. See [Resolve].
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

// Keys replaces the placeholders in an option that holds secrets. None may be empty. The configured
// texts stay as they are, since Caddy may log them.
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

// Path replaces the placeholders in an option that is a path, or uses byDefault if the option is
// empty. It returns the same path for relative paths and for paths through symbolic links.
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
