// What New accepts, what it keeps, and that nothing of it is ever printed.

package signer_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/signer"
)

func TestNewRefuses(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, test := range []struct {
		name    string
		options signer.Options
		want    string
	}{
		{"no keys", signer.Options{}, "no keys"},
		{"an empty key", signer.Options{Keys: keys(secret, "")}, "key 2 of 2 is empty"},
		{"a nil key", signer.Options{Keys: [][]byte{nil}}, "key 1 of 1 is empty"},
		{"an unknown digest", signer.Options{Keys: keys(secret), Digest: "md5"}, `unknown digest "md5"`},
		{"an unknown derivation", signer.Options{Keys: keys(secret), Derivation: "pbkdf2"}, `unknown key derivation "pbkdf2"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := signer.New(test.options)
			if err == nil || s != nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("New() = %v, %v, want an error with %q", s, err, test.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error %q holds a key", err)
			}
		})
	}
}

func TestEverySeparator(t *testing.T) {
	for i := range 256 {
		separator := byte(i)
		s, err := signer.New(signer.Options{Keys: keys("key"), Separator: separator})
		if strings.IndexByte(alphabet+"=", separator) >= 0 {
			if err == nil {
				t.Errorf("separator %q was accepted", separator)
			}
			continue
		}
		if err != nil {
			t.Errorf("separator %q: %v", separator, err)
			continue
		}
		if separator == 0 {
			separator = '.'
		}
		for _, value := range []string{"", "v", "a" + string([]byte{separator}) + "b", string([]byte{separator})} {
			signed := s.Sign(value)
			if !strings.HasPrefix(signed, value+string([]byte{separator})) {
				t.Errorf("separator %q: signed %q", separator, signed)
			}
			wantVerified(t, s, signed, value, false)
		}
	}
}

func TestDefaults(t *testing.T) {
	got := mustNew(t, signer.Options{Keys: keys("key")}).Sign("value")
	want := mustNew(t, signer.Options{
		Keys:       keys("key"),
		Digest:     signer.SHA256,
		Derivation: signer.DeriveHMAC,
		Separator:  '.',
	}).Sign("value")
	if got != want {
		t.Errorf("with defaults %q, with the same said %q", got, want)
	}
}

// Callers may wipe their keys after New.
func TestKeysAreCopied(t *testing.T) {
	for _, derivation := range []signer.Derivation{
		signer.DeriveHMAC, signer.DeriveDjangoConcat, signer.DeriveConcat, signer.DeriveNone,
	} {
		ring := keys("first", "second")
		s := mustNew(t, signer.Options{Keys: ring, Derivation: derivation})
		byFirst := s.Sign("value")
		bySecond := mustNew(t, signer.Options{Keys: keys("second"), Derivation: derivation}).Sign("value")
		for _, key := range ring {
			clear(key)
		}
		if got := s.Sign("value"); got != byFirst {
			t.Errorf("%s: Sign() = %q after the keys were wiped, before %q", derivation, got, byFirst)
		}
		wantVerified(t, s, bySecond, "value", true)
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	secret := "hunter2-hunter2-hunter2"
	options := signer.Options{Keys: keys(secret), Derivation: signer.DeriveNone}
	s := mustNew(t, options)
	s.Sign("value") // so that there is hash state to leak, too

	printed := map[string]string{"String": s.String(), "Options.String": options.String()}
	type outer struct {
		Exported   *signer.Signer
		unexported *signer.Signer
		value      any
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08b", "%c", "%U", "%t", "%z"} {
		for i, v := range []any{s, *s, options, &options, []*signer.Signer{s}, outer{s, s, s}, &outer{s, s, *s}} {
			printed[fmt.Sprint(verb, " ", i)] = fmt.Sprintf(verb, v)
		}
	}
	for i, v := range []any{s, options, outer{Exported: s}} {
		asJSON, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		printed[fmt.Sprint("json ", i)] = string(asJSON)
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("a signer", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("a signer", "v", v)
		printed[fmt.Sprint("slog ", i)] = log.String()
	}

	forms := []string{
		secret, secret[:8],
		hex.EncodeToString([]byte(secret[:8])),
		strings.ToUpper(hex.EncodeToString([]byte(secret[:8]))),
		base64.StdEncoding.EncodeToString([]byte(secret[:6])),
		strings.Trim(fmt.Sprintf("%d", []byte(secret[:8])), "[]"),
		strings.Trim(fmt.Sprintf("%c", []byte(secret[:8])), "[]"),
		strings.Trim(fmt.Sprintf("%#v", []byte(secret[:4])), "[]byte{}"),
		strings.Trim(fmt.Sprintf("%08b", []byte(secret[:4])), "[]"),
		strings.Trim(fmt.Sprintf("%U", []byte(secret[:4])), "[]"),
	}
	for how, text := range printed {
		for _, form := range forms {
			if strings.Contains(text, form) {
				t.Errorf("%s prints the key: %s", how, text)
			}
		}
	}
}
