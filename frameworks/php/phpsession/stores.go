package phpsession

import (
	"fmt"

	"github.com/caddy-session/caddy-session/frameworks/php/files"
	"github.com/caddy-session/caddy-session/frameworks/php/serialize"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// layoutsOf say how PHP keeps its sessions in each of the stores that can be shared with it. uid is
// the user that PHP runs as, or -1 for the user of this process.
func layoutsOf(form serialize.Form, levels, uid int) []layout.Layout {
	whole := func(content []byte) bool {
		_, err := form.Decode(string(content))
		return err == nil
	}
	return []layout.Layout{
		layout.File{
			Format:    fmt.Sprintf("%s, %d levels, user %d", form, levels, uid),
			Unbounded: true,
			Open: func(f layout.Folder) layout.FolderStore {
				return files.Open(files.Options{Dir: f.Dir, Levels: levels, UID: uid, Lifetime: f.Endless, Whole: whole, OnError: f.OnError})
			},
		},
	}
}
