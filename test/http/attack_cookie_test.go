package http_test

import (
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/signer"
)

// sign signs as the handler does with this key.
func sign(t *testing.T, key, salt, value string) string {
	t.Helper()
	s, err := signer.New(signer.Options{Keys: [][]byte{[]byte(key)}, Salt: salt})
	if err != nil {
		t.Fatal(err)
	}
	return s.Sign(value)
}

// unknownID is a well-formed id that no store knows.
var unknownID = strings.Repeat("A", 43)

// anonymous fails the test if a Cookie header leads to a session, or if the response sets a cookie.
func anonymous(b *browser, cookie string) {
	b.t.Helper()
	b.holding(cookie).look().holds("{}").keeps()
}

func TestAttackForgedCookie(t *testing.T) {
	t.Parallel()
	b, other := plain.browser(t), plain.browser(t)
	value := b.change("update", `{"a":1}`).issues().Value
	otherValue := other.change("update", `{"b":1}`).issues().Value
	id, signature, _ := strings.Cut(value, ".")
	otherID, otherSignature, _ := strings.Cut(otherValue, ".")
	flip := func(s string, i int) string {
		c := byte('A')
		if s[i] == 'A' {
			c = 'B'
		}
		return s[:i] + string(c) + s[i+1:]
	}
	forged := map[string]string{
		"nothing":                "",
		"no signature":           id,
		"an empty signature":     id + ".",
		"a short signature":      value[:len(value)-1],
		"a shorter signature":    value[:len(value)-2],
		"a short id":             id[1:] + "." + signature,
		"an empty id":            "." + signature,
		"another's signature":    id + "." + otherSignature,
		"another's id":           otherID + "." + signature,
		"the signature twice":    value + "." + signature,
		"the value twice":        value + value,
		"upper case":             strings.ToUpper(value),
		"quoted":                 `"` + value + `"`,
		"padded":                 value + "=",
		"escaped":                strings.Replace(value, ".", "%2E", 1),
		"a NUL":                  value + "%00",
		"a comma":                value + ",x",
		"inner space":            strings.Replace(value, ".", " .", 1),
		"another key":            sign(t, oldSecret, "caddy-session", id),
		"another salt":           sign(t, secret, "itsdangerous.Signer", id),
		"no key":                 sign(t, strings.Repeat("\x00", 16), "caddy-session", id),
		"a signed ref":           sign(t, secret, "caddy-session", b.look().info().ref),
		"a signed other thing":   sign(t, secret, "caddy-session", "admin"),
		"a signed signed id":     sign(t, secret, "caddy-session", value),
		"a signed empty id":      sign(t, secret, "caddy-session", ""),
		"a signed id and a dot":  sign(t, secret, "caddy-session", id+"."),
		"a signed path":          sign(t, secret, "caddy-session", "../../../../../../../../../../../etc/passwd/"),
		"a signed unknown id":    sign(t, secret, "caddy-session", unknownID),
		"a signed id, truncated": sign(t, secret, "caddy-session", id[:42]),
		"a very long value":      strings.Repeat("A", 7000) + "." + signature,
		"a very long signature":  id + "." + strings.Repeat("A", 7000),
		"many dots":              strings.Repeat(".", 250),
	}
	for i := range id {
		forged["id changed at "+string(rune('0'+i/10))+string(rune('0'+i%10))] = flip(id, i) + "." + signature
	}
	for i := 0; i < len(signature)-1; i += 6 {
		forged["signature changed at "+string(rune('0'+i/10))+string(rune('0'+i%10))] = id + "." + flip(signature, i)
	}
	for name, value := range forged {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := plain.browser(t)
			anonymous(b, "caddy_session="+value)
			// It cannot change or end the session either, and the id is not adopted.
			if c := b.holding("caddy_session="+value).change("update", `{"x":1}`).issues(); strings.HasPrefix(value, strings.Split(c.Value, ".")[0]) {
				t.Error("the id was adopted")
			}
			b.holding("caddy_session="+value).change("control", "destroy").expires()
		})
	}
	t.Cleanup(func() {
		b.look().holds(`{"a":1}`)
		other.look().holds(`{"b":1}`)
	})
}

