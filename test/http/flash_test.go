package http_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestFlash(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("flash", `["info","a"]`, "flash", `"b", ["error","c"]`).issues()
	b.look().flashes(`[["info","a"],["message","b"],["error","c"]]`).holds("{}").keeps()
	b.look().flashes(`[["info","a"],["message","b"],["error","c"]]`) // reading deletes nothing
	b.change("control", `flash-seen=("info" "error")`).keeps()
	b.look().flashes(`[["message","b"]]`)
	b.change("control", `flash-seen=()`).keeps() // of no category
	b.look().flashes(`[["message","b"]]`)
	b.change("control", "flash-seen=?0")
	b.look().flashes(`[["message","b"]]`)
	b.change("control", "flash-seen", "flash", `"new"`).keeps() // only those that the request got
	b.look().flashes(`[["message","new"]]`)
	b.change("control", "flash-seen").expires() // nothing remains
	b.look().flashes("").holds("{}")
}

// Of two equal messages, the request got one, and one came later.
func TestFlashSeenRemovesOnlyWhatWasGiven(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("flash", `"x"`, "update", `{"a":1}`)
	slow := b.hold("control", "flash-seen")
	b.change("flash", `"x"`)
	slow.release().keeps()
	b.look().flashes(`[["message","x"]]`)

	// Two requests get the same message; it is deleted once.
	one, two := b.hold("control", "flash-seen"), b.hold("control", "flash-seen")
	one.release()
	two.release()
	b.look().flashes("").holds(`{"a":1}`)
}

func TestFlashLimitDropsTheOldest(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	message := func(i int, size int) string {
		prefix := fmt.Sprintf(`["m","%d`, i)
		return prefix + strings.Repeat("x", size-len(prefix)-len(`"]`)) + `"]`
	}
	// 2 brackets, 4 messages and 3 commas make 4000 bytes.
	sizes := []int{1000, 1000, 1000, 995}
	var kept []string
	for i, size := range sizes {
		b.change("flash", message(i, size))
		kept = append(kept, message(i, size))
	}
	b.look().flashes("[" + strings.Join(kept, ",") + "]")
	if n := len("[" + strings.Join(kept, ",") + "]"); n != 4000 {
		t.Fatalf("the test itself is wrong: %d", n)
	}
	b.change("flash", `"y"`)
	b.look().flashes("[" + strings.Join(kept[1:], ",") + `,["message","y"]]`)
	full := message(9, 3998)
	b.change("flash", `"z"`, "flash", full)
	b.look().flashes("[" + full + "]")
}

// Messages stay when the session's id changes.
func TestFlashSurvivesRegenerate(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("flash", `["info","a"]`)
	b.change("control", "regenerate", "flash", `"b"`, "update", `{"u":1}`).issues()
	b.look().flashes(`[["info","a"],["message","b"]]`).holds(`{"u":1}`)
	b.change("control", "regenerate, flash-seen").issues()
	b.look().flashes("").holds(`{"u":1}`)
}

func TestDestroyWithMessage(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"user":1}`, "flash", `"old"`)
	old, oldRef := b.cookies(), b.look().info().ref
	c := b.change("control", `destroy, regenerate, flash-seen`, "flash", `["info","you are logged out"]`).issues()
	if strings.HasSuffix(old, c.Value) {
		t.Error("the new session has the old one's id")
	}
	if r := b.look().flashes(`[["info","you are logged out"]]`).holds("{}"); r.info().ref == oldRef {
		t.Error("the same ref")
	}
	b.holding(old).look().holds("{}").flashes("")

	// Without content, no new session begins.
	b.change("control", "destroy", "update", `{"a":null}`).expires()
	b.change("control", "destroy", "update", `{"b":1}`).issues() // anonymous: begins a session
	b.look().holds(`{"b":1}`)
}
