package serialize_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"

	"github.com/caddy-session/caddy-session/frameworks/php/serialize"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/test/harness"
)

// change makes a JSON Patch to a record.
func change(form serialize.Form, record []byte, patch []byte) ([]byte, error) {
	was, err := form.Decode(string(record))
	if err != nil {
		return nil, err
	}
	data, err := was.JSON()
	if err != nil {
		return nil, err
	}
	doc, err := jsondoc.Parse(data, jsondoc.MaxDepth)
	if err != nil {
		return nil, err
	}
	text, err := jsondoc.Parse(patch, jsondoc.MaxUpdateDepth)
	if err != nil {
		return nil, err
	}
	edit, err := jsondoc.ParseEdit(text)
	if err == nil {
		doc, err = edit.Apply(doc, jsondoc.NewBudget(1<<20))
	}
	if err != nil {
		return nil, err
	}
	next, err := was.Merge(doc)
	if err != nil {
		return nil, err
	}
	return form.Encode(next, sessionstore.MaxRecord)
}

// TestAsPHP changes random sessions of a real PHP. The result is, byte for byte, what PHP makes of
// the same change.
func TestAsPHP(t *testing.T) {
	const sessions = 4000
	php := harness.Program(t, "php")
	out, err := exec.CommandContext(t.Context(), php, "testdata/random.php", "0", fmt.Sprint(sessions)).Output()
	if err != nil {
		t.Fatalf("%v: %.2000s", err, out)
	}
	lines, n := bufio.NewScanner(bytes.NewReader(out)), 0
	lines.Buffer(nil, 1<<20)
	for ; lines.Scan() && !t.Failed(); n++ {
		var s struct {
			Seed          int
			Form          serialize.Form
			Before, After []byte
			Patch         json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if same, err := change(s.Form, s.Before, []byte("[]")); err != nil || !bytes.Equal(same, s.Before) {
			t.Errorf("session %d, unchanged: %v\n%q\n%q", s.Seed, err, same, s.Before)
		}
		if after, err := change(s.Form, s.Before, s.Patch); err != nil || !bytes.Equal(after, s.After) {
			t.Errorf("session %d: %v\n%q\nafter %s\n%q, PHP\n%q", s.Seed, err, s.Before, s.Patch, after, s.After)
		}
	}
	if n != sessions && !t.Failed() {
		t.Errorf("PHP made %d sessions", n)
	}
}