func TestAttackReplayedCookie(t *testing.T) {
	t.Parallel()
	b := grace.browser(t)
	b.change("update", `{"a":1}`)
	first := b.cookies()
	b.change("control", "regenerate")
	second := b.cookies()
	eventually(t, "the old id is unknown", func() bool { return !b.holding(first).look().info().exists })
	anonymous(b, first)
	b.holding(first).change("control", "destroy").expires() // a session that has ended
	b.look().holds(`{"a":1}`)
	b.change("control", "destroy")
	anonymous(b, first)
	anonymous(b, second)
	b.change("update", `{"b":1}`)
	anonymous(b, second)
	b.holding(second).change("update", `{"evil":1}`, "control", "regenerate").issues()
	b.look().holds(`{"b":1}`)

	b.change("update", `{"b":null}`).expires()
	third := b.cookies()
	anonymous(b, third)
}

// Another site of the same domain sets cookies with our cookie's name, which come first.
func TestAttackTossedCookies(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"a":1}`)
	ours := b.cookies()
	value := strings.TrimPrefix(ours, "caddy_session=")
	for name, before := range map[string]string{
		"nothing":            "caddy_session=; caddy_session; caddy_session==",
		"forged":             "caddy_session=" + unknownID + "." + unknownID,
		"many forged":        strings.TrimSuffix(strings.Repeat("caddy_session="+unknownID+"."+unknownID+"; ", 80), "; "),
		"unknown but signed": "caddy_session=" + sign(t, secret, "caddy-session", unknownID),
		"two unknown": "caddy_session=" + sign(t, secret, "caddy-session", unknownID) +
			"; caddy_session=" + sign(t, secret, "caddy-session", "B"+unknownID[1:]),
		"a long one":     "caddy_session=" + strings.Repeat("x", 5000),
		"broken pairs":   `;;; =; "; caddy_session="x`,
		"ours, damaged":  "caddy_session=" + value[:80],
		"with spaces":    "  caddy_session = x ",
		"with tabs":      "\tcaddy_session\t=\tx",
		"an ended one":   ended(t),
		"another's name": "caddy_sessio=" + value + "; caddy_session2=" + value,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := plain.browser(t)
			r := b.holding(before + "; " + ours).look().holds(`{"a":1}`).keeps()
			if got := r.given("Cookie"); strings.Contains(strings.ReplaceAll(got, "caddy_session2=", ""), "caddy_session=") {
				t.Errorf("the backend got the Cookie %q", got)
			}
			b.holding(before).with("Cookie", ours).look().holds(`{"a":1}`)
			b.holding(ours + "; " + before).look().holds(`{"a":1}`)
		})
	}
	// Spaces around our cookie do no harm.
	b.holding("x=1;   caddy_session=" + value + "  ;y=2").look().holds(`{"a":1}`)
}

// ended returns the cookie of a session that has ended.
func ended(t *testing.T) string {
	t.Helper()
	b := plain.browser(t)
	b.change("update", `{"a":1}`)
	cookie := b.cookies()
	b.change("control", "destroy")
	return cookie
}

// A backend cannot set our cookie, under any spelling of its name that a browser would send back to
// us.
func TestAttackBackendSetsOurCookie(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"a":1}`)
	planted := plain.browser(t)
	planted.change("update", `{"evil":1}`)
	value := strings.TrimPrefix(planted.cookies(), "caddy_session=")
	for _, cookie := range []string{
		"caddy_session=" + value, "caddy_session=" + value + "; Path=/", " caddy_session=" + value, "caddy_session =" + value, "\tcaddy_session\t=" + value,
		"caddy_session=; Max-Age=0", "caddy_session", "caddy_session;Path=/", "=caddy_session=" + value, " = caddy_session=" + value,
	} {
		for _, pairs := range [][]string{nil, {"update", `[{"op":"increment","path":"/n","value":1}]`}} {
			pairs = append(pairs, "Set-Cookie", "a=1; Path=/", "Set-Cookie", cookie, "Set-Cookie", "b=caddy_session=2")
			r := b.change(pairs...)
			if got := r.Header["Set-Cookie"]; len(got) != 2 || got[0] != "a=1; Path=/" || got[1] != "b=caddy_session=2" {
				t.Errorf("from %.30q, the client got %.100q", cookie, got)
			}
		}
	}
}
