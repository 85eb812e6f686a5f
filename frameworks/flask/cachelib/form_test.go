package cachelib

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// sidName is the file name of "sid" in cachelib before 0.16.
const sidName = "ce41a8df7341a0807ab2038b1ca19698"

// TestFormIsKept reads files of every version of cachelib and writes them back in the same form.
func TestFormIsKept(t *testing.T) {
	value := []byte("\x80\x05\x95\n\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s.")
	const j = "\x80\xcf\x7c\x65" // 1702678400
	for name, test := range map[string]struct {
		head   string
		form   form
		expiry int64
	}{
		"0.13":                 {j, modern, 1702678400},
		"0.13, never":          {"\x00\x00\x00\x00", modern, never},
		"0.13, looks like 0.6": {"\x80\x05\x95\x65", modern, 0x65950580},
		"0.13, looks like 0.1": {"J\x01\x02\x65", modern, 0x6502014a},
		"0.1":                  {"J" + j + ".", pickled, 1702678400},
		"0.1, never":           {"K\x00.", pickled, never},
		"0.1, 2038":            {"L2147483653L\n.", pickled, 2147483653},
		"0.6":                  {"\x80\x05\x95\x06\x00\x00\x00\x00\x00\x00\x00J" + j + ".", pickled, 1702678400},
		"0.6 on 3.7":           {"\x80\x04\x95\x06\x00\x00\x00\x00\x00\x00\x00J" + j + ".", pickled, 1702678400},
		"0.6, never":           {"\x80\x05K\x00.", pickled, never},
		"0.6, 2038":            {"\x80\x05\x95\x08\x00\x00\x00\x00\x00\x00\x00\x8a\x05\x05\x00\x00\x80\x00.", pickled, 2147483653},
	} {
		t.Run(name, func(t *testing.T) {
			at := time.Unix(1702678400-3600, 0)
			s := openTemp(t, Options{Dir: t.TempDir(), Endless: 31 * 24 * time.Hour, Now: func() time.Time { return at }})
			path := filepath.Join(s.o.Dir, sidName)
			if err := os.WriteFile(path, append([]byte(test.head), value...), 0o600); err != nil {
				t.Fatal(err)
			}
			e, err := s.Get(t.Context(), sid)
			ttl := time.Unix(test.expiry, 0).Sub(at)
			if test.expiry == never {
				ttl = s.o.Endless
			}
			if test.expiry != never && ttl < 0 {
				if err != nil || e.Found() {
					t.Fatalf("expired session: %v, %v", e, err)
				}
				return
			}
			if err != nil || !bytes.Equal(e.Value, value) || e.TTL != ttl {
				t.Fatalf("%q, %v left, %v; want %v", e.Value, e.TTL, err, ttl)
			}
			if err := s.Touch(t.Context(), sid, value, 2*time.Hour); err != nil {
				t.Fatal(err)
			}
			if e := want(t, s, sid, value); test.expiry != never && e.TTL != 2*time.Hour || test.expiry == never && e.TTL != ttl {
				t.Errorf("after a touch the TTL is %v", e.TTL)
			}
			save(t, s, sid, value, pickle(7), 90*time.Minute)
			if e := want(t, s, sid, pickle(7)); e.TTL != 90*time.Minute {
				t.Errorf("after a save the TTL is %v", e.TTL)
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if c, err := parse(raw); err != nil || c.form != test.form {
				t.Errorf("the file is now %q, %v", raw, err)
			}
		})
	}
}

// TestFormOfNew creates sessions beside those of an app.
func TestFormOfNew(t *testing.T) {
	formOf := func(s *Store, key string) form {
		t.Helper()
		raw, err := os.ReadFile(s.locate(key, false))
		if err != nil {
			t.Fatal(err)
		}
		c, err := parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		return c.form
	}
	s := openTemp(t, Options{})
	save(t, s, "one", nil, pickle(1), time.Hour)
	if f := formOf(s, "one"); f != modern {
		t.Errorf("in an empty folder: %v", f)
	}
	// The app has no threshold and an old cachelib.
	raw := content{form: pickled, expiry: time.Now().Unix() + 3600, value: pickle(1)}.append(nil)
	if err := os.WriteFile(s.path(byMD5.of("two")), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Chtimes(s.path(byMD5.of("two")), time.Time{}, time.Now().Add(time.Second))
	save(t, s, "three", nil, pickle(1), time.Hour)
	if f := formOf(s, "three"); f != pickled {
		t.Errorf("beside a later file: %v", f)
	}
	// The counter takes precedence over other files.
	writeCounter(t, s.o.Dir, byMD5, modern, 3)
	save(t, s, "four", nil, pickle(1), time.Hour)
	if f := formOf(s, "four"); f != modern {
		t.Errorf("beside a counter: %v", f)
	}
}

// TestNaming creates sessions beside those of an app, and checks that the app finds them.
func TestNaming(t *testing.T) {
	s := openTemp(t, Options{})
	named := func(key string, want naming) {
		t.Helper()
		save(t, s, key, nil, pickle(1), time.Hour)
		if _, err := os.Stat(s.path(want.of(key))); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	named("in an empty folder", bySHA256)
	raw := content{form: modern, expiry: time.Now().Unix() + 3600, value: pickle(7)}.append(nil)
	later := s.path(byMD5.of("app"))
	if err := errors.Join(os.WriteFile(later, raw, 0o600), os.Chtimes(later, time.Time{}, time.Now().Add(time.Second))); err != nil {
		t.Fatal(err)
	}
	named("beside a later file by MD5", byMD5)
	want(t, s, "app", pickle(7))
	want(t, s, "in an empty folder", pickle(1))
	save(t, s, "app", pickle(7), pickle(8), time.Hour)
	want(t, s, "app", pickle(8))

	writeCounter(t, s.o.Dir, byMD5, modern, 3)
	named("beside a counter by MD5", byMD5)
	if e, err := s.Get(t.Context(), "in an empty folder"); e.Found() || err != nil {
		t.Errorf("a session that the app does not find: %v, %v", e, err)
	}
	writeCounter(t, s.o.Dir, bySHA256, modern, 0)
	counter := s.path(bySHA256.of(countKey))
	if err := os.Chtimes(counter, time.Time{}, time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	named("after an upgrade", bySHA256)
	want(t, s, "in an empty folder", pickle(1))
	if e, err := s.Get(t.Context(), "app"); e.Found() || err != nil {
		t.Errorf("a session that the app no longer finds: %v, %v", e, err)
	}
}
