package browser_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/vault"
	"github.com/caddy-session/caddy-session/test/harness"
)

// A step opens a page: its URL, and the Set-Cookie lines of its response.
type step struct {
	url   string
	lines []string
}

func set(url string, lines ...string) step { return step{url, lines} }
func get(url string) step                  { return step{url: url} }

const (
	www  = "https://www.example.org"
	apex = "https://example.org"
	open = "http://www.example.org"
)

var browsing = map[string][]step{
	"a name and a value":               {set(www+"/", "a=b"), get(www + "/"), get(www + "/x"), get(apex + "/"), get("https://x.www.example.org/")},
	"white space":                      {set(www+"/", " a \t=\t b c "), get(www + "/")},
	"no value":                         {set(www+"/", "a=", "b="), get(www + "/")},
	"no name":                          {set(www+"/", "=b", "a=1"), get(www + "/")},
	"no equal sign":                    {set(www+"/", "b"), get(www + "/")},
	"two cookies without a name":       {set(www+"/", "=b", "c"), get(www + "/")},
	"no name, with an equal sign":      {set(www+"/", "=b=c"), get(www + "/")},
	"empty cookies":                    {set(www+"/", "", "=", " = ", "; Path=/"), get(www + "/")},
	"many equal signs":                 {set(www+"/", "a==b=c="), get(www + "/")},
	"quotes":                           {set(www+"/", `a="b c"`, `b="x;y"`), get(www + "/")},
	"commas":                           {set(www+"/", "a=b,c=d"), get(www + "/")},
	"percent signs":                    {set(www+"/", "%61=%3b%20"), get(www + "/")},
	"UTF-8":                            {set(www+"/", "é=ž"), get(www + "/")},
	"Latin-1":                          {set(www+"/", "a=\xe9"), get(www + "/")},
	"a tab in the value":               {set(www+"/", "a=b\tc"), get(www + "/")},
	"a control character":              {set(www+"/", "a=b\x01c", "b=1"), get(www + "/")},
	"DEL":                              {set(www+"/", "a=b\x7f", "b\x7f=1", "c=1"), get(www + "/")},
	"a control character in attribute": {set(www+"/", "a=b; Path=/\x02"), get(www + "/")},
	"4096 bytes":                       {set(www+"/", "a="+strings.Repeat("x", 4095)), get(www + "/")},
	"4097 bytes":                       {set(www+"/", "a="+strings.Repeat("x", 4096)), get(www + "/")},
	"a name of 4096 bytes":             {set(www+"/", strings.Repeat("x", 4096)+"="), get(www + "/")},
	"names that differ in case":        {set(www+"/", "a=1", "A=2"), get(www + "/")},

	"a path":                        {set(www+"/a/b", "a=1; Path=/a", "b=2; Path=/a/", "c=3; Path=/a/b"), get(www + "/a"), get(www + "/a/"), get(www + "/a/b"), get(www + "/a/bc"), get(www + "/ab"), get(www + "/")},
	"the default path":              {set(www+"/a/b", "a=1"), get(www + "/a"), get(www + "/a/c"), get(www + "/a/c/d"), get(www + "/ab"), get(www + "/")},
	"the default path of a folder":  {set(www+"/a/", "a=1"), get(www + "/a"), get(www + "/a/b"), get(www + "/b")},
	"invalid paths":                 {set(www+"/a/b", "a=1; Path=", "b=2; Path=x", "c=3; Path", "d=4; Path=/; Path=x"), get(www + "/a/c"), get(www + "/")},
	"the last path":                 {set(www+"/a/b", "a=1; Path=/x; path=/y"), get(www + "/x"), get(www + "/y")},
	"a path of 1024 bytes":          {set(www+"/a/b", "a=1; Path=/"+strings.Repeat("x", 1023)), get(www + "/" + strings.Repeat("x", 1023)), get(www + "/a/c")},
	"a path of 1025 bytes":          {set(www+"/a/b", "a=1; Path=/"+strings.Repeat("x", 1024)), get(www + "/" + strings.Repeat("x", 1024)), get(www + "/a/c")},
	"a percent-encoded path":        {set(www+"/", "a=1; Path=/%61", "b=2; Path=/a"), get(www + "/%61"), get(www + "/a")},
	"a path in upper case":          {set(www+"/", "a=1; Path=/A"), get(www + "/A"), get(www + "/a")},
	"two slashes":                   {set(www+"//a//b", "a=1"), get(www + "//a//c"), get(www + "/a/c"), get(www + "//a/")},
	"one name on several paths":     {set(www+"/a/b", "a=1; Path=/", "a=2; Path=/a/b", "a=3; Path=/a"), get(www + "/a/b"), get(www + "/a/x"), get(www + "/")},
	"longer paths, then older ones": {set(www+"/a/b", "z=1; Path=/", "y=2; Path=/a", "x=3; Path=/", "w=4; Path=/a"), get(www + "/a/b")},
	"order after a change":          {set(www+"/", "z=1", "y=2", "x=3"), set(www+"/", "z=1"), get(www + "/")},

	"a domain":                      {set(www+"/", "a=1; Domain=example.org", "b=2; Domain=.example.org", "c=3; domain=EXAMPLE.org"), get(www + "/"), get(apex + "/"), get("https://x.example.org/"), get("https://xexample.org/")},
	"the host's own domain":         {set(www+"/", "a=1; Domain=www.example.org", "a=2"), get(www + "/"), get("https://x.www.example.org/")},
	"a domain below":                {set(apex+"/", "a=1; Domain=www.example.org"), get(www + "/")},
	"another domain":                {set(www+"/", "a=1; Domain=example.com", "b=2; Domain=ample.org", "c=3; Domain=www.example.org.x"), get(www + "/")},
	"an empty domain":               {set(www+"/", "a=1; Domain=", "b=2; Domain", "c=3; Domain=example.org; Domain="), get(www + "/"), get(apex + "/")},
	"the last domain":               {set(www+"/", "a=1; Domain=example.com; Domain=example.org"), get(apex + "/")},
	"public suffixes":               {set("https://www.example.co.uk/", "a=1; Domain=co.uk", "b=2; Domain=uk", "c=3; Domain=example.co.uk"), get("https://example.co.uk/")},
	"private suffixes":              {set("https://x.github.io/", "a=1; Domain=github.io", "b=2"), get("https://x.github.io/"), get("https://y.github.io/")},
	"an unknown suffix":             {set("https://x.internal/", "a=1; Domain=internal", "b=2; Domain=x.internal"), get("https://x.internal/"), get("https://y.internal/")},
	"a host that is a suffix":       {set("https://github.io/", "a=1; Domain=github.io"), get("https://github.io/"), get("https://x.github.io/")},
	"a dot at the end":              {set(www+"/", "a=1; Domain=example.org."), get(www + "/")},
	"an address":                    {set("https://10.1.2.3/", "a=1; Domain=10.1.2.3", "b=2; Domain=2.3", "c=3"), get("https://10.1.2.3/")},
	"a non-ASCII domain":            {set("https://xn--exmple-cua.org/", "a=1; Domain=exämple.org", "b=2; Domain=xn--exmple-cua.org"), get("https://xn--exmple-cua.org/")},
	"one name for host and domains": {set(www+"/", "a=1", "a=2; Domain=example.org", "a=3; Domain=www.example.org"), get(www + "/"), get(apex + "/")},

	"secure":                             {set(www+"/", "a=1; Secure", "b=2"), get(www + "/"), get(open + "/")},
	"secure from an insecure page":       {set(open+"/", "a=1; Secure", "b=2"), get(www + "/"), get(open + "/")},
	"localhost is secure":                {set("http://localhost/", "a=1; Secure", "__Host-b=2; Secure; Path=/"), get("http://localhost/")},
	"loopback is secure":                 {set("http://127.0.0.1/", "a=1; Secure"), get("http://127.0.0.1/")},
	"insecure pages keep secure cookies": {set(www+"/login", "a=1; Secure; Path=/login"), set(open+"/login", "a=2; Path=/login", "a=3; Path=/login/x", "a=4; Path=/"), get(www + "/login/x")},
	"nor delete them":                    {set(www+"/", "a=1; Secure"), set(open+"/", "a=; Max-Age=0"), get(www + "/")},
	"nor for a domain":                   {set(www+"/", "a=1; Secure; Domain=example.org"), set(open+"/", "a=2"), get(www + "/")},
	"secure pages change them":           {set(www+"/", "a=1; Secure"), set(www+"/", "a=2"), get(open + "/")},
	"__Secure-":                          {set(www+"/", "__Secure-a=1", "__Secure-b=2; Secure", "__sEcure-c=3"), get(www + "/")},
	"__Host-":                            {set(www+"/", "__Host-a=1; Path=/", "__Host-b=2; Secure; Path=/", "__Host-c=3; Secure; Path=/; Domain=www.example.org", "__Host-d=4; Secure; Path=/x", "__host-e=5", "__Host-f=6; Secure"), get(www + "/")},
	"prefixes as values":                 {set(www+"/", "=__Secure-a=1; Secure", "__Host-b; Secure; Path=/", "c=__Host-c"), get(www + "/")},
	"SameSite=None":                      {set(www+"/", "a=1; SameSite=None", "b=2; SameSite=None; Secure", "c=3; SameSite=none; SameSite=x"), get(www + "/")},
	"SameSite":                           {set(www+"/", "a=1; SameSite=Strict", "b=2; samesite=LAX", "c=3; SameSite", "d=4; SameSite=x"), get(www + "/")},
	"flags with values":                  {set(www+"/", "a=1; Secure=false; HttpOnly=no"), get(www + "/"), get(open + "/")},
	"unknown attributes":                 {set(www+"/", "a=1; Secures; ; =; x=y; Priority=High;"), get(www + "/")},
	"attributes without spaces":          {set(www+"/", "a=1;secure;httponly;path=/x"), get(www + "/x")},
	"attributes with extra spaces":       {set(www+"/", "a=1 ;  secure\t;\thttponly  ; path = /x "), get(www + "/x")},

	"ages":                     {set(www+"/", "a=1; Max-Age=100", "b=2; Max-Age=0", "c=3; Max-Age=-1", "d=4; Max-Age", "e=5; Max-Age=+5", "f=6; Max-Age=1x", "g=7; Max-Age=99999999999999999999", "h=8; Max-Age=-"), get(www + "/")},
	"the last age":             {set(www+"/", "a=1; Max-Age=0; Max-Age=100", "b=2; Max-Age=100; Max-Age=0"), get(www + "/")},
	"Max-Age takes precedence": {set(www+"/", "a=1; Max-Age=100; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "b=2; Max-Age=0; Expires=Fri, 01 Jan 2100 00:00:00 GMT"), get(www + "/")},
	"dates":                    {set(www+"/", "a=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT", "b=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "c=3; Expires=0", "d=4; Expires=", "e=5; Expires=Friday, 01-Jan-69 00:00:00 GMT", "f=6; Expires=Thursday, 01-Jan-70 00:00:00 GMT"), get(www + "/")},
	"dates in odd forms":       {set(www+"/", "a=1; Expires=Fri Jan  1 00:00:00 2100", "b=2; Expires=1 Jan 2100 0:0:0", "c=3; Expires=00:00:00 2000 january 1", "d=4; Expires=1/jan/2000 00:00:00"), get(www + "/")},
	"invalid dates":            {set(www+"/", "b=2; Expires=1 Jan 1999 24:00:00", "c=3; Expires=1 Jan 1600 00:00:00", "d=4; Expires=Jan 1999 00:00:00", "e=5; Expires=1 Jan 1999"), get(www + "/")},
	"deleted":                  {set(www+"/", "a=1", "b=2"), set(www+"/", "a=; Max-Age=0", "b=; Expires=Thu, 01 Jan 1970 00:00:01 GMT"), get(www + "/")},
	"deleted by other keys":    {set(www+"/a/b", "a=1", "b=2; Domain=example.org"), set(www+"/a/b", "a=; Max-Age=0; Path=/", "b=; Max-Age=0"), get(www + "/a/b")},
	"deleted and set":          {set(www+"/", "a=1"), set(www+"/", "a=; Max-Age=0", "a=2"), get(www + "/")},
	"set and deleted":          {set(www+"/", "a=1", "a=; Max-Age=0"), get(www + "/")},
	"changed":                  {set(www+"/", "a=1; Secure; HttpOnly"), set(www+"/", "a=2"), get(www + "/")},
	"a session ends an expiry": {set(www+"/", "a=1; Max-Age=100"), set(www+"/", "a=2"), get(www + "/")},
}

// apart are the cases in which Chromium deviates from RFC 6265bis and we do not.
var apart = map[string]string{
	"Latin-1":            "Chromium sends the byte but does not show it",
	"a tab in the value": "section 5.6 allows tabs; Chromium ignores such cookies",
	"a non-ASCII domain": "section 5.7, step 8, ignores such cookies; Chromium converts the domain",
	"ages":               "section 5.6.2 does not allow +; Chromium does",
	"invalid dates":      "section 5.1.1 begins with 1601; Chromium takes an earlier year as 1601",
}

func TestVaultIsABrowsersJar(t *testing.T) {
	node, chromium := harness.Node(t), harness.Chromium(t)
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("step"))
		if name := r.URL.Query().Get("case"); name != "" {
			w.Header()["Set-Cookie"] = browsing[name][n].lines
		}
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "%x", strings.Join(r.Header["Cookie"], "\n"))
	})
	insecure, secure := httptest.NewServer(page), httptest.NewTLSServer(page)
	t.Cleanup(insecure.Close)
	t.Cleanup(secure.Close)
	_, insecurePort, _ := strings.Cut(insecure.Listener.Addr().String(), ":")
	_, securePort, _ := strings.Cut(secure.Listener.Addr().String(), ":")

	names := make([]string, 0, len(browsing))
	for name := range browsing {
		names = append(names, name)
	}
	slices.Sort(names)
	var input strings.Builder
	for _, name := range names {
		var urls []string
		for i, s := range browsing[name] {
			u, err := url.Parse(s.url)
			if err != nil {
				t.Fatal(err)
			}
			port := insecurePort
			if u.Scheme == "https" {
				port = securePort
			}
			u.Host += ":" + port
			u.RawQuery = url.Values{"case": {name}, "step": {fmt.Sprint(i)}}.Encode()
			urls = append(urls, u.String())
		}
		if err := json.NewEncoder(&input).Encode(urls); err != nil {
			t.Fatal(err)
		}
	}

	cmd := exec.CommandContext(t.Context(), node, "cookies.mjs")
	cmd.Env = append(os.Environ(), "CHROMIUM="+chromium)
	cmd.Stdin = strings.NewReader(input.String())
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &complaint)
	}
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	lines.Buffer(nil, 1<<20)
	for _, name := range names {
		if !lines.Scan() {
			t.Fatalf("no result for %q: %v\n%s", name, lines.Err(), &complaint)
		}
		t.Run(name, func(t *testing.T) { compare(t, name, lines.Bytes()) })
	}
}

