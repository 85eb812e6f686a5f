package parts

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

func TestReadControl(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  sessionstore.Change
	}{
		{"nothing", nil, sessionstore.Change{}},
		{"an empty line", []string{""}, sessionstore.Change{}},
		{"regenerate", []string{"regenerate"}, sessionstore.Change{Regenerate: true}},
		{"regenerate, but not", []string{"regenerate=?0"}, sessionstore.Change{}},
		{"destroy", []string{"destroy"}, sessionstore.Change{Destroy: true}},
		{"two lines", []string{"destroy", "regenerate"}, sessionstore.Change{Destroy: true, Regenerate: true}},
		{"the last counts", []string{"destroy, destroy=?0"}, sessionstore.Change{}},
		{"flash-seen", []string{"flash-seen"}, sessionstore.Change{FlashSeen: true}},
		{"flash-seen of categories", []string{`flash-seen=("info" "error")`}, sessionstore.Change{FlashSeen: true, FlashCategories: []string{"info", "error"}}},
		{"flash-seen of a category beyond ASCII", []string{`flash-seen=("info" %"succ%c3%a8s")`}, sessionstore.Change{FlashSeen: true, FlashCategories: []string{"info", "succès"}}},
		{"flash-seen of no category", []string{`flash-seen=()`}, sessionstore.Change{FlashSeen: true, FlashCategories: []string{}}},
		{"permanent", []string{"permanent"}, sessionstore.Change{Permanent: new(true)}},
		{"not permanent", []string{"permanent=?0"}, sessionstore.Change{Permanent: new(false)}},
		{"idle-timeout", []string{"idle-timeout=90"}, sessionstore.Change{IdleTimeout: new(90 * time.Second)}},
		{"the default idle-timeout", []string{"idle-timeout=?0"}, sessionstore.Change{IdleTimeout: new(time.Duration(0))}},
		{"parameters are ignored", []string{"regenerate;why=login"}, sessionstore.Change{Regenerate: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got sessionstore.Change
			if err := readControl(test.lines, &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("change %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestReadControlRefuses(t *testing.T) {
	for _, line := range []string{
		"=", "regenerate=1", "regenerate=(a)", "destroy=yes", "permanent=0", "flash-seen=1", "flash-seen=(1)", "flash-seen=(info)",
		"idle-timeout", "idle-timeout=?1", "idle-timeout=0", "idle-timeout=-1", "idle-timeout=1.5", `idle-timeout="60"`,
		"secret=1;destroy", "regenerate, ", "Regenerate", "r\u00e9generate",
	} {
		t.Run(line, func(t *testing.T) {
			err := readControl([]string{line}, new(sessionstore.Change))
			if !errors.Is(err, sessionstore.ErrInvalid) {
				t.Fatalf("error %v, want %v", err, sessionstore.ErrInvalid)
			}
			if strings.Contains(err.Error(), "r\u00e9g") || strings.Contains(err.Error(), "60") {
				t.Errorf("the error quotes the response: %v", err)
			}
		})
	}
}

// The log names a misspelt member.
func TestUnknownMemberIsNamed(t *testing.T) {
	err := readControl([]string{"regenerate, regenrate"}, new(sessionstore.Change))
	const want = `unknown member "regenrate"; known are destroy, end-all, end-others, flash-seen, idle-timeout, permanent, regenerate`
	if !errors.Is(err, sessionstore.ErrInvalid) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	if err := readControl([]string{strings.Repeat("x", 1000)}, new(sessionstore.Change)); len(err.Error()) > 200 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

// FuzzChange checks that any response gives a change or an error that wraps ErrInvalid.
func FuzzChange(f *testing.F) {
	f.Add(`{"a":1}`, `["info","x"]`, "regenerate", true)
	f.Add(`[{"op":"increment","path":"/n","value":1}], {"b":null}`, `"x", "y"`, "destroy, idle-timeout=1", false)
	f.Add(`eyJhIjoxfQ==,{"b":2}`, `Ing=`, `flash-seen=("a")`, true)
	f.Fuzz(func(t *testing.T, update, flash, control string, encoded bool) {
		var a Answer
		v := &View{Session: new(sessionstore.Session)}
		var err error
		for _, p := range []struct {
			Part
			line string
		}{
			{&SessionData{Update: "X-Session-Update", Base64: encoded}, update},
			{&Flash{Header: "X-Session-Flash", Base64: encoded}, flash},
			{&Control{Header: "X-Session-Control"}, control},
		} {
			if err = p.Take(v, []string{p.line}, &a); err != nil {
				break
			}
		}
		if err != nil && !errors.Is(err, sessionstore.ErrInvalid) {
			t.Errorf("error %v is not %v", err, sessionstore.ErrInvalid)
		}
	})
}
