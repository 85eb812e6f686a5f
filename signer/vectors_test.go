// What the real itsdangerous signs is what this package signs and verifies.

package signer_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/caddy-session/caddy-session/signer"
)

// vectors is testdata/vectors.json, which testdata/make_vectors.py makes.
type vectors struct {
	Values [][]byte
	Groups []struct {
		Digest     signer.Digest
		Derivation signer.Derivation
		Salt       []byte
		Key        []byte
		Separator  []byte
		Signatures []string // of each value
	}
	Rings []struct {
		Digest       signer.Digest
		Keys         [][]byte
		Value        string
		Signed       string
		SignedByEach []string `json:"signed_by_each"`
	}
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	file, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(file, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Values) == 0 || len(v.Groups) == 0 || len(v.Rings) == 0 {
		t.Fatal("vectors.json is incomplete")
	}
	return v
}

func TestPythonVectors(t *testing.T) {
	v := readVectors(t)
	for i, group := range v.Groups {
		t.Run(fmt.Sprintf("%d_%s_%s", i, group.Digest, group.Derivation), func(t *testing.T) {
			s := mustNew(t, signer.Options{
				Keys:       [][]byte{group.Key},
				Salt:       string(group.Salt),
				Digest:     group.Digest,
				Derivation: group.Derivation,
				Separator:  group.Separator[0],
			})
			for j, raw := range v.Values {
				value := string(raw)
				want := value + string(group.Separator) + group.Signatures[j]
				if got := s.Sign(value); got != want {
					t.Errorf("Sign(value %d) = %q, want %q", j, got, want)
				}
				wantVerified(t, s, want, value, false)
			}
		})
	}
}

func TestPythonVectorsOfKeyRotation(t *testing.T) {
	for _, ring := range readVectors(t).Rings {
		t.Run(string(ring.Digest), func(t *testing.T) {
			s := mustNew(t, signer.Options{Keys: ring.Keys, Salt: "caddy-session", Digest: ring.Digest})
			if got := s.Sign(ring.Value); got != ring.Signed {
				t.Errorf("Sign() = %q, want the newest key's %q", got, ring.Signed)
			}
			for i, signed := range ring.SignedByEach {
				wantVerified(t, s, signed, ring.Value, i > 0)
			}
			without := mustNew(t, signer.Options{Keys: ring.Keys[:2], Salt: "caddy-session", Digest: ring.Digest})
			wantRefused(t, without, ring.SignedByEach[2])
		})
	}
}

// The cookies of Flask-Session with SESSION_USE_SIGNER, versions 0.3.2 to 0.8.
func TestFlaskSessionVectors(t *testing.T) {
	s := mustNew(t, signer.Options{
		Keys:   keys("correct horse battery staple"),
		Salt:   "flask-session",
		Digest: signer.SHA1,
	})
	for _, test := range []struct{ id, signature string }{
		{"fe8977c2-34a9-4945-acc0-6c6821944b9f", "tDexCQtkBvLdfobuQ3iIpdZWJAU"},
		{"u6gJxu0Fq2qk1yKX2o5n0oO3m8b9vJkQyVt4e1sZQ7A", "9X_17PTQVznk7N5DYvVOqUt05vM"},
	} {
		signed := test.id + "." + test.signature
		if got := s.Sign(test.id); got != signed {
			t.Errorf("Sign(%q) = %q, want %q", test.id, got, signed)
		}
		wantVerified(t, s, signed, test.id, false)
	}
}