// stored is a cookie in the browser's form.
type stored struct {
	Name, Value, Domain, Path string
	Expires                   float64
	HTTPOnly                  bool `json:"httpOnly"`
	Secure                    bool
	SameSite                  string
}

func compare(t *testing.T, name string, line []byte) {
	var theirs struct {
		Pages   []string
		Cookies []stored
	}
	if err := json.Unmarshal(line, &theirs); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	var v vault.Vault
	for i, s := range browsing[name] {
		u, err := url.Parse(s.url)
		if err != nil {
			t.Fatal(err)
		}
		req := vault.Request{
			Host: u.Hostname(), Path: u.EscapedPath(), Secure: u.Scheme == "https" || vault.Local(u.Hostname()), TopLevel: true, Safe: true,
		}
		sent, err := hex.DecodeString(theirs.Pages[i])
		if err != nil {
			t.Fatal(err)
		}
		if ours := v.Header(req, now); ours != string(sent) {
			differ(t, name, "%s: we send %.80q, the browser sends %.80q", s.url, ours, sent)
		}
		var received []vault.Received
		for _, line := range s.lines {
			if r, ok := vault.Receive(line, req, now); ok {
				received = append(received, r)
			}
		}
		if v, _, err = v.Apply(received, now); err != nil {
			t.Fatal(err)
		}
	}
	ours := make(map[stored]float64)
	for _, c := range v.Cookies() {
		s := stored{
			Name: c.Name, Value: c.Value, Domain: c.Domain, Path: c.Path, HTTPOnly: c.HTTPOnly, Secure: c.Secure,
			SameSite: [...]string{"Lax", "None", "Lax", "Strict"}[c.SameSite], // Chromium's name for a missing attribute
		}
		if !c.HostOnly {
			s.Domain = "." + s.Domain
		}
		if ours[s] = -1; !c.Expires.IsZero() {
			ours[s] = float64(c.Expires.Unix())
		}
	}
	for _, s := range theirs.Cookies {
		expires := s.Expires
		s.Expires = 0
		// The browser received them before now.
		if ends, found := ours[s]; !found || math.Abs(ends-expires) > 120 {
			differ(t, name, "the browser has %.200v until %v, we until %v", s, expires, ends)
		}
		delete(ours, s)
	}
	for s := range ours {
		differ(t, name, "only we have %.200v", s)
	}
}

func differ(t *testing.T, name, format string, args ...any) {
	t.Helper()
	if why, known := apart[name]; known {
		t.Log(why)
		return
	}
	t.Errorf(format, args...)
}
