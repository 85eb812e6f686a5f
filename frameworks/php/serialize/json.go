package serialize

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// The names of tags. An object with one such member is no array: it is a string of bytes that are
// not UTF-8, or a marker that stands for a value that JSON cannot show.
const (
	tagBytes  = " b"
	tagOpaque = " o"
)

func isTag(name string) bool { return name == tagBytes || name == tagOpaque }

const (
	// maxJSON is the largest JSON of a session, in bytes.
	maxJSON = sessionstore.MaxRecord

	// maxLevels is how deep arrays are shown. A marker takes one level more.
	maxLevels = jsondoc.MaxDepth - 1
)

// JSON returns the JSON that backends see, an object in ASCII. A string that is not UTF-8 is tagged
// as Flask tags bytes, {" b":"<base64>"}. A marker such as {" o":"Cart#0123456789ab"} stands for
// what JSON cannot show: objects, references, arrays that JSON has no form for, floats that are no
// numbers. An error wraps [sessionstore.ErrRecord].
func (a *Array) JSON() ([]byte, error) {
	w := renderer{marks: make(marks)}
	w.object(a.items(), 1)
	if w.large {
		return nil, damaged("the data are too large")
	}
	// Parsing makes the JSON canonical.
	doc, err := jsondoc.Parse(w.out, jsondoc.MaxDepth)
	if err != nil {
		return nil, damaged("two names of members differ only in bytes that are not UTF-8")
	}
	return doc.AppendASCII(nil), nil
}

type renderer struct {
	out   []byte
	large bool
	marks marks
}

func (w *renderer) text(s string) {
	w.large = w.large || len(w.out)+len(s) > maxJSON
	if !w.large {
		w.out = append(w.out, s...)
	}
}

func quotedJSON(s string) string { return jsondoc.NewString(s).ASCII() }

// value writes v. level is how deep it would be as an array.
func (w *renderer) value(v *Value, level int) {
	if w.large {
		return
	}
	if v.marked(level) {
		w.tagged(tagOpaque, w.marks.of(v).text)
		return
	}
	switch v.kind {
	case null:
		w.text("null")
	case boolean:
		w.text(strconv.FormatBool(v.raw == "b:1;"))
	case integer:
		n, _ := strconv.ParseInt(v.str, 10, 64)
		w.text(strconv.FormatInt(n, 10))
	case float:
		w.text(jsonFloat(v.float()))
	case text:
		if utf8.ValidString(v.str) {
			w.text(quotedJSON(v.str))
		} else {
			w.tagged(tagBytes, base64.StdEncoding.EncodeToString([]byte(v.str)))
		}
	case array:
		if v.isList() {
			w.list(v.items, level)
		} else {
			w.object(v.items, level)
		}
	}
}

func (w *renderer) tagged(tag, text string) {
	w.text(`{"` + tag + `":` + quotedJSON(text) + `}`)
}

func (w *renderer) list(items []item, level int) {
	w.text("[")
	for i, it := range items {
		if i > 0 {
			w.text(",")
		}
		w.value(it.value, level+1)
	}
	w.text("]")
}

func (w *renderer) object(items []item, level int) {
	w.text("{")
	for i, it := range items {
		if i > 0 {
			w.text(",")
		}
		w.text(quotedJSON(it.key.str) + ":")
		w.value(it.value, level+1)
	}
	w.text("}")
}

// marked reports whether a marker stands for the value.
func (v *Value) marked(level int) bool {
	switch v.kind {
	case null, boolean, integer, text:
		return v.tied
	case float:
		f := v.float()
		return v.tied || math.IsNaN(f) || math.IsInf(f, 0)
	case array:
		if v.tied || level > maxLevels {
			return true
		}
		for _, it := range v.items {
			if !utf8.ValidString(it.key.str) || len(v.items) == 1 && isTag(it.key.str) {
				return true
			}
		}
		return false
	default:
		return true
	}
}

func (v *Value) float() float64 {
	if f, ok := special[v.str]; ok {
		return f
	}
	f, _ := strconv.ParseFloat(v.str, 64)
	return f
}

func jsonFloat(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

// mark is the text of a marker: what the value is, and a hash of its content, which stays the same
// when PHP moves it. leads says that something in the value refers to what is elsewhere.
type mark struct {
	text  string
	leads bool
}

// marks are the marks of values, so that none is hashed twice.
type marks map[*Value]mark

func (m marks) of(v *Value) mark {
	if v.target != nil {
		v = v.target
	}
	is, found := m[v]
	if found {
		return is
	}
	name := "array"
	switch {
	case v.isObject():
		name = strings.ToValidUTF8(v.str, "\ufffd")
	case v.tied, v.kind == reference, v.kind == same:
		name = "reference"
	case v.kind == float:
		name = "float"
	}
	h := hasher{sum: sha256.New(), of: v}
	h.value(v)
	is = mark{name + "#" + hex.EncodeToString(h.sum.Sum(nil)[:6]), h.leads}
	m[v] = is
	return is
}

// hasher hashes what is in a value.
type hasher struct {
	sum   hash.Hash
	of    *Value
	leads bool
}

func (h *hasher) text(s string) { _, _ = h.sum.Write([]byte(s)) }

func (h *hasher) value(v *Value) {
	switch {
	case v.target != nil && h.of.number <= v.target.number && v.target.number <= h.of.last:
		h.text(v.raw[:2] + strconv.Itoa(v.target.number-h.of.number) + ";")
	case v.target != nil:
		h.leads = true
		h.text(v.raw[:2] + "elsewhere;")
	case v.kind != array && v.kind != object:
		h.text(v.raw)
	default:
		h.text(strconv.Itoa(int(v.kind)) + ":" + strconv.Itoa(len(v.str)) + ":" + v.str + ":" + strconv.Itoa(len(v.items)) + "{")
		for _, it := range v.items {
			h.text(it.key.raw)
			h.value(it.value)
		}
		h.text("}")
	}
}
