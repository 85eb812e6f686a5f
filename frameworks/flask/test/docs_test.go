package flask_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

// matrix is the table of what TestProxied covers: the serializations of each version for each store
// and client.
func matrix() string {
	var backends []backend
	cells := make(map[backend]map[string][]string)
	for _, r := range rows() {
		if cells[r.backend] == nil {
			backends = append(backends, r.backend)
			cells[r.backend] = make(map[string][]string)
		}
		if list := cells[r.backend][r.version]; !slices.Contains(list, r.serialization) {
			cells[r.backend][r.version] = append(list, r.serialization)
		}
	}
	var table strings.Builder
	table.WriteString("| `SESSION_TYPE` | client |")
	for _, v := range versions {
		name, debian := strings.CutSuffix(v.name, "-debian")
		table.WriteString(" " + name)
		if debian {
			table.WriteString(" of Debian")
		}
		table.WriteString(" |")
	}
	table.WriteString("\n|" + strings.Repeat(" --- |", len(versions)+2) + "\n")
	for _, b := range backends {
		kind := "`" + b.kind + "`"
		if b == cookie {
			kind = "none: `dialect flask`"
		}
		table.WriteString("| " + kind + " | " + b.client + " |")
		for _, v := range versions {
			cell := strings.Join(cells[b][v.name], ", ")
			if cell == "" {
				cell = "–"
			}
			table.WriteString(" " + cell + " |")
		}
		table.WriteString("\n")
	}
	return table.String()
}

func TestDocumentationHasTheMatrix(t *testing.T) {
	if !strings.Contains(docs.Text(t), matrix()) {
		t.Errorf("docs lack this table:\n%s", matrix())
	}
}

// settings is a Python program that prints the names of all session settings of Flask and
// Flask-Session.
const settings = `
import pathlib, re, flask, flask_session
names = set(flask.Flask.default_config)
for source in pathlib.Path(flask_session.__file__).parent.rglob("*.py"):
    names |= set(re.findall(r"^    (SESSION_[A-Z_]+) = ", source.read_text(), re.M))
    names |= set(re.findall(r"setdefault\([\"'](SESSION_[A-Z_]+)", source.read_text()))
print(" ".join(n for n in names if "SESSION" in n or n.startswith("SECRET_KEY")))
`

func TestDocumentationHasEverySetting(t *testing.T) {
	text := docs.Text(t)
	for _, v := range versions {
		out, err := exec.Command(harness.FlaskSession(t, v.name), "-c", settings).Output()
		names := strings.Fields(string(out))
		if err != nil || len(names) < 20 {
			t.Fatalf("%v: %v", names, err)
		}
		for _, name := range names {
			if !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%s: docs lack %s", v.name, name)
			}
		}
	}
}
