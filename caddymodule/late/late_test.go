package late

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

var newKey, olderKey = []byte("the key of the app"), []byte("its older key")

// rig is an endpoint without a listener, and its log.
type rig struct {
	testing.TB
	*Endpoint
	logger *zap.Logger
	log    *observer.ObservedLogs
	made   atomic.Int32 // changes
}

func newRig(t testing.TB) *rig {
	core, log := observer.New(zapcore.DebugLevel)
	return &rig{TB: t, Endpoint: &Endpoint{base: "http://127.0.0.1:1", tokens: make(map[string]*Token)}, logger: zap.New(core), log: log}
}

// issue returns a token of a request that is running.
func (r *rig) issue() *Token {
	r.Helper()
	t, err := r.Issue("", [][]byte{newKey, olderKey}, r.logger)
	if err != nil {
		r.Fatal(err)
	}
	return t
}

// begun returns a token of a request whose response has begun.
func (r *rig) begun() *Token {
	r.Helper()
	t := r.issue()
	t.Begin(r.change)
	return t
}

func (r *rig) change(context.Context, []Line) Answer {
	r.made.Add(1)
	return Answer{Status: http.StatusNoContent}
}

func mac(key []byte, text string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// post is what an app sends, with the MAC of another URL or body if that is given.
func (r *rig) post(to *Token, body, mac string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, to.URL(), strings.NewReader(body))
	req.Header.Set("X-Session-Mac", mac)
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

// send is what an app sends with its key.
func (r *rig) send(to *Token, body string) int {
	return r.post(to, body, mac(newKey, to.URL()+"\n"+body)).Code
}

// want checks what the app was told, and how many changes were made until now.
func (r *rig) want(status, want int, made int32) {
	r.Helper()
	if n := r.made.Load(); status != want || n != made {
		r.Errorf("the status is %d, want %d; %d changes were made, want %d", status, want, n, made)
	}
}

// Every key signs changes, and the lines of the body arrive.
func TestKeys(t *testing.T) {
	r := newRig(t)
	token := r.issue()
	var got []Line
	token.Begin(func(_ context.Context, lines []Line) Answer {
		got = append(got, lines...)
		return Answer{http.StatusBadRequest, "no"}
	})
	for _, key := range [][]byte{newKey, olderKey} {
		body := fmt.Sprintf("X-Session-Update: {\"a\":\"b:c\"}\r\n\r\nX-Session-Flash:\"%s\"\n", key)
		if w := r.post(token, body, mac(key, token.URL()+"\n"+body)); w.Code != http.StatusBadRequest || w.Body.String() != "no\n" {
			t.Errorf("%d, %q", w.Code, w.Body)
		}
	}
	want := []Line{
		{"X-Session-Update", `{"a":"b:c"}`}, {"X-Session-Flash", `"the key of the app"`},
		{"X-Session-Update", `{"a":"b:c"}`}, {"X-Session-Flash", `"its older key"`},
	}
	if !slices.Equal(got, want) {
		t.Errorf("the lines are %q, want %q", got, want)
	}
}

// Without a key nothing is done and nothing is told: all answers are the same.
func TestAttackWithoutTheKey(t *testing.T) {
	r := newRig(t)
	token, other := r.begun(), r.begun()
	const body = `X-Session-Update: {"user":"mallory"}`
	unknown := &Token{url: r.base + "/ABCDEF"}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"none":                         r.post(token, body, ""),
		"of another key":               r.post(token, body, mac([]byte("guessed"), token.URL()+"\n"+body)),
		"of another body":              r.post(token, body, mac(newKey, token.URL()+"\n")),
		"of the body alone":            r.post(token, body, mac(newKey, body)),
		"of another session":           r.post(token, body, mac(newKey, other.URL()+"\n"+body)),
		"cut":                          r.post(token, body, mac(newKey, token.URL()+"\n"+body)[:62]),
		"an unknown token":             r.post(unknown, body, mac(newKey, unknown.URL()+"\n"+body)),
		"an unknown token without MAC": r.post(unknown, body, ""),
		"no token":                     r.post(&Token{url: r.base + "/"}, body, ""),
	} {
		if w.Code != http.StatusForbidden || w.Body.Len() > 0 || len(w.Header()) > 0 {
			t.Errorf("%s: %d, %q, %v", name, w.Code, w.Body, w.Header())
		}
	}
	r.want(r.send(token, body), http.StatusNoContent, 1)
	for _, line := range r.log.All() {
		if text := fmt.Sprint(line); strings.Contains(text, token.name) || strings.Contains(text, "mallory") {
			t.Errorf("the log says %s", text)
		}
	}
	if n := r.log.FilterMessage("a late change is refused: no key of late has signed it").Len(); n != 6 {
		t.Errorf("%d lines in the log", n)
	}
}

