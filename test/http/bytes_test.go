package http_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

// nodeApp sets our headers as Node apps may. SNIPPET is the code from the documentation.
const nodeApp = `
const app = require('express')();
app.get('/latin', (req, res) => {
  res.setHeader('X-Session-Update', JSON.stringify({user: 'Zoë'}));
  res.setHeader('X-User', 'Zoë');
  res.end();
});
app.get('/refused', (req, res) => {
  try {
    res.setHeader('X-Session-Update', JSON.stringify({user: '日本'}));
    res.end('sent');
  } catch (error) {
    res.end(error.code);
  }
});
app.get('/snippet', (req, res) => {
SNIPPET
  res.end();
});
app.get('/', (req, res) => res.end(req.get('X-Session-Data')));
app.listen(process.argv[2], '127.0.0.1');
`

// Node sends characters up to U+00FF as one byte each and refuses others. The documentation says
// how to send them.
func TestWhatNodeSends(t *testing.T) {
	t.Parallel()
	snippet := docs.Between(t, "```js\nconst ascii = ", "```")
	node, script, addr := harness.Node(t), filepath.Join(t.TempDir(), "app.cjs"), harness.FreeAddr(t)
	putFile(t, script, strings.Replace(nodeApp, "SNIPPET", "const ascii = "+snippet, 1))
	cmd := exec.Command(node, script, addr[strings.LastIndex(addr, ":")+1:])
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(harness.Root(), "test", "node_modules"))
	harness.Serve(t, "node", addr, cmd)

	if got := newBrowser(t, addr, "http://x").get("/latin").Header.Get("X-Session-Update"); got != "{\"user\":\"Zo\xeb\"}" {
		t.Fatalf("without the proxy Node sends %q: the test is void", got)
	}
	c := start(t, globals()+`
http://$ADDR {
	session {
		store memory
		secret $SECRET
		capture X-User name
	}
	reverse_proxy `+addr+`
}`)
	for path, want := range map[string]string{
		"/latin":   `{"name":"Zo\u00eb","user":"Zo\u00eb"}`,
		"/snippet": `{"user":"\u65e5\u672c"}`,
	} {
		b := visit(t, c)
		b.get(path).want(http.StatusOK).hides().issues()
		if got := string(b.get("/").body); got != want {
			t.Errorf("%s: the app gets %s", path, got)
		}
	}
	if got := string(visit(t, c).get("/refused").want(http.StatusOK).keeps().body); got != "ERR_INVALID_CHAR" {
		t.Errorf("for other characters, Node reports %s", got)
	}
}
