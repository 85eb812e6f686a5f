package jsondoc_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// generator makes documents and patches that are likely to meet. It leaves out where the other
// implementation deviates from the RFCs: null in arrays (its merge drops it), numbers written in
// several ways (its test fails), paths to the document itself, and moves into a value's own inside.
type generator struct{ *rand.Rand }

func (g generator) name() string { return string("abc"[g.IntN(3)]) }

func (g generator) value(depth int, null bool) string {
	kinds := 4
	if depth > 0 {
		kinds = 7
	}
	switch kind := g.IntN(kinds); {
	case kind == 0 && null:
		return "null"
	case kind <= 1:
		return fmt.Sprint(g.IntN(10))
	case kind == 2:
		return `"` + g.name() + `\u00e9"`
	case kind == 3:
		return "true"
	case kind == 4:
		return g.list(depth)
	default:
		return g.object(depth, null)
	}
}

func (g generator) list(depth int) string {
	items := make([]string, g.IntN(4))
	for i := range items {
		items[i] = g.value(depth-1, false)
	}
	return "[" + strings.Join(items, ",") + "]"
}

func (g generator) object(depth int, null bool) string {
	var members []string
	for _, name := range "abc" {
		if g.IntN(3) > 0 {
			members = append(members, fmt.Sprintf(`"%c":%s`, name, g.value(depth-1, null)))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (g generator) pointer() string {
	var p strings.Builder
	p.WriteString("/" + g.name())
	for range g.IntN(3) {
		p.WriteByte('/')
		p.WriteString([]string{"a", "b", "c", "0", "1", "2", "-"}[g.IntN(7)])
	}
	return p.String()
}

func (g generator) operation() string {
	op := []string{"add", "add", "remove", "replace", "test", "move", "copy", "copy"}[g.IntN(8)]
	path, from := g.pointer(), g.pointer()
	for op == "move" && strings.HasPrefix(path, from) {
		path, from = g.pointer(), g.pointer()
	}
	return fmt.Sprintf(`{"op":%q,"path":%q,"from":%q,"value":%s}`, op, path, from, g.value(2, false))
}

func TestMergePatchLikeAnotherImplementation(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(7396, 0))}
	for range 2000 {
		doc, patch := g.object(3, false), g.object(3, true)
		want, err := jsonpatch.MergePatch([]byte(doc), []byte(patch))
		if err != nil {
			t.Fatal(err)
		}
		got, err := jsondoc.MergePatch(parse(t, doc), parse(t, patch), jsondoc.NewBudget(noLimit))
		if err != nil || !got.Equal(parse(t, string(want))) {
			t.Fatalf("%s merged with %s: got %s, %v, want %s", doc, patch, ascii(got), err, want)
		}
	}
}

// TestPatchLikeAnotherImplementation compares operation by operation, and then all that applied, as
// one patch, to what they did one by one: results, and the largest size on the way.
func TestPatchLikeAnotherImplementation(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(6902, 0))}
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices = false
	options.EscapeHTML = false
	for range 150 {
		doc := parse(t, g.object(3, false))
		now, largest := doc, 0
		var applied []string
		for range 60 {
			operation := g.operation()
			other, err := jsonpatch.DecodePatch([]byte("[" + operation + "]"))
			if err != nil {
				t.Fatal(err)
			}
			want, wantErr := other.ApplyWithOptions(now.AppendASCII(nil), options)
			next, err := parsePatch(t, "["+operation+"]").Apply(now, jsondoc.NewBudget(2000))
			if errors.Is(err, jsondoc.ErrTooLarge) || errors.Is(err, jsondoc.ErrTooDeep) {
				continue
			}
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("%s patched with %s: got %v, want %v", ascii(now), operation, err, wantErr)
			}
			if err != nil {
				continue
			}
			if !next.Equal(parse(t, string(want))) {
				t.Fatalf("%s patched with %s: got %s, want %s", ascii(now), operation, ascii(next), want)
			}
			now, largest = next, max(largest, next.Size())
			applied = append(applied, operation)
		}

		patch := parsePatch(t, "["+strings.Join(applied, ",")+"]")
		if got, err := patch.Apply(doc, jsondoc.NewBudget(largest)); err != nil || got != now {
			t.Fatalf("%s patched with %s: got %s, %v, want %s", ascii(doc), applied, ascii(got), err, ascii(now))
		}
		if _, err := patch.Apply(doc, jsondoc.NewBudget(largest-1)); len(applied) > 0 && !errors.Is(err, jsondoc.ErrTooLarge) {
			t.Fatalf("%s patched with %s: larger than %d, got %v", ascii(doc), applied, largest-1, err)
		}
	}
}
