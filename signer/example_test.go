package signer_test

import (
	"fmt"
	"time"

	"github.com/caddy-session/caddy-session/signer"
)

func Example() {
	s, err := signer.New(signer.Options{Keys: [][]byte{[]byte("a key of 16 bytes or more")}, Salt: "my-app"})
	if err != nil {
		fmt.Println(err)
		return
	}
	signed := s.Sign("user=ada")
	fmt.Println(signed)

	value, _, ok := s.Verify(signed)
	fmt.Printf("%q %t\n", value, ok)
	value, _, ok = s.Verify("user=eve" + signed[len("user=ada"):])
	fmt.Printf("%q %t\n", value, ok)
	// Output:
	// user=ada.ldvI0ylOKCeuVuO6kS4fLZ87ix0tvMFb0usmKGjzap8
	// "user=ada" true
	// "" false
}

// The first key signs, and every key verifies. A value that an older key has signed is stale: sign
// it anew.
func Example_rotation() {
	old, err := signer.New(signer.Options{Keys: [][]byte{[]byte("last year's key")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := signer.New(signer.Options{Keys: [][]byte{[]byte("this year's key"), []byte("last year's key")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	value, stale, ok := s.Verify(old.Sign("ada"))
	fmt.Println(value, stale, ok)
	_, stale, ok = s.Verify(s.Sign(value))
	fmt.Println(stale, ok)
	// Output:
	// ada true true
	// false true
}

func ExampleTimed() {
	t, err := signer.NewTimed(signer.Options{Keys: [][]byte{[]byte("a key of 16 bytes or more")}, Salt: "reset-password"})
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	value, signed, _, ok := t.Verify(t.Sign("ada", at))
	fmt.Println(value, signed.UTC(), ok)
	// Output: ada 2026-01-02 03:04:05 +0000 UTC true
}
