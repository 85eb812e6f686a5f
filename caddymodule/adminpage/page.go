package adminpage

import "github.com/caddy-session/caddy-session/caddymodule/internal/webpage"

// page is the page. On a narrow screen, each row of its table is a block, so the roles are written
// out: without them, browsers would tell screen readers of no table there.
var page = webpage.New(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>
:root { color-scheme: light dark; --line: #c4c9d1; --soft: #f3f5f8; --quiet: #51596b; --accent: #1d4f91; --bad: #9b1c1c }
@media (prefers-color-scheme: dark) { :root { --line: #434b5a; --soft: #1e232c; --quiet: #a9b2c3; --accent: #8ab4f0; --bad: #ff9d9d } }
* { box-sizing: border-box }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 80rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; margin: 0 }
h2 { font-size: 1.2rem; margin: 1.5rem 0 .5rem }
p { margin: .25rem 0 }
a { color: var(--accent) }
a, button, input, select, .news { outline-offset: 2px }
:focus-visible { outline: 3px solid var(--accent) }
button, input, select { font: inherit; min-height: 2.5rem; padding: .3rem .7rem; border: 1px solid var(--quiet); border-radius: .3rem; max-width: 100% }
button { background: var(--soft); color: inherit; cursor: pointer }
input, select { display: block; width: 100%; background: Field; color: FieldText }
.quiet, small { color: var(--quiet) }
.news { border-left: .3rem solid var(--accent); background: var(--soft); padding: .6rem .8rem; margin: 1rem 0 }
.news[role=alert] { border-color: var(--bad) }
.forms { display: flex; flex-wrap: wrap; gap: 1rem }
.forms form { flex: 1 1 17rem; display: flex; flex-direction: column; gap: .6rem; border: 1px solid var(--line); border-radius: .3rem; padding: .8rem }
.forms button { margin-top: auto; align-self: start }
table { border-collapse: collapse; width: 100%; table-layout: fixed }
thead th:nth-child(1), thead th:nth-child(7) { width: 17% }
thead th:nth-child(6) { width: 8% }
thead th:nth-child(8) { width: 7% }
caption { text-align: left; color: var(--quiet); padding: .3rem 0 }
th, td { text-align: left; vertical-align: top; padding: .5rem .6rem .5rem 0; border-top: 1px solid var(--line) }
thead th { font-size: .9rem; border: 0 }
tbody th { font-weight: 600 }
small { display: block; font-size: .85rem; font-weight: 400 }
code { font-size: .85rem }
nav { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; margin: 1rem 0 }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
@media (max-width: 60rem) {
	table, tbody, tr, th, td, caption { display: block; width: 100% }
	thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden }
	tbody tr { border: 1px solid var(--line); border-radius: .3rem; padding: .6rem .8rem; margin: .6rem 0 }
	tbody th, tbody td { border: 0; padding: .1rem 0 }
	tbody td[data-label]::before { content: attr(data-label) ": "; color: var(--quiet) }
	tbody td:last-child { padding-top: .4rem }
	small { display: inline }
}
</style>
<header>
<h1>Sessions</h1>
<p class="quiet">You are <bdi>{{.Operator}}</bdi>. A user whose session you end is logged out at the next request.</p>
</header>
<main>
{{- with .Error}}
<p class="news" role="alert" tabindex="-1" autofocus>{{.}}</p>
{{- else}}{{with .Message}}
<p class="news" role="status" tabindex="-1" autofocus>{{.}}</p>
{{- end}}{{end}}
{{- if not .Stores}}
<p>No session handler of this site keeps sessions in a store, so there is nothing to show.</p>
{{- else}}
<section aria-labelledby="find">
<h2 id="find">Find</h2>
<div class="forms">
{{- if gt (len .Stores) 1}}
<form action="{{.Here}}">
<label>Store
<select name="store">
{{- range .Stores}}
<option value="{{.Name}}"{{if eq .Name $.Store.Name}} selected{{end}}>{{.Name}}{{with .Place}} ({{.}}){{end}}</option>
{{- end}}
</select></label>
<button>Show this store</button>
</form>
{{- end}}
<form action="{{.Here}}">
{{- template "store" .}}
<label>Ref
<input name="ref" value="{{.Ref}}" required maxlength="43" autocomplete="off" autocapitalize="off" spellcheck="false" aria-describedby="about-ref"></label>
<p class="quiet" id="about-ref">As in the logs: 43 letters, digits, - and _.</p>
<button>Find by ref</button>
</form>
<form method="post" action="{{.Here}}">
{{- template "store" .}}
<label>User
<input name="user" value="{{.User}}" required maxlength="256" autocomplete="off" autocapitalize="off" spellcheck="false"></label>
<label>Scope{{if .Store.Lists}} (optional){{end}}
<input name="scope" value="{{.Scope}}"{{if and (not .Store.Lists) .Store.Scopes}} required{{end}} autocomplete="off" autocapitalize="off" spellcheck="false"></label>
<button>Find by user</button>
</form>
</div>
</section>
<section aria-labelledby="list">
<h2 id="list"><bdi>{{.Heading}}</bdi></h2>
<p class="quiet">Store {{.Store.Name}}{{with .Store.Place}}, {{.}}{{end}}{{if ne .Store.Dialect "native"}}, dialect {{.Store.Dialect}}{{end}}</p>
{{- if .Sessions}}
<table role="table">
<caption>{{len .Sessions}} {{if eq (len .Sessions) 1}}session{{else}}sessions{{end}}{{if .Next}} on this page; there are more{{end}}</caption>
<thead role="rowgroup">
<tr role="row">
<th role="columnheader" scope="col">User</th>
<th role="columnheader" scope="col">Scope</th>
<th role="columnheader" scope="col">Last used</th>
<th role="columnheader" scope="col">Created</th>
<th role="columnheader" scope="col">Expires</th>
<th role="columnheader" scope="col">Size</th>
<th role="columnheader" scope="col">Ref</th>
<th role="columnheader" scope="col">Action</th>
</tr>
</thead>
<tbody role="rowgroup">
{{- range .Sessions}}
<tr role="row">
<th role="rowheader" scope="row">{{with .User}}<bdi>{{.}}</bdi>{{else}}<span class="quiet">nobody</span>{{end}}{{if .Unused}} <small>new id, not used yet</small>{{end}}</th>
<td role="cell" data-label="Scope">{{.Scope}}</td>
<td role="cell" data-label="Last used">{{if .LastUsed.IsZero}}unknown{{else}}{{time .LastUsed}}{{end}}{{with .Last}} <small>{{.Address}} <bdi>{{.UserAgent}}</bdi></small>{{end}}</td>
<td role="cell" data-label="Created">{{if .Created.IsZero}}unknown{{else}}{{time .Created}}{{end}}{{with .First}} <small>{{.Address}} <bdi>{{.UserAgent}}</bdi></small>{{end}}</td>
<td role="cell" data-label="Expires">{{time .Expires}}{{if .Permanent}} <small>also when the browser was closed</small>{{end}}</td>
<td role="cell" data-label="Size">{{.Size}} bytes</td>
<td role="cell" data-label="Ref"><code>{{.Ref}}</code></td>
<td role="cell"><form method="post" action="{{$.Here}}">
{{- template "store" $}}
{{- with $.After}}<input type="hidden" name="after" value="{{.}}">{{end -}}
<button name="end" value="{{.Ref}}">End<span class="hidden"> the session of {{with .User}}{{.}}{{else}}nobody{{end}} with the ref {{.Ref}}</span></button></form></td>
</tr>
{{- end}}
</tbody>
</table>
{{- else if .Listed}}
<p>{{if .Next}}None on this page; there may be more on the next one.{{else}}There are none.{{end}}</p>
{{- else if not .Error}}
<p>This store cannot list its sessions. Find them by ref, or by user and scope.</p>
{{- end}}
{{- if or .Next .All}}
<nav aria-label="Pages">
{{- with .All}}<a href="{{.}}">All sessions</a>{{end}}
{{- with .Next}}<a href="{{.}}">Next page</a>{{end -}}
</nav>
{{- end}}
{{- if and .User .Sessions}}
<form method="post" action="{{.Here}}">
{{- template "store" .}}
<input type="hidden" name="scope" value="{{.Scope}}">
<button name="end_user" value="{{.User}}">End all sessions of <bdi>{{.User}}</bdi></button>
</form>
{{- end}}
</section>
{{- end}}
</main>
</html>
{{- define "store"}}
{{- if gt (len .Stores) 1}}
<input type="hidden" name="store" value="{{.Store.Name}}">
{{- end}}
{{- end}}
`)
