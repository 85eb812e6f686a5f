package jsondoc_test

import (
	"math"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

const noLimit = math.MaxInt

func parse(t testing.TB, text string) jsondoc.Value {
	t.Helper()
	v, err := jsondoc.Parse(text, jsondoc.MaxDepth)
	if err != nil {
		t.Fatalf("parsing %q: %v", text, err)
	}
	return v
}

func parsePatch(t testing.TB, text string) jsondoc.Patch {
	t.Helper()
	p, err := jsondoc.ParsePatch(parse(t, text))
	if err != nil {
		t.Fatalf("parsing the patch %s: %v", text, err)
	}
	return p
}

func parsePath(t testing.TB, text string) jsondoc.Path {
	t.Helper()
	p, err := jsondoc.ParsePath(text)
	if err != nil {
		t.Fatalf("parsing the path %q: %v", text, err)
	}
	return p
}

func ascii(v jsondoc.Value) string { return string(v.AppendASCII(nil)) }

// nested returns n arrays in each other.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
