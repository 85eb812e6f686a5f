package dialects

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Inspector is implemented by the dialects whose cookies and records `caddy session inspect` can
// show.
type Inspector interface {
	Dialect

	// Inspect reports what a cookie's value or a stored record contains, and what is wrong with it.
	// Without secrets it checks no signature. The module is not provisioned.
	Inspect(input []byte, secrets []string, now time.Time) *Report
}

// Report is the result of inspecting a cookie or a record.
type Report struct {
	facts    []fact
	problems []string
}

type fact struct{ name, value string }

// Add adds a fact.
func (r *Report) Add(name, format string, args ...any) {
	r.facts = append(r.facts, fact{name, fmt.Sprintf(format, args...)})
}

// Wrong adds a problem.
func (r *Report) Wrong(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// Signature adds the result of checking a signature with n keys. stale says that the key is not the
// first.
func (r *Report) Signature(n int, stale, ok bool) {
	switch {
	case n == 0:
		r.Add("signature", "not checked: no secret was given")
	case !ok:
		r.Wrong("none of the secrets matches the signature: the cookie is from another site, forged or damaged")
	case stale:
		r.Add("signature", "valid, by a secret that is not the first")
	default:
		r.Add("signature", "valid")
	}
}

// Record adds the content of a record.
func (r *Report) Record(rec *sessionstore.Record) {
	r.Add("permanent", "%t", rec.Permanent)
	r.Add("data", "%s", printable(rec.Data))
	r.Add("data size", "%d bytes", len(rec.Data))
	flashes, err := sessionstore.ParseFlashes(rec.Flash)
	if err != nil {
		r.Wrong("%v", err)
	} else if len(flashes) > 0 {
		r.Add("messages", "%s", printable(rec.Flash))
	}
}

// printable returns JSON in ASCII, without control characters that would reach the terminal.
func printable(text []byte) string {
	v, err := jsondoc.Parse(text, jsondoc.MaxDepth)
	if err != nil {
		return strconv.QuoteToASCII(string(text))
	}
	return v.ASCII()
}

// Fine reports whether there are no problems.
func (r *Report) Fine() bool { return len(r.problems) == 0 }

// Write prints the report, one line for each fact and each problem.
func (r *Report) Write(w io.Writer) error {
	var text strings.Builder
	for _, f := range r.facts {
		fmt.Fprintf(&text, "%s: %s\n", f.name, f.value)
	}
	for _, p := range r.problems {
		fmt.Fprintf(&text, "problem: %s\n", p)
	}
	_, err := io.WriteString(w, text.String())
	return err
}
