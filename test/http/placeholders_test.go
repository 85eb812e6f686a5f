package http_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// TestWhatPlaceholdersOpen shows what the documentation warns of: what values of a session can do
// where they choose a file, a host or a redirect, and where Caddy itself stores secrets and
// cookies.
func TestWhatPlaceholdersOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"site/users/ada/page": "ada's", "site/users/page": "everybody's", "site/internal/page": "internal", "private/page": "private",
		"key": "0123456789abcdef-in-a-file",
	} {
		putFile(t, filepath.Join(dir, path), text)
	}
	internal := harness.Backend(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "an internal service") })
	sent := harness.Backend(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RequestURI) })
	const user = "{http.session.data.user}"
	session := func(name, secret string) string {
		return "session /" + name + "/* {\n name " + name + "\n store memory\n secret " + secret + "\n}\n"
	}
	c := start(t, globals("servers {\n log_credentials\n }")+`
http://$ADDR {
	log
	`+session("file", "{file."+dir+"/key}")+session("env", "{env.XDG_DATA_HOME}")+session("literal", "{$NOT_SET:0123456789abcdef-as-text}")+`
	session {
		store memory
		secret $SECRET
	}
	@before path /before/*
	root @before `+dir+`/site/users/`+user+`
	rewrite /rewritten/* /users/`+user+`{path}
	redir /moved/* /of/`+user+`
	handle_path /before/* {
		file_server
	}
	handle_path /served/* {
		root `+dir+`/site/users/`+user+`
		file_server
	}
	handle_path /try/* {
		root `+dir+`/site
		try_files /users/`+user+`/page
		file_server
	}
	handle_path /rewrite/* {
		rewrite /users/`+user+`{path}
		root `+dir+`/site
		file_server
	}
	handle_path /rewrite-upstream/* {
		rewrite /users/`+user+`{path}
		reverse_proxy `+sent+`
	}
	handle /users/* {
		reverse_proxy `+sent+`
	}
	handle /redir {
		redir `+user+`
	}
	handle /proxy {
		reverse_proxy `+user+`
	}
	handle /cel {
		@not expression `+"`{http.session.data.role} != \"guest\"`"+`
		@is expression `+"`{http.session.data.role} == \"member\"`"+`
		respond @is "a member"
		respond @not "no guest"
		respond "a guest"
	}
	handle {
		reverse_proxy $BACKEND
	}
}`)
	for _, tt := range []struct{ name, data, path, want string }{
		{"root", `{"user":"ada"}`, "/served/page", "ada's"},
		{"root, another folder", `{"user":"../../private"}`, "/served/page", "private"},
		{"root, nobody", "", "/served/page", "everybody's"},
		{"root, nobody, somebody's page", "", "/served/ada/page", "ada's"},
		{"try_files", `{"user":"ada"}`, "/try/page", "ada's"},
		{"try_files, another folder", `{"user":"../internal"}`, "/try/page", "internal"},
		{"rewrite", `{"user":"ada"}`, "/rewrite/page", "ada's"},
		{"rewrite, another folder", `{"user":"../internal"}`, "/rewrite/page", "internal"},
		{"rewrite, upstream", `{"user":"../internal"}`, "/rewrite-upstream/page", "/users/../internal/page"},
		{"redir", `{"user":"https://evil.example/"}`, "/redir", "to https://evil.example/"},
		{"reverse_proxy", `{"user":"` + internal + `"}`, "/proxy", "an internal service"},

		{"before session, root: somebody's page", `{"user":"eve"}`, "/before/ada/page", "ada's"},
		{"before session, rewrite", `{"user":"eve"}`, "/rewritten/page", "/users//rewritten/page"},
		{"before session, redir", `{"user":"eve"}`, "/moved/page", "to /of/" + user},

		{"CEL, a guest", `{"role":"guest"}`, "/cel", "a guest"},
		{"CEL, a member", `{"role":"member"}`, "/cel", "a member"},
		{"CEL, nobody", "", "/cel", "no guest"},
		{"CEL, without the field", `{"user":"eve"}`, "/cel", "no guest"},
	} {
		b := visit(t, c)
		if tt.data != "" {
			b.change("update", tt.data)
		}
		r := b.get(tt.path)
		got := string(r.body)
		if to := r.Header.Get("Location"); to != "" {
			got = "to " + to
		}
		if got != tt.want {
			t.Errorf("%s: status %d, %q, want %q", tt.name, r.StatusCode, got, tt.want)
		}
	}

	// A secret as text, or from {$…}, is in the configuration that the admin API returns, and in
	// Caddy's autosaved copy.
	resp, err := http.Get("http://" + c.Admin + "/config/")
	if err != nil {
		t.Fatal(err)
	}
	shown, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	kept, err := os.ReadFile(filepath.Join(c.Dir, "config", "caddy", "autosave.json"))
	if err != nil {
		t.Fatal(err)
	}
	for what, config := range map[string]string{"/config/": string(shown), "autosave.json": string(kept)} {
		for text, there := range map[string]bool{
			secret: true, "0123456789abcdef-as-text": true,
			"{file." + dir + "/key}": true, "0123456789abcdef-in-a-file": false,
			"{env.XDG_DATA_HOME}": true, filepath.Join(c.Dir, "data"): false,
		} {
			if strings.Contains(config, text) != there {
				t.Errorf("%s has %s: %t", what, text, !there)
			}
		}
	}

	// With log_credentials, the log contains valid cookies.
	b := visit(t, c)
	b.change("update", `{"user":"zoe"}`)
	b.look().holds(`{"user":"zoe"}`)
	if !c.WaitLog(b.cookies()) {
		t.Fatal("the log has no cookie")
	}
}
