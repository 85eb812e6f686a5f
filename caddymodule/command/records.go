package command

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/caddy-session/caddy-session/caddymodule/admin"
)

// moving returns the commands that write sessions to files and read them.
func moving() []*cobra.Command {
	export := asking("export <file>", "Writes all sessions of a store to a new file", takes(1), exportSessions)
	export.Long += `

The file has a line of JSON for each session, with its data and times. Whoever reads
it knows what is in the sessions. It has mode 0600, and - means the standard output.
Until it is whole, ".part" is added to its name.`
	load := asking("import <file>", "Saves the sessions of a file in a store", takes(1), importSessions)
	load.Long += `

The file is one of "caddy session export", and - means the standard input. The
sessions keep their times. What the store has in a newer form is left as it is.`
	return []*cobra.Command{export, load}
}

func exportSessions(c *client, flags caddycmd.Flags) error {
	name := flags.Arg(0)
	if _, err := os.Lstat(name); err == nil && name != "-" {
		return fmt.Errorf("%s exists already: name a new file", name)
	}
	from, err := c.open(http.MethodGet, "/session/records", nil)
	if err != nil {
		return err
	}
	defer from.Close()
	if name == "-" {
		return copyLines(os.Stdout, from)
	}
	// If this process is killed, nobody must take the part for the whole.
	part := name + ".part"
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is from another export, which is running or was interrupted: delete it, or name another file", part)
	}
	if err != nil {
		return err
	}
	err = errors.Join(copyLines(file, from), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		_ = os.Remove(part)
	}
	return err
}

func copyLines(to io.Writer, from io.Reader) error {
	p := newProgress("exported")
	defer p.end()
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case err != nil:
			return fmt.Errorf("the export ended early, after %d sessions: %w", p.count, err)
		}
		if _, err := to.Write(line); err != nil {
			return err
		}
		p.add(1, len(line))
	}
}

// importBatch is how many sessions go into a request.
const importBatch = 500

func importSessions(c *client, flags caddycmd.Flags) error {
	var from io.Reader = os.Stdin
	var size int64
	if name := flags.Arg(0); name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		from = file
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
	}
	var all admin.Imported
	p := newProgress("read")
	p.total = size
	lines := bufio.NewReader(from)
	for more := true; more; {
		var batch []byte
		n := 0
		for n < importBatch && more {
			line, err := lines.ReadBytes('\n')
			if more = !errors.Is(err, io.EOF); more && err != nil {
				return err
			}
			if len(line) > 0 {
				batch = append(batch, line...)
				n++
			}
		}
		if n == 0 {
			break
		}
		var done admin.Imported
		if err := c.send(http.MethodPost, "/session/records", bytes.NewReader(batch), &done); err != nil {
			p.end()
			if p.count > 0 {
				err = fmt.Errorf("%w; line 1 of this part is line %d of the file; %d sessions were saved before it", err, p.count+1, all.Saved)
			}
			return err
		}
		all.Saved += done.Saved
		all.Same += done.Same
		all.Newer += done.Newer
		all.Expired += done.Expired
		all.Unreadable += done.Unreadable
		all.Refs = append(all.Refs, done.Refs...)
		p.add(n, len(batch))
	}
	p.end()
	return c.imported(&all)
}

// imported prints what became of the records.
func (c *client) imported(all *admin.Imported) (err error) {
	if c.json {
		err = json.NewEncoder(os.Stdout).Encode(all)
	} else {
		_, err = fmt.Printf("%d saved, %d there already, %d left out because the store has newer ones, %d expired\n",
			all.Saved, all.Same, all.Newer, all.Expired)
	}
	if err == nil && all.Unreadable > 0 {
		err = fmt.Errorf("%d more: the store has a record that cannot be read in their place, or the list of their user's sessions cannot be read: %s",
			all.Unreadable, strings.Join(all.Refs, ", "))
	}
	return err
}

// progress shows on a terminal how far a command is: a bar where the bytes that are to come are
// known.
type progress struct {
	what        string
	count       int
	done, total int64
	shown       time.Time
	on          bool
}

func newProgress(what string) *progress {
	info, err := os.Stderr.Stat()
	return &progress{what: what, on: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// add counts sessions and their bytes.
func (p *progress) add(sessions, bytes int) {
	p.count += sessions
	p.done += int64(bytes)
	if p.on && time.Since(p.shown) > time.Second/4 {
		p.shown = time.Now()
		fmt.Fprint(os.Stderr, p)
	}
}

func (p *progress) end() {
	if p.on {
		fmt.Fprintln(os.Stderr, p)
	}
}

func (p *progress) String() string {
	text := fmt.Sprintf("\r%s sessions %s", humanize.Comma(int64(p.count)), p.what)
	if p.total > 0 {
		percent := min(p.done*100/p.total, 100)
		text = fmt.Sprintf("\r[%-20s] %3d%% %s", strings.Repeat("#", int(percent/5)), percent, text[1:])
	}
	return text
}
