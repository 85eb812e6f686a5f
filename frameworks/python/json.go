package python

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// The tags of Flask's serializer, and " o" for markers. An object with one such member is not a
// dict: the member's name tells its type.
const (
	tagDict     = " di"
	tagTuple    = " t"
	tagBytes    = " b"
	tagMarkup   = " m"
	tagUUID     = " u"
	tagDatetime = " d"
	tagOpaque   = " o"
)

func isTag(name string) bool {
	switch name {
	case tagDict, tagTuple, tagBytes, tagMarkup, tagUUID, tagDatetime, tagOpaque:
		return true
	default:
		return false
	}
}

// maxJSON is the largest JSON of a session, in bytes: a small pickle can describe a huge tree.
const maxJSON = sessionstore.MaxRecord

var errSize = fmt.Errorf("%w: data is too large or nested too deeply", sessionstore.ErrRecord)

// ToJSON returns the JSON that backends see, in ASCII. A value of a type that JSON lacks is tagged
// as Flask tags it; if Flask has no tag for it, a marker such as {"
// o":"decimal.Decimal#0123456789ab"} stands for it. An error wraps [sessionstore.ErrRecord].
func ToJSON(d *Dict) ([]byte, error) {
	var w renderer
	w.value(d, 0)
	if w.err != nil {
		return nil, w.err
	}
	// Parsing makes the JSON canonical.
	v, err := jsondoc.Parse(w.out, jsondoc.MaxDepth)
	if err != nil || v.Kind() != jsondoc.Object {
		return nil, errSize
	}
	return v.AppendASCII(nil), nil
}

// Render returns the JSON of a value like [ToJSON], or "" if it is too large.
func Render(v Value) string {
	var w renderer
	w.value(v, 0)
	if w.err != nil {
		return ""
	}
	doc, err := jsondoc.Parse(w.out, maxTree)
	if err != nil {
		return ""
	}
	return doc.ASCII()
}

// maxTree is how deep a tree may nest. A tag makes two levels of JSON from one.
const maxTree = jsondoc.MaxDepth

type renderer struct {
	out []byte
	err error
}

func (w *renderer) text(s string) { w.out = append(w.out, s...) }

// value writes v; depth is its level below the top.
func (w *renderer) value(v Value, depth int) {
	if len(w.out) > maxJSON || depth > maxTree {
		w.err = errSize
	}
	if w.err != nil {
		return
	}
	switch v := v.(type) {
	case None:
		w.text("null")
	case Bool:
		w.text(strconv.FormatBool(bool(v)))
	case Int:
		w.text(string(v))
	case Float:
		w.float(v, float64(v), 64)
	case Float32:
		w.float(v, float64(v), 32)
	case Str:
		w.string(v, string(v))
	case OldStr:
		w.string(v, string(v))
	case Bytes:
		w.tagged(tagBytes, base64.StdEncoding.EncodeToString([]byte(v)))
	case *List:
		w.items(v.Items, depth)
	case *Tuple:
		w.text(`{"` + tagTuple + `":`)
		w.items(v.Items, depth+1)
		w.text("}")
	case *Dict:
		w.dict(v, depth)
	case *Object:
		w.object(v)
	case Ext:
		if t, ok := v.timestamp(); ok {
			w.tagged(tagDatetime, t.Format(http.TimeFormat))
		} else {
			w.opaque(v, "ext."+strconv.Itoa(int(v.Type)))
		}
	default:
		w.opaque(v, nameOf(v))
	}
}

func (w *renderer) float(v Value, f float64, bits int) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		w.opaque(v, "builtins.float")
		return
	}
	text := strconv.FormatFloat(f, 'g', -1, bits)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	w.text(text)
}

func (w *renderer) string(v Value, s string) {
	if !utf8.ValidString(s) {
		w.opaque(v, "builtins.str")
		return
	}
	w.text(jsondoc.NewString(s).ASCII())
}

func (w *renderer) tagged(tag, text string) {
	w.text(`{"` + tag + `":` + jsondoc.NewString(text).ASCII() + `}`)
}

func (w *renderer) items(items []Value, depth int) {
	w.text("[")
	for i, item := range items {
		if i > 0 {
			w.text(",")
		}
		w.value(item, depth+1)
	}
	w.text("]")
}

// dict writes a dict as an object if all keys are strings. If it looks like a tag it is escaped as
// Flask escapes it.
func (w *renderer) dict(d *Dict, depth int) {
	for _, p := range d.Pairs {
		if text, ok := Text(p.Key); !ok || !utf8.ValidString(text) {
			w.opaque(d, "builtins.dict")
			return
		}
	}
	suffix := ""
	if len(d.Pairs) == 1 {
		if name, _ := Text(d.Pairs[0].Key); isTag(name) {
			suffix = "__"
			w.text(`{"` + tagDict + `":`)
			defer w.text("}")
		}
	}
	w.text("{")
	for i, p := range d.Pairs {
		if i > 0 {
			w.text(",")
		}
		name, _ := Text(p.Key)
		w.text(jsondoc.NewString(name + suffix).ASCII())
		w.text(":")
		w.value(p.Value, depth+1)
	}
	w.text("}")
}

func (w *renderer) object(o *Object) {
	if b, ok := bytesOf(o); ok {
		w.tagged(tagBytes, base64.StdEncoding.EncodeToString([]byte(b)))
	} else if text, ok := o.markup(); ok && utf8.ValidString(text) {
		w.tagged(tagMarkup, text)
	} else if digits, ok := o.uuid(); ok {
		w.tagged(tagUUID, digits)
	} else if t, ok := o.datetime(); ok {
		w.tagged(tagDatetime, t.Format(http.TimeFormat))
	} else {
		w.opaque(o, nameOf(o))
	}
}

// nameOf returns the name of a value's type.
func nameOf(v Value) string {
	switch v := v.(type) {
	case *Set:
		if v.Frozen {
			return "builtins.frozenset"
		}
		return "builtins.set"
	case ByteArray:
		return "builtins.bytearray"
	case Global:
		return v.Module + "." + v.Name
	case *Object:
		if class, _, ok := v.rebuilt(); ok {
			return class.Module + "." + class.Name
		}
		return v.Class.Module + "." + v.Class.Name
	default:
		return "object"
	}
}

// opaque writes a marker: the name of the type and a hash that identifies the value.
func (w *renderer) opaque(v Value, name string) {
	h := hasher{sum: sha256.New(), seen: make(map[Value]int)}
	h.value(v, 0)
	if h.err != nil {
		w.err = h.err
		return
	}
	w.tagged(tagOpaque, name+"#"+hex.EncodeToString(h.sum.Sum(nil)[:6]))
}
