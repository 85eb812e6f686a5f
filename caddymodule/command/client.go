package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"unicode/utf8"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// client sends requests to the admin API of the running Caddy.
type client struct {
	address, store string
	json           bool
}

// addClientFlags adds the flags of every command that asks the running Caddy.
func addClientFlags(cmd *cobra.Command) {
	cmd.Flags().String("address", "", "The address of the admin API (default: CADDY_ADMIN of the environment, or localhost:2019)")
	cmd.Flags().StringP("config", "c", "", "A configuration that says the address, if --address does not")
	cmd.Flags().StringP("adapter", "a", "", "The adapter of that configuration")
	cmd.Flags().String("store", "", "The name or the kind of the store, if several are open")
	cmd.Flags().Bool("json", false, "Print JSON, one object in a line")
}

func newClient(flags caddycmd.Flags) (*client, error) {
	if err := checkValues(flags); err != nil {
		return nil, err
	}
	address, err := caddycmd.DetermineAdminAPIAddress(flags.String("address"), nil, flags.String("config"), flags.String("adapter"))
	if err != nil {
		return nil, fmt.Errorf("finding the address of the admin API: %w", err)
	}
	return &client{address: address, store: flags.String("store"), json: flags.Bool("json")}, nil
}

// checkValues refuses a flag with an empty value, such as that of a variable that is not set:
// without the flag, a command may mean more sessions. In JSON, what is not UTF-8 would be another
// value.
func checkValues(flags caddycmd.Flags) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		switch {
		case f.Value.Type() == "string" && f.Value.String() == "":
			err = fmt.Errorf("--%s: the value is empty; leave the flag out if it is not meant", f.Name)
		case !utf8.ValidString(f.Value.String()):
			err = fmt.Errorf("--%s: the value is not UTF-8, as the terminal's encoding should be", f.Name)
		}
	})
	return err
}

// open sends a request. query are further parameters, in pairs.
func (c *client) open(method, path string, body io.Reader, query ...string) (io.ReadCloser, error) {
	values := make(url.Values)
	if c.store != "" {
		values.Set("store", c.store)
	}
	for i := 0; i < len(query); i += 2 {
		if query[i+1] != "" {
			values.Set(query[i], query[i+1])
		}
	}
	if len(values) > 0 {
		path += "?" + values.Encode()
	}
	resp, err := caddycmd.AdminAPIRequest(c.address, method, path, nil, body)
	if err != nil {
		return nil, c.explain(err)
	}
	return resp.Body, nil
}

// call sends a request with JSON and reads the answer.
func (c *client) call(method, path string, ask, answer any, query ...string) error {
	var body io.Reader
	if ask != nil {
		text, err := json.Marshal(ask)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	return c.send(method, path, body, answer, query...)
}

// send sends a request with a body and reads the answer.
func (c *client) send(method, path string, body io.Reader, answer any, query ...string) error {
	from, err := c.open(method, path, body, query...)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := json.NewDecoder(from).Decode(answer); err != nil {
		return c.noAPI()
	}
	return nil
}

func (c *client) get(path string, answer any, query ...string) error {
	return c.call(http.MethodGet, path, nil, answer, query...)
}

// explain turns an error of Caddy's client into one for people.
func (c *client) explain(err error) error {
	_, rest, _ := strings.Cut(err.Error(), "HTTP ")
	status, body, found := strings.Cut(rest, ": ")
	var answer struct{ Error string }
	switch {
	case !found && (errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(err.Error(), "connect: ")):
		return fmt.Errorf("no Caddy answers at %s: start it, or name the address of its admin API with --address; with admin off, it has none", c.address)
	case !found:
		return err
	case json.Unmarshal([]byte(body), &answer) == nil && answer.Error != "":
		return errors.New(answer.Error)
	case status == "404":
		return c.noAPI()
	}
	return err
}

func (c *client) noAPI() error {
	return fmt.Errorf("what answers at %s is not the admin API of a Caddy with sessions", c.address)
}
