package phpsession

import (
	"fmt"

	"github.com/caddy-session/caddy-session/frameworks/php/files"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// layoutsOf say how PHP keeps its sessions in each of the stores that can be shared with it. uid is
// the user that PHP runs as, or -1 for the user of this process.
func layoutsOf(levels, uid int) []layout.Layout {
	return []layout.Layout{
		layout.File{
			Format:    fmt.Sprintf("php, %d levels, user %d", levels, uid),
			Unbounded: true,
			Open: func(f layout.Folder) layout.FolderStore {
				return files.Open(files.Options{Dir: f.Dir, Levels: levels, UID: uid, Lifetime: f.Endless, OnError: f.OnError})
			},
		},
	}
}
