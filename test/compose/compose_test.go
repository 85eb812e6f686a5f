// Package compose_test starts examples/compose without containers: the commands of its files, with
// their environment, on loopback ports. What a container runtime does beyond that (images,
// networks, volumes) is not tested.
package compose_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/test/harness"
)

// service is a service of compose.yaml.
type service struct {
	Image, Build, Command string
	WorkingDir            string `yaml:"working_dir"`
	Environment           map[string]string
	Ports, Volumes        []string
	DependsOn             []string `yaml:"depends_on"`
	Restart               string

	command []string          // the words of Command
	folders map[string]string // of the container, and where they are here
	addr    string
}

// folder is that of the example.
func folder() string { return filepath.Join(harness.Root(), "examples", "compose") }

// read returns the services. Unknown keys are errors: each must mean something to this test.
func read(t *testing.T) map[string]*service {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder(), "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]*service
		Volumes  map[string]any
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for name, s := range file.Services {
		s.command, s.folders, s.addr = strings.Fields(s.Command), make(map[string]string), harness.FreeAddr(t)
		for _, volume := range s.Volumes {
			from, to, _ := strings.Cut(strings.TrimSuffix(volume, ":ro"), ":")
			if _, named := file.Volumes[from]; named {
				s.folders[to] = t.TempDir()
			} else if from = filepath.Join(folder(), from); exists(t, from) {
				s.folders[to] = from
			}
		}
		if path, found := s.folders["/etc/caddy/Caddyfile"]; found {
			s.folders["/etc/caddy/Caddyfile"] = patient(t, path)
		}
		if s.Build != "" && s.Command == "" {
			s.readDockerfile(t, filepath.Join(folder(), s.Build))
		}
		if len(s.command) == 0 {
			t.Fatalf("%s has no command", name)
		}
		for _, on := range s.DependsOn {
			if file.Services[on] == nil {
				t.Errorf("%s depends on %s, which does not exist", name, on)
			}
		}
	}
	return file.Services
}

// patient copies a Caddyfile for a busy machine, and returns the path of the copy.
func patient(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(path, []byte(harness.Patient(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil {
		t.Error(err)
	}
	return err == nil
}

// readDockerfile reads what the image of an app has: its folder, its files and its command.
func (s *service) readDockerfile(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "FROM", "USER":
		case "WORKDIR":
			s.WorkingDir = rest
		case "RUN":
			pip := regexp.MustCompile(`^pip install --no-cache-dir flask gunicorn$`)
			if !pip.MatchString(rest) {
				t.Errorf("the tests have no %s", rest)
			}
		case "COPY":
			file, to, _ := strings.Cut(rest, " ")
			if exists(t, filepath.Join(dir, file)) {
				s.folders[path.Join(s.WorkingDir, to)] = dir
			}
		case "CMD":
			if err := json.Unmarshal([]byte(rest), &s.command); err != nil {
				t.Error(err)
			}
		default:
			t.Errorf("the Dockerfile has %s", line)
		}
	}
}

// here replaces what is different on this machine: addresses and paths.
func (s *service) here(text string, all map[string]*service) string {
	if text == "${SESSION_SECRET:?see README.md}" {
		return "0123456789abcdef0123456789abcdef"
	}
	for name, other := range all {
		text = regexp.MustCompile(`\b`+name+`:\d+$`).ReplaceAllString(text, other.addr)
	}
	for inside, outside := range s.folders {
		if text == inside || strings.HasPrefix(text, inside+"/") {
			text = outside + strings.TrimPrefix(text, inside)
		}
	}
	return strings.NewReplacer("0.0.0.0:9000", s.addr, "localhost:8080", s.addr).Replace(text)
}

// start starts a service, and waits until it listens.
func (s *service) start(t *testing.T, name string, all map[string]*service) {
	t.Helper()
	var args []string
	for _, arg := range s.command[1:] {
		args = append(args, s.here(arg, all))
	}
	program := s.command[0]
	data := t.TempDir()
	switch program {
	case "caddy":
		program = harness.Binary(t)
	case "gunicorn":
		program = filepath.Join(filepath.Dir(harness.Python(t)), "gunicorn")
	case "redis-server":
		program = harness.Program(t, program)
		host, port, _ := strings.Cut(s.addr, ":")
		args = append(args, "--bind", host, "--port", port, "--dir", data)
	default:
		program = harness.Program(t, program)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = data
	if s.WorkingDir != "" {
		cmd.Dir = s.folders[s.WorkingDir]
	}
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+data, "XDG_CONFIG_HOME="+data, "HOME="+data, "CADDY_ADMIN="+harness.FreeAddr(t))
	for key, value := range s.Environment {
		cmd.Env = append(cmd.Env, key+"="+s.here(value, all))
	}
	harness.Serve(t, name, s.addr, cmd)
}

// site starts all services and returns the URL of the site.
func site(t *testing.T) string {
	t.Helper()
	services := read(t)
	for _, name := range []string{"redis", "php", "node", "flask", "caddy"} {
		s := services[name]
		if s == nil {
			t.Fatalf("there is no service %s", name)
		}
		if hasPorts := len(s.Ports) > 0; hasPorts != (name == "caddy") {
			t.Errorf("%s publishes %q", name, s.Ports)
		}
		s.start(t, name, services)
	}
	if len(services) != 5 {
		t.Errorf("there are %d services", len(services))
	}
	return "http://" + services["caddy"].addr
}

// page returns the page after all redirects.
func page(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v\n%s", resp.Status, err, body)
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "X-Session-") {
			t.Errorf("the browser got %s", name)
		}
	}
	return string(body)
}

