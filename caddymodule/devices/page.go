package devices

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/internal/webpage"
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
	w.Header().Add("Vary", "Accept")
	if html {
		return webpage.Write(w, r, http.StatusOK, page, a)
	}
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	webpage.Send(w, r, http.StatusOK, "application/json", append(body, '\n'))
	return nil
}

var page = webpage.New(`<!DOCTYPE html>
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
`)
