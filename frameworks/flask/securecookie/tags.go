package securecookie

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// The tags of flask.json.tag.TaggedJSONSerializer. A tagged value is an object with one member,
// whose name is the tag.
const (
	tagDict     = " di"
	tagTuple    = " t"
	tagBytes    = " b"
	tagMarkup   = " m"
	tagUUID     = " u"
	tagDatetime = " d"

	// tagOpaque is not Flask's: it is for markers, see showNumbers.
	tagOpaque = " o"
)

// tagged returns the tag of v and the value inside, if v is tagged.
func tagged(v jsondoc.Value) (value jsondoc.Value, tag string, ok bool) {
	if v.Kind() != jsondoc.Object || v.Len() != 1 {
		return v, "", false
	}
	for name, value := range v.Members() {
		switch name {
		case tagDict, tagTuple, tagBytes, tagMarkup, tagUUID, tagDatetime:
			return value, name, true
		}
	}
	return v, "", false
}

// isTagged reports whether v is a tagged value or a marker, and not a plain object.
func isTagged(v jsondoc.Value) bool {
	_, _, ok := tagged(v)
	return ok || v.Kind() == jsondoc.Object && v.Len() == 1 && strings.HasPrefix(v.ASCII(), `{"`+tagOpaque+`":`)
}

// checkTags returns an error if Flask would fail to read a value.
func checkTags(v jsondoc.Value) error {
	if v.Kind() == jsondoc.Number && len(v.ASCII()) > maxDigits && !strings.ContainsAny(v.ASCII(), ".eE") {
		return fmt.Errorf("%w: a number has more than %d digits, which Python does not read", sessionstore.ErrInvalid, maxDigits)
	}
	if value, tag, ok := tagged(v); ok && !fits(tag, value) {
		return fmt.Errorf("%w: the tag %q of Flask's serializer has a wrong value", sessionstore.ErrInvalid, tag)
	}
	for _, item := range v.Items() {
		if err := checkTags(item); err != nil {
			return err
		}
	}
	for _, value := range v.Members() {
		if err := checkTags(value); err != nil {
			return err
		}
	}
	return nil
}

func fits(tag string, v jsondoc.Value) bool {
	switch tag {
	case tagTuple:
		return v.Kind() == jsondoc.Array
	case tagDict:
		for name := range v.Members() {
			return v.Len() == 1 && strings.HasSuffix(name, "__")
		}
		return false
	case tagBytes:
		_, err := base64.StdEncoding.DecodeString(v.String())
		return v.Kind() == jsondoc.String && err == nil
	case tagUUID:
		_, err := hex.DecodeString(v.String())
		return v.Kind() == jsondoc.String && err == nil && len(v.String()) == 32
	case tagDatetime: // Flask reads an invalid date as None, but fails on a number beyond 32 bits
		return v.Kind() == jsondoc.String && !hugeNumber.MatchString(v.String())
	default:
		return v.Kind() == jsondoc.String
	}
}

var hugeNumber = regexp.MustCompile(`\d{10}`)

// maxDigits is how many digits Python reads in an integer.
const maxDigits = 4300

// member is a member of an object, with its JSON.
type member struct{ name, text string }

// isSorted reports whether the members of all objects in v are sorted by name.
func isSorted(v jsondoc.Value) bool {
	for _, item := range v.Items() {
		if !isSorted(item) {
			return false
		}
	}
	last := ""
	for name, value := range v.Members() {
		if name < last || !isSorted(value) {
			return false
		}
		last = name
	}
	return true
}

// appendJSON appends the JSON of v as Flask writes it, if sorted with the members of all objects
// sorted by name. more are additional members of v.
func appendJSON(out []byte, v jsondoc.Value, sorted bool, more ...member) []byte {
	switch v.Kind() {
	case jsondoc.Array:
		out = append(out, '[')
		for i, item := range v.Items() {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendJSON(out, item, sorted)
		}
		return append(out, ']')
	case jsondoc.Object:
	default:
		return v.AppendASCII(out)
	}
	members := more
	for name, value := range v.Members() {
		members = append(members, member{name, string(appendJSON(nil, value, sorted))})
	}
	if sorted {
		slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	}
	out = append(out, '{')
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(jsondoc.NewString(m.name).AppendASCII(out), ':')
		out = append(out, m.text...)
	}
	return append(out, '}')
}
