package docs_test

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// manifest is an object of the documentation's Kubernetes example: what the tests understand.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Data       map[string]string // of a ConfigMap
	Spec       struct {
		Replicas int
		Selector any // of a Deployment, with matchLabels, or of a Service
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     pod
		}
		Ports []struct{ Port int } // of a Service
	}
}

type pod struct {
	Containers []struct {
		Name, Image string
		Ports       []struct {
			ContainerPort int `yaml:"containerPort"`
		}
		ReadinessProbe struct {
			HTTPGet struct {
				Path string
				Port int
			} `yaml:"httpGet"`
		} `yaml:"readinessProbe"`
		VolumeMounts []struct {
			Name      string
			MountPath string `yaml:"mountPath"`
		} `yaml:"volumeMounts"`
	}
	Volumes []struct {
		Name      string
		ConfigMap struct{ Name string } `yaml:"configMap"`
		Secret    struct {
			SecretName string `yaml:"secretName"`
		}
	}
}

// manifests returns the objects by kind. Unknown keys are errors.
func manifests(t *testing.T) map[string]*manifest {
	t.Helper()
	found := make(map[string]*manifest)
	for _, example := range docs.Examples(t, "yaml") {
		if example.Page.Path != "docs/install.md" {
			continue
		}
		decoder := yaml.NewDecoder(strings.NewReader(example.Text))
		decoder.KnownFields(true)
		for {
			m := new(manifest)
			if err := decoder.Decode(m); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("docs/install.md:%d: %v", example.Line, err)
			}
			found[m.APIVersion+" "+m.Kind] = m
		}
	}
	if len(found) != 3 || found["v1 ConfigMap"] == nil || found["apps/v1 Deployment"] == nil || found["v1 Service"] == nil {
		t.Fatalf("found %v", found)
	}
	return found
}

// TestKubernetes has objects that fit each other, and runs two pods: their Caddyfile on one Redis.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	all := manifests(t)
	config, service := all["v1 ConfigMap"], all["v1 Service"]
	deployment := all["apps/v1 Deployment"].Spec
	spec := deployment.Template.Spec
	labels := fmt.Sprint(deployment.Template.Metadata.Labels)
	if of := fmt.Sprint(deployment.Selector); of != "map[matchLabels:"+labels+"]" {
		t.Errorf("the deployment selects %s, and has pods with %s", of, labels)
	}
	if of := fmt.Sprint(service.Spec.Selector); of != labels {
		t.Errorf("the service selects %s, and the pods have %s", of, labels)
	}
	if len(spec.Containers) != 1 || len(spec.Volumes) != 2 || deployment.Replicas != 2 {
		t.Fatalf("%+v", deployment)
	}
	caddy := spec.Containers[0]
	if caddy.Ports[0].ContainerPort != service.Spec.Ports[0].Port {
		t.Errorf("the service has the port %v, the container %v", service.Spec.Ports, caddy.Ports)
	}
	mounts := make(map[string]string)
	for _, mount := range caddy.VolumeMounts {
		mounts[mount.Name] = mount.MountPath
	}
	key := ""
	for _, volume := range spec.Volumes {
		switch {
		case mounts[volume.Name] == "":
			t.Errorf("%s is not mounted", volume.Name)
		case volume.ConfigMap.Name != "":
			if volume.ConfigMap.Name != config.Metadata.Name || mounts[volume.Name] != "/etc/caddy" { // where the image reads it
				t.Errorf("the Caddyfile is of %+v, at %s", volume.ConfigMap, mounts[volume.Name])
			}
		default:
			command := regexp.MustCompile("kubectl create secret generic " + volume.Secret.SecretName + ` --from-literal=(\w+)=`)
			if found := command.FindStringSubmatch(docs.Named(t, "docs/install.md")); found != nil {
				key = path.Join(mounts[volume.Name], found[1])
			}
		}
	}
	if key == "" || !strings.Contains(config.Data["Caddyfile"], "{file."+key+"}") {
		t.Fatalf("the Caddyfile does not read the key at %q", key)
	}

	app := harness.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Session-Update", `{"was":"here"}`)
		fmt.Fprint(w, r.Header.Get("X-Session-Data"))
	})
	secret := filepath.Join(t.TempDir(), "key")
	write(t, secret, secrets["session-key"])
	server := redistest.Start(t, redistest.Options{})
	client := harness.Client(t)
	probe := caddy.ReadinessProbe.HTTPGet
	for _, want := range []string{"{}", `{"was":"here"}`} {
		probed := harness.FreeAddr(t)
		pod := harness.Start(t, strings.NewReplacer(
			"{\n\tservers", "{\n\tadmin $ADMIN\n\tservers",
			fmt.Sprintf("http://:%d {", probe.Port), "http://"+probed+" {", "http:// {", "http://$ADDR {",
			"redis:6379", server.Addr(), "app:9000", app, key, secret).Replace(config.Data["Caddyfile"]))
		for _, page := range []visit{{path: "http://" + probed + probe.Path}, {path: pod.URL, want: want}} {
			if got := page.by(t, client, ""); got != page.want {
				t.Errorf("%s: got %q, want %q", page.path, got, page.want)
			}
		}
	}
}
