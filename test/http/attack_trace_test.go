package http_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

var (
	traced = newSite("traced", `
	handle /alone {
		reverse_proxy $BACKEND
	}
	handle {
		session {
			store memory
			secret $SECRET
			vault PHPSESSID
		}
		reverse_proxy $BACKEND
	}`)
	tracedBeside = newSite("tracedbeside", `
	session /app/* {
		store memory
		secret $SECRET
		vault PHPSESSID
	}
	reverse_proxy $BACKEND`)
)

// answerTrace is a backend that answers TRACE as in RFC 9110, section 9.3.8, in any spelling.
func answerTrace(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Method, http.MethodTrace) {
		echo(w, r)
		return
	}
	w.Header().Set("Content-Type", "message/http")
	_ = json.NewEncoder(w).Encode(r.Header)
}

// TestAttackTrace: a script must not read the session's data by letting a backend return the
// request.
func TestAttackTrace(t *testing.T) {
	t.Parallel()
	b := traced.browser(t).via(answerTrace)
	b.get(ask("/", "update", `{"user":"zoe"}`, "Set-Cookie", "PHPSESSID=SECRET; HttpOnly")).want(http.StatusOK).issues()
	if alone := b.send(b.request(http.MethodTrace, "/alone", nil)).want(http.StatusOK); !strings.Contains(string(alone.body), "caddy_session") {
		t.Fatalf("the backend does not answer TRACE: %s", alone.body)
	}
	beside := tracedBeside.browser(t).via(answerTrace)
	for name, b := range map[string]*browser{"session": b, "beside the matcher": beside.with("Cookie", b.cookies())} {
		for _, method := range []string{"TRACE", "trace", "TrAcE"} {
			r := b.send(b.request(method, "/", nil)).want(http.StatusMethodNotAllowed)
			if body := string(r.body); strings.Contains(body, "caddy_session") || strings.Contains(body, "SECRET") || strings.Contains(body, "zoe") {
				t.Errorf("%s, %s: the client got %q", name, method, r.body)
			}
			if allow := r.Header.Get("Allow"); !strings.Contains(allow, "GET") || strings.Contains(allow, "TRACE") {
				t.Errorf("%s, %s: Allow: %q", name, method, allow)
			}
		}
	}
	b.look().holds(`{"user":"zoe"}`)
}
