package jsondoc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// The largest document, and edits that each move all of it: so many fit into a budget, and one more
// does not.
func TestBytesMovedAreBounded(t *testing.T) {
	const size = 1 << 18 // a sixteenth of the budget
	items := `[` + strings.Repeat("1,", size/2-1) + `1]`
	list := parse(t, `{"n":0,"a":`+items+`}`)
	patch := func(operations string) func(jsondoc.Value, *jsondoc.Budget) (jsondoc.Value, error) {
		return parsePatch(t, "["+operations+"]").Apply
	}
	merge := func(doc jsondoc.Value, b *jsondoc.Budget) (jsondoc.Value, error) {
		return jsondoc.MergePatch(doc, parse(t, `{"n":1}`), b)
	}
	for name, tt := range map[string]struct {
		edit func(jsondoc.Value, *jsondoc.Budget) (jsondoc.Value, error)
		fits int
	}{
		"merge":                   {merge, 15},
		"increment":               {patch(`{"op":"increment","path":"/n","value":1}`), 7}, // taken apart, and written
		"add":                     {patch(`{"op":"add","path":"/m","value":1}`), 7},
		"replace":                 {patch(`{"op":"replace","path":"/n","value":1}`), 7},
		"test":                    {patch(`{"op":"test","path":"/n","value":0}`), 7},
		"append":                  {patch(`{"op":"add","path":"/a/-","value":1}`), 5}, // the list, too
		"append, the operation":   {patch(`{"op":"append","path":"/a","value":1}`), 5},
		"insert":                  {patch(`{"op":"add","path":"/a/0","value":1}`), 3}, // and what it shifts
		"move":                    {patch(`{"op":"move","from":"/a/0","path":"/a/1"}`), 3},
		"copy":                    {patch(`{"op":"copy","from":"/n","path":"/m"}`), 7},
		"256 inserts into a list": {patch(strings.TrimSuffix(strings.Repeat(`{"op":"add","path":"/a/0","value":1},`, 256), ",")), 0},
		"12 inserts into a list":  {patch(strings.TrimSuffix(strings.Repeat(`{"op":"add","path":"/a/0","value":1},`, 12), ",")), 1},
		"14 inserts into a list":  {patch(strings.TrimSuffix(strings.Repeat(`{"op":"add","path":"/a/0","value":1},`, 14), ",")), 0},
	} {
		t.Run(name, func(t *testing.T) {
			budget := jsondoc.NewBudget(2 * list.Size())
			for i := range tt.fits {
				if _, err := tt.edit(list, budget); err != nil {
					t.Fatalf("edit %d: %v", i+1, err)
				}
			}
			if _, err := tt.edit(list, budget); !errors.Is(err, jsondoc.ErrTooLarge) {
				t.Errorf("edit %d: error %v, want %v", tt.fits+1, err, jsondoc.ErrTooLarge)
			}
		})
	}
}

// What fits into the default max_size may have every operation that a patch may hold.
func TestSmallDocumentsStayWithinTheBudget(t *testing.T) {
	doc := parse(t, `{"a":[`+strings.Repeat("1,", 1990)+`1]}`)
	var operations []string
	for range jsondoc.MaxOperations {
		operations = append(operations, `{"op":"add","path":"/a/0","value":1}`)
	}
	if _, err := parsePatch(t, "["+strings.Join(operations, ",")+"]").Apply(doc, jsondoc.NewBudget(8000)); err != nil {
		t.Error(err)
	}
}

func TestLoneSurrogatesAreRefused(t *testing.T) {
	for _, text := range []string{
		`"\ud800"`, `"\udc00"`, `"\ud800x"`, `"\ud800\ud800\udc00"`, `"\udc00\ud800"`, `"\uD800\n"`, `{"\ud800":1}`, `{"a":["\udfff"]}`,
		`[{"op":"add","path":"/\ud800","value":1}]`, `"\ud800\u0041"`,
	} {
		if _, err := jsondoc.ParseList(text, 9); !errors.Is(err, jsondoc.ErrSyntax) {
			t.Errorf("%s: ParseList: %v", text, err)
		}
		if _, _, err := jsondoc.ParseNext(text, 9); !errors.Is(err, jsondoc.ErrSyntax) {
			t.Errorf("%s: ParseNext: %v", text, err)
		}
		v, err := jsondoc.Parse(text, 9) // of another program's session
		if err != nil {
			t.Errorf("%s: Parse: %v", text, err)
		}
		if clean := jsondoc.WithoutSurrogates(v.ASCII()); !strings.Contains(clean, `\ufffd`) || len(clean) != v.Size() {
			t.Errorf("%s: WithoutSurrogates: %s", text, clean)
		} else if _, err := jsondoc.ParseList(clean, 9); err != nil {
			t.Errorf("%s: WithoutSurrogates: %s: %v", text, clean, err)
		}
	}
	for _, text := range []string{`"\ud83d\ude00"`, `"\uD83D\uDE00"`, `"\\ud800"`, `"😀"`, `{"\ud83d\ude00":"\ud83d\ude00\ud83d\ude00"}`, `"\ue000\ud7ff"`} {
		list, err := jsondoc.ParseList(text, 9)
		if err != nil || jsondoc.WithoutSurrogates(list[0].ASCII()) != list[0].ASCII() || fmt.Sprint(list[0].ASCII()) != parse(t, text).ASCII() {
			t.Errorf("%s: %v, %v", text, list, err)
		}
	}
}
