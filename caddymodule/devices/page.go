package devices

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/session"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// answer is what the handler says, in JSON.
type answer struct {
	User     string   `json:"user"`
	Sessions []device `json:"sessions"`
}

// device is one session of the user.
type device struct {
	Ref       string    `json:"ref"`
	Current   bool      `json:"current,omitempty"`
	Created   time.Time `json:"created"`
	Used      time.Time `json:"used,omitzero"`
	Expires   time.Time `json:"expires"`
	Permanent bool      `json:"permanent,omitempty"`

	// First and Last are missing without the option remember_client.
	First sessionstore.Client `json:"first,omitzero"`
	Last  sessionstore.Client `json:"last,omitzero"`
}

// write writes the list, as a page or as JSON.
func write(w http.ResponseWriter, r *http.Request, s session.Session, list []sessionstore.Info, html bool) error {
	a := answer{User: s.User(), Sessions: []device{}}
	for _, i := range list {
		a.Sessions = append(a.Sessions, device{
			Ref: i.Ref, Current: i.Ref == s.Ref(), Permanent: i.Permanent,
			Created: i.Created.UTC(), Used: i.Used.UTC(), Expires: i.Expires.UTC(),
			First: i.First, Last: i.Last,
		})
	}
	var body bytes.Buffer
	h := w.Header()
	if html {
		if err := page.Execute(&body, a); err != nil {
			return err
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Frame-Options", "DENY")
	} else {
		if err := json.NewEncoder(&body).Encode(a); err != nil {
			return err
		}
		h.Set("Content-Type", "application/json")
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body.Bytes())
	return err
}

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"time": func(t time.Time) template.HTML {
		text := template.HTMLEscapeString(t.Format("2006-01-02 15:04 MST"))
		return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `">` + text + `</time>`) //nolint:gosec // a time
	},
}).Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Where you are logged in</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 1rem auto; padding: 0 1rem; overflow-wrap: anywhere; color-scheme: light dark }
ul { list-style: none; padding: 0 }
li { border-top: 1px solid; padding: .75rem 0 }
p { margin: 0 }
button { font: inherit; padding: .4rem .8rem; margin-top: .4rem }
</style>
<main>
<h1>Where you are logged in</h1>
<p>You are {{.User}}.</p>
<ul>
{{- range $n, $s := .Sessions}}
<li>
<h2 id="s{{$n}}">{{if .Current}}This browser{{else}}Another browser{{end}}</h2>
{{- with .Last}}
<p>{{.UserAgent}}</p>
<p>{{.Address}}</p>
{{- end}}
<p>Logged in or first seen {{time .Created}}{{if not .Used.IsZero}}, last used {{time .Used}}{{end}}</p>
{{- if not .Current}}
<form method="post"><button name="end" value="{{.Ref}}" aria-describedby="s{{$n}}">Log out there</button></form>
{{- end}}
</li>
{{- end}}
</ul>
{{- if gt (len .Sessions) 1}}
<form method="post"><button name="end" value="others">Log out everywhere else</button></form>
{{- end}}
</main>
</html>
`))
