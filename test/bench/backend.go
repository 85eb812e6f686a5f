package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddy-session/caddy-session/signer"
)

// backendCommand makes this program the backend, in a process of its own.
const backendCommand = "backend"

// content is what a session of some 500 bytes holds; the verb is for the number of visits.
var content = `{"user":{"id":4711,"name":"Zo\u00eb Example","roles":["editor","admin"]},"cart":[{"sku":"A-100","n":2},{"sku":"B-7","n":1}],"csrf":"` +
	strings.Repeat("0123456789abcdef", 4) + `","visits":%d,"notes":"` + strings.Repeat("lorem ipsum ", 22) + `"}`

var data = fmt.Sprintf(content, 1)

const page = "<!doctype html><title>bench</title><p>" + "It was a bright cold day in April, and the clocks were striking thirteen. "

const flaskSecret = "a-secret-of-the-flask-app"

// flaskSigner signs as a Flask app with that secret does.
var flaskSigner, errSigner = signer.NewTimed(signer.Options{
	Keys: [][]byte{[]byte(flaskSecret)}, Salt: "cookie-session", Digest: signer.SHA1, Derivation: signer.DeriveHMAC,
})

func serveBackend(addr string) error {
	if errSigner != nil {
		return errSigner
	}
	return http.ListenAndServe(addr, http.HandlerFunc(backend))
}

// visits makes each cookie of the backend another.
var visits atomic.Int64

// backend answers the same to both Caddies; the one without sessions passes the headers on.
func backend(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	switch "/?" + r.URL.RawQuery {
	case createPath:
		h.Set("X-Session-Update", data)
	case changePath:
		h.Set("X-Session-Update", `[{"op":"increment","path":"/visits","value":1}]`)
	case cookiePath:
		h.Set("Set-Cookie", "caddy_session="+strings.Repeat("i", 43)+"."+strings.Repeat("s", 43)+"; Path=/")
	case flaskPath:
		payload := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, content, visits.Add(1)))
		h.Set("Set-Cookie", "session="+flaskSigner.Sign(payload, time.Now())+"; HttpOnly; Path=/")
	case basketPath:
		h.Set("Set-Cookie", fmt.Sprintf("basket=%064d; Path=/", visits.Add(1)))
	}
	_, _ = io.WriteString(w, page)
}
