package jsondoc_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// TestOnePatchOfManyDocuments is what a session's writers do: each applies its patch again to
// whatever is there now, while others read the same values.
func TestOnePatchOfManyDocuments(t *testing.T) {
	patch := parsePatch(t, `[
		{"op":"add","path":"/new","value":{"list":[{"x":1}],"deep":{"deeper":{}}}},
		{"op":"increment","path":"/new/list/0/x","value":1.5},
		{"op":"add","path":"/new/list/-","value":{"y":2}},
		{"op":"copy","from":"/new","path":"/shared/copy"},
		{"op":"remove","path":"/shared/copy/deep/deeper"},
		{"op":"replace","path":"/shared/list/1/z","value":[]},
		{"op":"move","from":"/shared/list/0","path":"/new/moved"},
		{"op":"test","path":"/shared/list","value":[{"z":[]}]},
		{"op":"increment","path":"/n","value":1}]`)
	merge := parse(t, `{"shared":{"copy":{"list":null},"list":null},"new":{"list":[null],"moved":{"deep":null}}}`)
	shared := parse(t, `{"list":[1,{"z":0}]}`)
	selected := []jsondoc.Path{parsePath(t, "new.list"), parsePath(t, "n"), parsePath(t, "shared.copy")}
	beforeMerge, beforeShared := ascii(merge), ascii(shared)

	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for j := range 50 {
				doc, err := jsondoc.Set(parse(t, fmt.Sprintf(`{"n":%d}`, i*50+j)), parsePath(t, "shared"), shared)
				if err != nil {
					t.Error(err)
					return
				}
				before := ascii(doc)
				patched, err := patch.Apply(doc, jsondoc.NewBudget(noLimit))
				if err != nil {
					t.Error(err)
					return
				}
				n := i*50 + j + 1
				want := fmt.Sprintf(`{"n":%d,"shared":{"list":[{"z":[]}],"copy":{"list":[{"x":2.5},{"y":2}],"deep":{}}},"new":{"list":[{"x":2.5},{"y":2}],"deep":{"deeper":{}},"moved":1}}`, n)
				if got := ascii(patched); got != want {
					t.Errorf("patched: %s", got)
				}
				merged, err := jsondoc.MergePatch(patched, merge, jsondoc.NewBudget(noLimit))
				if err != nil {
					t.Error(err)
					return
				}
				want = fmt.Sprintf(`{"n":%d,"shared":{"copy":{"deep":{}}},"new":{"list":[null],"deep":{"deeper":{}},"moved":{}}}`, n)
				if got := ascii(merged); got != want {
					t.Errorf("merged: %s", got)
				}
				want = fmt.Sprintf(`{"n":%d,"shared":{"copy":{"deep":{}}},"new":{"list":[null]}}`, n)
				if got := ascii(jsondoc.Select(merged, selected)); got != want {
					t.Errorf("selected: %s", got)
				}
				if ascii(doc) != before || ascii(merge) != beforeMerge || ascii(shared) != beforeShared {
					t.Error("an input has changed")
				}
			}
		})
	}
	wait.Wait()
}
