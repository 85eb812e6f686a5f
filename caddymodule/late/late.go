// Package late receives what apps say of a session when the head of their response has gone, so
// that no response header can say it any more.
//
// Each request gets a URL with a token. It leads to a listener of this process, which no client of
// the site reaches. A POST there must have a MAC of the URL and the body, by a key that only the
// app has: a page that shows the headers of its request shows the URL too.
package late

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

const (
	// Lifetime is how long a token lives after its response has begun.
	Lifetime = 60 * time.Second

	// MACHeader is the request header with the HMAC-SHA256 of the URL, a line feed and the body, in
	// hexadecimal digits.
	MACHeader = "X-Session-Mac"

	// maxUses is how many changes a token is good for.
	maxUses = 16

	// maxBody is the maximum size of a body, in bytes.
	maxBody = 256 << 10

	// patience is how long a change waits for the response to begin. The response saves its own
	// change first.
	patience = 5 * time.Second
)

// Line is a line of a body: a header as an app would have sent it in its response.
type Line struct{ Name, Value string }

// Answer is what the app is told of its change.
type Answer struct {
	Status int
	Text   string
}

// Change makes the change that lines ask for. Its text has no data.
type Change func(ctx context.Context, lines []Line) Answer

// Token lets an app change the session of one request.
type Token struct {
	endpoint  *Endpoint
	name, url string
	keys      [][]byte
	logger    *zap.Logger

	// begun is closed when the response has begun, or never will. Then change is valid.
	begun  chan struct{}
	change Change

	// expires is zero until the response has begun. The endpoint's mu guards it.
	expires time.Time

	// mu makes one change after the other. answers are those that were given, by the MAC: whoever
	// has seen a POST cannot have its change made twice.
	mu      sync.Mutex
	answers map[string]Answer
}

// URL is where the app sends its changes.
func (t *Token) URL() string { return t.url }

// Begin says that the response has begun, and how to change the session. Without a change, what has
// come and will come is dropped. Further calls do nothing.
func (t *Token) Begin(change Change) {
	if !t.endpoint.begin(t, change == nil) {
		return
	}
	t.change = change
	close(t.begun)
}

// nobody is the token that nobody has.
var nobody = func() *Token {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key)
	return &Token{keys: [][]byte{key}, logger: zap.NewNop()}
}()

// signed reports whether one of the keys has made the MAC.
func (t *Token) signed(body []byte, given string) (ok bool) {
	sum, err := hex.DecodeString(given)
	for _, key := range t.keys {
		mac := hmac.New(sha256.New, key)
		_, _ = io.WriteString(mac, t.url+"\n")
		_, _ = mac.Write(body)
		ok = hmac.Equal(mac.Sum(nil), sum) || ok
	}
	return ok && err == nil // DecodeString returns what stands before an error
}

// ServeHTTP takes a change. Nobody without a key learns anything from the answer.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := e.find(path.Base(r.URL.Path))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	given := r.Header.Get(MACHeader)
	answer := Answer{Status: http.StatusForbidden}
	switch ok := t.signed(body, given); {
	case errors.As(err, new(*http.MaxBytesError)):
		t.logger.Warn("a late change is refused: it is too large", zap.Int("max_bytes", maxBody))
	case !ok:
		t.logger.Warn("a late change is refused: no key of late has signed it")
	case r.Method == http.MethodPost && err == nil:
		answer = t.answer(r.Context(), string(body), given)
	}
	changes.WithLabelValues(outcomes[answer.Status]).Inc()
	if answer.Text == "" {
		w.WriteHeader(answer.Status)
	} else {
		http.Error(w, answer.Text, answer.Status)
	}
}

// answer makes the change of a body that was signed, once the response has begun.
func (t *Token) answer(ctx context.Context, body, mac string) Answer {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case <-t.begun:
	case <-ctx.Done():
		return tooEarly
	case <-wait.C:
		return tooEarly
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	mac = strings.ToLower(mac)
	if answer, again := t.answers[mac]; again {
		return answer
	}
	if len(t.answers) == maxUses {
		t.logger.Warn("a late change is refused: its request has made as many as it may", zap.Int("changes", maxUses))
		return usedUp
	}
	answer := Dropped
	if t.change != nil {
		answer = t.change(context.WithoutCancel(ctx), parse(body))
	}
	if t.answers == nil {
		t.answers = make(map[string]Answer)
	}
	t.answers[mac] = answer
	return answer
}

// The answers that are always the same.
var (
	// Dropped is the answer if there is no session to change.
	Dropped = Answer{http.StatusConflict, "the session has ended, or there is none"}

	tooEarly = Answer{http.StatusServiceUnavailable, "the response has not begun"}
	usedUp   = Answer{http.StatusTooManyRequests, "this URL takes no further change"}
)

// parse reads the lines of a body. A line without a colon is a name without a value.
func parse(body string) (lines []Line) {
	for line := range strings.SplitSeq(body, "\n") {
		if line = strings.TrimSuffix(line, "\r"); line != "" {
			name, value, _ := strings.Cut(line, ":")
			lines = append(lines, Line{name, strings.Trim(value, " \t")})
		}
	}
	return lines
}

// changes counts the changes that have come.
var changes = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "caddy_session_late_changes_total",
	Help: "Changes of sessions that came after the head of the response.",
}, []string{"outcome"})

var outcomes = map[int]string{
	http.StatusNoContent: "saved", http.StatusConflict: "dropped", http.StatusBadRequest: "refused", http.StatusTooManyRequests: "refused",
	http.StatusServiceUnavailable: "failed", http.StatusForbidden: "forged",
}

// Collectors returns the metrics. They are there from the start on, with 0.
func Collectors() []prometheus.Collector {
	for _, outcome := range outcomes {
		changes.WithLabelValues(outcome)
	}
	return []prometheus.Collector{changes}
}