// Only POST changes anything.
func TestAttackOtherMethods(t *testing.T) {
	r := newRig(t)
	token := r.begun()
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodOptions, "post"} {
		req := httptest.NewRequest(method, token.URL(), http.NoBody)
		req.Header.Set("X-Session-Mac", mac(newKey, token.URL()+"\n"))
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		r.want(w.Code, http.StatusForbidden, 0)
	}
}

// A token is good for so many changes, and what was seen on the way changes nothing again.
func TestAttackReplay(t *testing.T) {
	r := newRig(t)
	token := r.begun()
	for i := range int32(maxUses) {
		body := fmt.Sprintf("X-Session-Late: %d", i)
		r.want(r.send(token, body), http.StatusNoContent, i+1)
		r.want(r.send(token, body), http.StatusNoContent, i+1)
		sent := mac(newKey, token.URL()+"\n"+body)
		r.want(r.post(token, body, strings.ToUpper(sent)).Code, http.StatusNoContent, i+1)
		for _, more := range []string{"0", "x", "zz", " ", "00"} {
			r.want(r.post(token, body, sent+more).Code, http.StatusForbidden, i+1)
		}
	}
	r.want(r.send(token, "one more"), http.StatusTooManyRequests, maxUses)
	r.want(r.send(token, "X-Session-Late: 0"), http.StatusNoContent, maxUses)
}

// What the store could not say is not asked again by the same body, as it may have been saved.
// Another body is another attempt.
func TestAnswerOfAStoreThatIsAwayStays(t *testing.T) {
	r := newRig(t)
	token := r.issue()
	away := true
	token.Begin(func(context.Context, []Line) Answer {
		r.made.Add(1)
		if away {
			return Answer{Status: http.StatusServiceUnavailable}
		}
		return Answer{Status: http.StatusNoContent}
	})
	r.want(r.send(token, "X-Session-Late: 1"), http.StatusServiceUnavailable, 1)
	away = false
	r.want(r.send(token, "X-Session-Late: 1"), http.StatusServiceUnavailable, 1)
	r.want(r.send(token, "X-Session-Late: 2"), http.StatusNoContent, 2)
}

// A token dies a minute after the response has begun, however long that took.
func TestAttackAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.issue()
		time.Sleep(time.Hour)
		token.Begin(r.change)
		time.Sleep(Lifetime - time.Nanosecond)
		r.want(r.send(token, "in time"), http.StatusNoContent, 1)
		time.Sleep(time.Nanosecond)
		r.want(r.send(token, "too late"), http.StatusForbidden, 1)
		if len(r.tokens) > 0 || len(r.Endpoint.begun) > 0 {
			t.Error("the token is still there")
		}
	})
}

// The largest body counts, and one byte more does not.
func TestAttackLargeBody(t *testing.T) {
	r := newRig(t)
	token := r.begun()
	body := strings.Repeat("x", maxBody)
	r.want(r.send(token, body), http.StatusNoContent, 1)
	r.want(r.send(token, body+"x"), http.StatusForbidden, 1)
	if r.log.FilterMessage("a late change is refused: it is too large").Len() != 1 {
		t.Errorf("the log says %v", r.log.All())
	}
}

