package config

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// Fingerprint tells connections apart by all that they are made with: handlers with the same options share them, and so does a
// configuration that is reloaded. It covers every field of a struct but functions, which only report. Of a [tls.Config] it says only
// whether there is one: what that is made from must be given beside. It is a hash, as it may be logged.
func Fingerprint(parts ...any) string {
	hash := sha256.New()
	for _, part := range parts {
		write(hash, reflect.ValueOf(part))
	}
	return hex.EncodeToString(hash.Sum(nil))
}

func write(w io.Writer, v reflect.Value) {
	switch v.Kind() {
	case reflect.Func:
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint8, reflect.Uint32:
		fmt.Fprintf(w, "%v;", v)
	case reflect.String:
		fmt.Fprintf(w, "%q;", v)
	case reflect.Slice:
		fmt.Fprintf(w, "%d:", v.Len())
		for i := range v.Len() {
			write(w, v.Index(i))
		}
	case reflect.Map: // of strings
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		fmt.Fprintf(w, "%d:", len(keys))
		for _, key := range keys {
			write(w, key)
			write(w, v.MapIndex(key))
		}
	case reflect.Pointer:
		fmt.Fprintf(w, "%t:", v.IsNil())
		if !v.IsNil() && v.Type() != reflect.TypeFor[*tls.Config]() {
			write(w, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			write(w, v.Field(i))
		}
	default:
		panic("config: no fingerprint of a " + v.Type().String())
	}
}
