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

// Fingerprint returns a hash of everything that a connection depends on. Handlers with equal
// options share a connection, and so does a reloaded configuration. It covers every field of a
// struct except functions, which only report. Of a [tls.Config] it covers only whether it is nil:
// pass the contents of its files as well. Being a hash, it is safe to log.
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
		for _, field := range v.Fields() {
			write(w, field)
		}
	default:
		panic("config: no fingerprint of a " + v.Type().String())
	}
}