// TestOneSessionForThreeLanguages visits the apps, logs in with one, and out with another.
func TestOneSessionForThreeLanguages(t *testing.T) {
	longtest.Test(t)
	at, browser := site(t), harness.Client(t)
	browser.CheckRedirect = nil // follow them
	get := func(path string, want ...string) {
		t.Helper()
		resp, err := browser.Get(at + path)
		text := page(t, resp, err)
		for _, want := range want {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", path, want, text)
			}
		}
	}
	get("/", "Hello, stranger. This is PHP.", "PHP 0, Node 0, Flask 0.")
	get("/node/", "Hello, stranger. This is Node.", "PHP 1, Node 0, Flask 0.")
	get("/flask/", "Hello, stranger. This is Flask.", "PHP 1, Node 1, Flask 0.")

	resp, err := browser.PostForm(at+"/php/", url.Values{"name": {"Zoë <i>"}})
	if text := page(t, resp, err); !strings.Contains(text, "Hello, Zoë &lt;i&gt;. This is PHP.") {
		t.Error(text)
	}
	get("/node/", "Hello, Zoë &#60;i&#62;. This is Node.")
	get("/flask/", "Hello, Zoë &lt;i&gt;. This is Flask.")

	// Requests at once to all three: each counts.
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			resp, err := browser.Get(at + []string{"/php/", "/node/", "/flask/"}[i%3])
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
		})
	}
	all.Wait()
	get("/flask/", "PHP 12, Node 12, Flask 12.")

	resp, err = browser.PostForm(at+"/flask/logout", nil)
	if text := page(t, resp, err); !strings.Contains(text, "Hello, stranger. This is PHP.") || !strings.Contains(text, "PHP 0, Node 0, Flask 0.") {
		t.Error(text)
	}
}

// TestReadmeNamesTheFiles has each file of the example in its table.
func TestReadmeNamesTheFiles(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(folder(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(folder(), func(path string, entry os.DirEntry, err error) error {
		name, _ := filepath.Rel(folder(), path)
		if err == nil && !entry.IsDir() && !slices.Contains([]string{"README.md", "Dockerfile"}, entry.Name()) &&
			!strings.Contains(string(readme), fmt.Sprintf("`%s`", filepath.ToSlash(name))) {
			t.Errorf("README.md does not name %s", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
