package parts

import (
	"encoding/json"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func TestCaptureInJSON(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Capture
		again      string
	}{
		{"a field alone", `"user.name"`, Capture{Field: "user.name"}, `"user.name"`},
		{"nothing but a field", `{"field":"user"}`, Capture{Field: "user"}, `"user"`},
		{"a format", `{"field":"user","format":"json"}`, Capture{Field: "user", Format: "json"}, ""},
		{"a condition", `{"field":"user","match":{"status_code":[2]}}`, Capture{Field: "user", Match: &caddyhttp.ResponseMatcher{StatusCode: []int{2}}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got Capture
			if err := json.Unmarshal([]byte(test.text), &got); err != nil {
				t.Fatal(err)
			}
			want, _ := json.Marshal(test.want)
			again, err := json.Marshal(got)
			if err != nil || string(again) != string(want) {
				t.Errorf("%s, %v; want %s", again, err, want)
			}
			if test.again == "" {
				test.again = test.text
			}
			if string(again) != test.again {
				t.Errorf("%s becomes %s", test.text, again)
			}
		})
	}
	for _, text := range []string{`{"field":"a","status":[2]}`, `7`, `["a"]`, `{"field":1}`} {
		if err := json.Unmarshal([]byte(text), new(Capture)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
