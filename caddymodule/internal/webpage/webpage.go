// Package webpage writes the plain HTML pages of handlers: without scripts, for one user only, and
// in no frame.
package webpage

import (
	"bytes"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// New returns a page. In its template, time writes a time, in UTC.
func New(text string) *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{"time": timeElement}).Parse(text))
}

func timeElement(t time.Time) template.HTML {
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `">` + t.Format("2006-01-02 15:04") + ` UTC</time>`) //nolint:gosec // a time
}

// Write writes a page.
func Write(w http.ResponseWriter, r *http.Request, status int, page *template.Template, data any) error {
	var body bytes.Buffer
	if err := page.Execute(&body, data); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	Send(w, r, status, "text/html; charset=utf-8", body.Bytes())
	return nil
}

// Send writes a response that no cache keeps.
func Send(w http.ResponseWriter, r *http.Request, status int, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// Redirect leads the browser to a page, so that a reload of it repeats nothing.
func Redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// AsAsked returns the request as the browser sent it. Handlers before this one may have changed its
// path and method.
func AsAsked(r *http.Request) *http.Request {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.URL != nil {
		return &original
	}
	return r
}

// Here returns a relative reference to the path that the browser has asked for.
func Here(r *http.Request) string {
	// A path that begins with two slashes would be another host.
	path := AsAsked(r).URL.EscapedPath()
	return "." + path[max(strings.LastIndexByte(path, '/'), 0):]
}
