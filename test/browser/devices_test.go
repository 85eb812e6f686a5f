package browser_test

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"testing"

	"golang.org/x/net/websocket"

	"github.com/caddy-session/caddy-session/test/harness"
)

// TestDevices walks through the page on which users end their other sessions, with several
// browsers.
func TestDevices(t *testing.T) {
	app := http.NewServeMux()
	app.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		if user := r.FormValue("login"); user != "" {
			w.Header().Set("X-Session-Update", `{"user":"`+user+`"}`)
		}
		who := r.Header.Get("X-User")
		if who == "" {
			who = "nobody"
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!DOCTYPE html><title>App</title><p id="who">%s</p><a href="/">Next page</a>`, html.EscapeString(who))
	})
	app.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	app.Handle("/socket", websocket.Handler(func(c *websocket.Conn) { _, _ = io.Copy(c, c) }))
	c := harness.Start(t, `
http://$ADDR {
	session {
		user user
		remember_client on
		store_timeout 30s
		inject X-User user
	}
	session_devices /devices
	reverse_proxy `+harness.Backend(t, app.ServeHTTP)+`
}
`)
	harness.Walk(t, "browser/devices.mjs", "URL="+c.URL)
}
