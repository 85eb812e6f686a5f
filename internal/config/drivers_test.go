package config_test

import (
	"reflect"
	"testing"

	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore/memcached"
	"github.com/caddy-session/caddy-session/sessionstore/mongodb"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

// The fingerprint covers every option of every store, including options that are added later.
func TestFingerprintCoversEveryOption(t *testing.T) {
	for _, options := range []any{redis.Options{}, redis.NearCache{}, sql.Options{}, mongodb.Options{}, memcached.Options{}} {
		whole := reflect.TypeOf(options)
		seen := map[string]string{config.Fingerprint(options): "none"}
		for i := range whole.NumField() {
			field := whole.Field(i)
			changed := reflect.New(whole).Elem()
			change(t, changed.Field(i))
			sum := config.Fingerprint(changed.Interface())
			other, taken := seen[sum]
			switch reports := field.Type.Kind() == reflect.Func; {
			case reports && other != "none":
				t.Errorf("%v: the fingerprint covers the callback %s", whole, field.Name)
			case !reports && taken:
				t.Errorf("%v: %s and %s have the same fingerprint", whole, field.Name, other)
			case !reports:
				seen[sum] = field.Name
			}
		}
	}
}

// change sets an option to another value.
func change(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8:
		v.SetUint(1)
	case reflect.String:
		v.SetString("a")
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Func:
		v.Set(reflect.MakeFunc(v.Type(), nil))
	default:
		t.Fatalf("an option is a %v", v.Type())
	}
}
