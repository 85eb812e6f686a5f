// Random values go there and back between this package and the itsdangerous of a real Python, which
// test/run.sh names in SESSION_TEST_PYTHON.

package signer_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/caddy-session/caddy-session/signer"
)

// liveCase is what testdata/live.py reads.
type liveCase struct {
	Digest     signer.Digest     `json:"digest"`
	Derivation signer.Derivation `json:"derivation"`
	Keys       [][]byte          `json:"keys"`
	Salt       []byte            `json:"salt"`
	Separator  []byte            `json:"separator"`
	Value      []byte            `json:"value"`
	Signed     []byte            `json:"signed"` // by us
	Forged     []byte            `json:"forged"`
}

// liveAnswer is what testdata/live.py writes.
type liveAnswer struct {
	Verified       bool   `json:"verified"`
	ForgedVerified bool   `json:"forged_verified"`
	Signed         []byte `json:"signed"` // by Python
}

func TestLivePython(t *testing.T) {
	python := os.Getenv("SESSION_TEST_PYTHON")
	if python == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("SESSION_TEST_PYTHON is not set: it must name a python3 with itsdangerous")
		}
		t.Skip("SESSION_TEST_PYTHON is not set; test/run.sh sets it")
	}

	const rounds = 400
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	cases := make([]liveCase, rounds)
	signers := make([]*signer.Signer, rounds)
	for i := range cases {
		cases[i], signers[i] = randomCase(t, random)
	}

	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	var complaint bytes.Buffer
	command := exec.CommandContext(t.Context(), python, "testdata/live.py")
	command.Stdin, command.Stderr = bytes.NewReader(input), &complaint
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s testdata/live.py: %v\n%s", python, err, complaint.Bytes())
	}
	var answers []liveAnswer
	if err := json.Unmarshal(output, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != rounds {
		t.Fatalf("%d answers to %d cases", len(answers), rounds)
	}

	for i, answer := range answers {
		if !answer.Verified {
			t.Errorf("Python refuses what we signed: %+v", cases[i])
		}
		if answer.ForgedVerified {
			t.Errorf("Python verifies what we forged: %+v", cases[i])
		}
		wantVerified(t, signers[i], string(answer.Signed), string(cases[i].Value), false)
		wantRefused(t, signers[i], string(cases[i].Forged))
	}
}

// randomCase makes up options and a value, and signs it with any of the keys.
func randomCase(t *testing.T, random *rand.Rand) (liveCase, *signer.Signer) {
	t.Helper()
	some := func(least, most int) []byte {
		b := make([]byte, least+random.IntN(most-least+1))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	const separators = "\x01.:!~ |\x80\xff"
	c := liveCase{
		Digest: []signer.Digest{signer.SHA256, signer.SHA1}[random.IntN(2)],
		Derivation: []signer.Derivation{
			signer.DeriveHMAC, signer.DeriveDjangoConcat, signer.DeriveConcat, signer.DeriveNone,
		}[random.IntN(4)],
		Keys:      [][]byte{some(1, 100), some(1, 100), some(1, 100)}[:1+random.IntN(3)],
		Salt:      some(0, 80),
		Separator: []byte{separators[random.IntN(len(separators))]},
		Value:     some(0, 1200),
	}
	options := signer.Options{
		Keys: c.Keys, Salt: string(c.Salt), Digest: c.Digest, Derivation: c.Derivation, Separator: c.Separator[0],
	}
	s := mustNew(t, options)
	options.Keys = c.Keys[random.IntN(len(c.Keys)):]
	c.Signed = []byte(mustNew(t, options).Sign(string(c.Value)))

	// Not in the last character, of which Python ignores the unused bits.
	c.Forged = bytes.Clone(c.Signed)
	at := len(c.Forged) - 2 - random.IntN(20)
	if c.Forged[at] == 'A' {
		c.Forged[at] = 'B'
	} else {
		c.Forged[at] = 'A'
	}
	return c, s
}