// A change that comes before the response waits for it, and not for long.
func TestChangeBeforeTheResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.issue()
		began := time.Now()
		r.want(r.send(token, "first"), http.StatusServiceUnavailable, 0)
		if waited := time.Since(began); waited != patience {
			t.Errorf("it waited for %s", waited)
		}
		var all sync.WaitGroup
		all.Go(func() { r.want(r.send(token, "second"), http.StatusNoContent, 1) })
		time.Sleep(patience - time.Nanosecond)
		token.Begin(r.change)
		all.Wait()
		r.want(r.send(token, "first"), http.StatusNoContent, 2) // it had not been made
	})
}

// An app that gives up while its change waits ends the wait.
func TestChangeGivenUpBeforeTheResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.issue()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		req := httptest.NewRequestWithContext(ctx, http.MethodPost, token.URL(), strings.NewReader("x"))
		req.Header.Set("X-Session-Mac", mac(newKey, token.URL()+"\nx"))
		r.ServeHTTP(httptest.NewRecorder(), req)
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("it waited for %s", waited)
		}
	})
}

// A change of a request that has failed is dropped, also one that waits.
func TestChangeOfAFailedRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		token := r.issue()
		var all sync.WaitGroup
		all.Go(func() { r.want(r.send(token, "waits"), http.StatusConflict, 0) })
		synctest.Wait()
		token.Begin(nil)
		token.Begin(r.change) // too late
		all.Wait()
		r.want(r.send(token, "comes"), http.StatusConflict, 0)
	})
}

// The changes of one request are made one after the other.
func TestChangesInARow(t *testing.T) {
	r := newRig(t)
	token := r.issue()
	running := 0 // without a lock, for the race detector
	token.Begin(func(context.Context, []Line) Answer {
		if running++; running > 1 {
			t.Error("two at once")
		}
		runtime.Gosched()
		running--
		return Answer{Status: http.StatusNoContent}
	})
	var all sync.WaitGroup
	for i := range 5 {
		all.Go(func() { r.send(token, fmt.Sprint(i)) })
		all.Go(func() { r.send(token, fmt.Sprint(i)) })
	}
	all.Wait()
}

// There are only so many tokens. The oldest goes first; those of running requests stay.
func TestAttackManyTokens(t *testing.T) {
	r := newRig(t)
	running, first, second := r.issue(), r.begun(), r.begun()
	for range maxTokens - 3 {
		r.begun()
	}
	r.want(r.send(first, "before"), http.StatusNoContent, 1)
	r.begun()
	r.want(r.send(first, "after"), http.StatusForbidden, 1)
	r.want(r.send(second, "after"), http.StatusNoContent, 2)
	running.Begin(r.change)
	r.want(r.send(running, "after"), http.StatusNoContent, 3)
	if len(r.tokens) != maxTokens {
		t.Errorf("%d tokens", len(r.tokens))
	}
}

// Requests without a session end no other token sooner. If there are too many with one, the log
// says so.
func TestAttackManyTokensOfNobody(t *testing.T) {
	r := newRig(t)
	first := r.begun()
	for range maxTokens + 1 {
		r.issue().Begin(nil)
	}
	r.want(r.send(first, "change"), http.StatusNoContent, 1)
	if r.log.Len() > 0 || len(r.tokens) != maxTokens {
		t.Errorf("%d tokens; the log says %v", len(r.tokens), r.log.All())
	}
	for range maxTokens {
		r.begun()
	}
	r.want(r.send(first, "another"), http.StatusForbidden, 1)
	if r.log.FilterMessageSnippet("less than a minute").Len() != 1 {
		t.Errorf("the log says %v", r.log.All())
	}
}

// If all tokens are those of running requests, a request gets none.
func TestAttackManyRequests(t *testing.T) {
	r := newRig(t)
	for range maxTokens {
		r.issue()
	}
	if _, err := r.Issue("", nil, r.logger); err == nil {
		t.Error("one token too many")
	}
}
